// Plays a recovery: moves the time over the chart and the picture.
"use strict";

(() => {
  const player = document.getElementById("player");
  const when = document.getElementById("when");
  const start = document.getElementById("start");
  const moment = document.getElementById("moment");
  const gantt = document.getElementById("gantt");
  const picture = document.getElementById("picture");
  if (!player || !when || !gantt || !picture) return;

  const LENGTH_MS = 9000;
  const every = Number(player.dataset.every);
  const counts = player.dataset.counts.split(" ").map(Number);
  const step = Number(player.dataset.step);
  const left = Number(gantt.dataset.left);
  const scale = Number(gantt.dataset.scale);
  const now = gantt.querySelector(".now");
  const bars = [...gantt.querySelectorAll(".piece")].map((shape) => ({
    shape, begins: Number(shape.dataset.begins), ends: Number(shape.dataset.ends),
  }));
  const stones = [...picture.querySelectorAll("rect")].map((shape) => ({
    shape, serves: Number(shape.dataset.serves),
  }));
  const last = Number(when.max);
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
  let frame = 0;
  let before = 0;
  let position = Number(when.value);

  const spoken = (seconds) => {
    const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
      [Math.floor(seconds / 60) % 60, "min"], [Math.floor(seconds % 60), "s"]];
    const begin = parts.findIndex(([count]) => count > 0);
    if (begin < 0) return "0 s";
    return parts.slice(begin, begin + 2).filter(([count]) => count).map((part) => part.join(" ")).join(" ");
  };

  const show = (seconds) => {
    for (const one of stones) {
      const serves = one.serves >= 0 && one.serves <= seconds;
      one.shape.setAttribute("class", serves ? "up" : "down");
    }
    for (const one of bars) {
      one.shape.classList.toggle("later", one.begins > seconds);
      one.shape.classList.toggle("under-way", one.begins <= seconds && seconds < one.ends);
    }
    const up = counts[Math.min(counts.length - 1, Math.floor(seconds / step))];
    const x = left + seconds * scale;
    now.setAttribute("x1", x);
    now.setAttribute("x2", x);
    moment.textContent = `${spoken(seconds)} · ${up.toLocaleString("en")} of ${every.toLocaleString("en")} serve`;
    when.setAttribute("aria-valuetext", moment.textContent);
  };

  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    start.textContent = "Play";
  };

  const advance = (time) => {
    const passed = before ? time - before : 0;
    before = time;
    position = Math.min(last, position + (last * passed) / LENGTH_MS);
    when.value = position;
    show(position);
    if (position >= last) stop();
    else frame = requestAnimationFrame(advance);
  };

  start.addEventListener("click", () => {
    if (frame) {
      stop();
      return;
    }
    if (isCalm.matches) {
      position = position >= last ? 0 : Math.min(last, position + last / 10);
      when.value = position;
      show(position);
      return;
    }
    if (position >= last) position = 0;
    before = 0;
    start.textContent = "Pause";
    frame = requestAnimationFrame(advance);
  });

  when.addEventListener("input", () => {
    stop();
    position = Number(when.value);
    show(position);
  });

  player.hidden = false;
  show(position);
})();
