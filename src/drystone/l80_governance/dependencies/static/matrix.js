// The matrix: draws every dependency as a dot into an image of the canvas' size, in one pass over typed arrays.
"use strict";

(() => {
  const canvas = document.getElementById("matrix");
  if (!canvas) return;
  const said = document.getElementById("matrix-said");
  const paper = canvas.getContext("2d");
  const TOP = 30, NAMES = 9, MOST = 48;
  let LEFT = 132;
  const HARD = 1, UPWARD = 2, TANGLED = 4;
  let data = null, look = null, colours = null, image = null, waiting = 0, cursor = null, held = null;

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function number(colour) {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }

  function paint() {
    colours = {
      ground: number(style("--surface")), above: number(style("--above")), same: number(style("--same")),
      soft: number(style("--dot-soft")), hard: number(style("--dot-hard")),
      tangled: number(style("--dot-tangled")), upward: number(style("--deadlock")),
      text: style("--quiet"), firm: style("--text"), line: style("--line"), accent: style("--accent"),
      surface: style("--surface"),
    };
  }

  async function load() {
    const [dots, labels] = await Promise.all([
      fetch(canvas.dataset.dots).then((a) => (a.ok ? a.arrayBuffer() : Promise.reject(a.status))),
      fetch(canvas.dataset.labels).then((a) => (a.ok ? a.json() : Promise.reject(a.status))),
    ]);
    const [, size, count, width] = new Uint32Array(dots, 0, 4);
    const Places = width === 2 ? Uint16Array : Uint32Array;
    const source = new Places(dots, 16, count);
    const target = new Places(dots, 16 + width * count, count);
    const flags = new Uint8Array(dots, 16 + 2 * width * count, count);
    const bands = [];
    labels.layers.forEach((layer, at) => {
      const last = bands[bands.length - 1];
      if (last && last.layer === layer) last.end = at + 1;
      else bands.push({ layer, begin: at, end: at + 1 });
    });
    const wrong = [];
    for (let e = 0; e < count; e++) if (flags[e] & UPWARD) wrong.push(e);
    data = { size, count, source, target, flags, bands, wrong, ...labels };
  }

  // What is seen: how many pixels a cell has, and which row and column lie at the corner.
  function room() {
    LEFT = canvas.clientWidth < 600 ? 68 : 132;
    return { width: canvas.clientWidth - LEFT, height: canvas.clientHeight - TOP };
  }
  function whole() {
    const { width, height } = room();
    return { cell: Math.max(0.05, Math.min(width, height) / data.size), row: 0, column: 0 };
  }
  function bounded(next) {
    const { width, height } = room();
    const all = whole().cell;
    const cell = Math.min(Math.max(next.cell, Math.min(all, MOST)), Math.max(MOST, all));
    const most = (length) => Math.max(0, data.size - length / cell);
    return {
      cell,
      row: Math.min(Math.max(0, next.row), most(height)),
      column: Math.min(Math.max(0, next.column), most(width)),
    };
  }
  function zoom(by, x = room().width / 2, y = room().height / 2) {
    const cell = Math.min(Math.max(look.cell * by, whole().cell), Math.max(MOST, whole().cell));
    look = bounded({ cell, column: look.column + x / look.cell - x / cell, row: look.row + y / look.cell - y / cell });
    changed();
  }
  function pan(columns, rows) {
    look = bounded({ ...look, column: look.column + columns, row: look.row + rows });
    changed();
  }
  function show(row, column) {
    const { width, height } = room();
    const isIn = (at, begin, length) => at >= begin + 1 && at + 2 <= begin + length / look.cell;
    if (!isIn(row, look.row, height)) look = bounded({ ...look, row: row + 0.5 - height / look.cell / 2 });
    if (!isIn(column, look.column, width)) look = bounded({ ...look, column: column + 0.5 - width / look.cell / 2 });
  }

  function changed() {
    if (!waiting) waiting = requestAnimationFrame(draw);
  }

  function draw() {
    waiting = 0;
    const start = performance.now();
    room();
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height || !image) {
      canvas.width = width;
      canvas.height = height;
      image = paper.createImageData(width, height);
    }
    const pixels = new Uint32Array(image.data.buffer);
    const left = Math.round(LEFT * ratio), top = Math.round(TOP * ratio);
    const cell = look.cell * ratio;
    pixels.fill(colours.ground);
    halves(pixels, width, height, left, top, cell);
    dots(pixels, width, height, left, top, cell, ratio);
    paper.putImageData(image, 0, 0);
    paper.setTransform(ratio, 0, 0, ratio, 0, 0);
    axes();
    mark();
    performance.measure("matrix frame", { start, end: performance.now() });
  }

  // What lies above the steps of the layers has another ground: there a hard dependency is wrong.
  function halves(pixels, width, height, left, top, cell) {
    for (const band of data.bands) {
      const y0 = Math.max(top, Math.round(top + (band.begin - look.row) * cell));
      const y1 = Math.min(height, Math.round(top + (band.end - look.row) * cell));
      if (y1 <= top || y0 >= height) continue;
      const clamp = (at) => Math.min(width, Math.max(left, Math.round(left + (at - look.column) * cell)));
      const begin = clamp(band.begin), end = clamp(band.end), last = clamp(data.size);
      for (let y = y0; y < y1; y++) {
        pixels.fill(colours.same, y * width + begin, y * width + end);
        pixels.fill(colours.above, y * width + end, y * width + last);
      }
    }
  }

  function dots(pixels, width, height, left, top, cell, ratio) {
    const { source, target, flags, count } = data;
    const gap = cell >= 5 * ratio ? 1 : 0;
    const plain = Math.max(1, Math.round(cell) - gap), large = Math.max(Math.round(3.5 * ratio), plain);
    for (let e = 0; e < count; e++) {
      const flag = flags[e], isUp = flag & UPWARD;
      const size = isUp ? large : plain;
      const shift = isUp ? (plain - large) >> 1 : 0;
      let x0 = Math.floor(left + (target[e] - look.column) * cell) + shift;
      let y0 = Math.floor(top + (source[e] - look.row) * cell) + shift;
      const x1 = Math.min(width, x0 + size), y1 = Math.min(height, y0 + size);
      if (x0 < left) x0 = left;
      if (y0 < top) y0 = top;
      if (x1 <= x0 || y1 <= y0) continue;
      const colour = isUp ? colours.upward : flag & TANGLED ? colours.tangled : flag & HARD ? colours.hard : colours.soft;
      for (let y = y0; y < y1; y++) pixels.fill(colour, y * width + x0, y * width + x1);
    }
  }

  function axes() {
    const { width, height } = room();
    paper.font = `${look.cell >= NAMES ? Math.min(12, look.cell) : 11}px Inter, sans-serif`;
    paper.textBaseline = "middle";
    paper.fillStyle = colours.text;
    if (look.cell >= NAMES) {
      paper.textAlign = "right";
      const last = Math.min(data.size, Math.ceil(look.row + height / look.cell));
      for (let at = Math.ceil(look.row); at < last; at++) {
        const is = cursor && cursor.row === at;
        paper.fillStyle = is ? colours.firm : colours.text;
        paper.fillText(fitting(data.names[at]), LEFT - 8, TOP + (at + 0.5 - look.row) * look.cell);
      }
    }
    paper.strokeStyle = colours.line;
    paper.lineWidth = 1;
    let free = -Infinity;
    for (const band of data.bands) {
      const y = TOP + ((band.begin + band.end) / 2 - look.row) * look.cell;
      const x = LEFT + ((band.begin + band.end) / 2 - look.column) * look.cell;
      paper.fillStyle = colours.text;
      if (look.cell < NAMES && y > TOP && y < TOP + height && y - free >= 13) {
        paper.textAlign = "right";
        paper.fillText(LEFT < 100 ? String(band.layer) : `Layer ${band.layer}`, LEFT - 8, y);
        free = y;
      }
      band.x = x;
    }
    free = -Infinity;
    paper.textAlign = "center";
    for (const band of data.bands) {
      if (band.x > LEFT && band.x < LEFT + width && band.x - free >= 22) {
        paper.fillText(String(band.layer), band.x, TOP / 2 + 2);
        free = band.x;
      }
    }
  }

  function fitting(name) {
    const most = LEFT < 100 ? 9 : 18;
    return name.length > most ? `${name.slice(0, most - 1)}…` : name;
  }

  function mark() {
    if (!cursor) return;
    const x = LEFT + (cursor.column - look.column) * look.cell, y = TOP + (cursor.row - look.row) * look.cell;
    const side = Math.max(look.cell, 7), shift = (look.cell - side) / 2;
    paper.save();
    paper.beginPath();
    paper.rect(LEFT, TOP, room().width, room().height);
    paper.clip();
    paper.strokeStyle = colours.accent;
    paper.globalAlpha = 0.35;
    paper.strokeRect(LEFT - 2, y + look.cell / 2, x - LEFT, 0);
    paper.strokeRect(x + look.cell / 2, TOP - 2, 0, y - TOP);
    paper.globalAlpha = 1;
    paper.lineWidth = 2;
    paper.strokeRect(x + shift - 1, y + shift - 1, side + 2, side + 2);
    paper.restore();
    if (look.cell >= NAMES && x >= LEFT) {
      paper.textAlign = "center";
      paper.fillStyle = colours.surface;
      paper.fillRect(x - 80, 0, 160 + look.cell, TOP - 4);
      paper.fillStyle = colours.firm;
      paper.fillText(fitting(data.names[cursor.column]), x + look.cell / 2, TOP / 2 + 2);
    }
  }

  // The dependency of a cell, the worst if there are several; or the nearest within a few pixels.
  function at(row, column) {
    let found = -1;
    for (let e = 0; e < data.count; e++) if (data.source[e] === row && data.target[e] === column) found = e;
    return found;
  }
  function near(row, column, reach) {
    let found = -1, best = reach * reach + 1e-9;
    for (let e = 0; e < data.count; e++) {
      const far = (data.source[e] + 0.5 - row) ** 2 + (data.target[e] + 0.5 - column) ** 2;
      const weight = data.flags[e] & UPWARD ? far / 4 : far;
      if (weight <= best) [found, best] = [e, weight];
    }
    return found;
  }

  function tell() {
    if (!cursor) {
      const wrong = data.wrong.length;
      said.textContent = `${data.size.toLocaleString("en")} components, ${data.count.toLocaleString("en")} dependencies, ` +
        (wrong ? `${wrong} hard and not leading down.` : "all hard ones leading down.");
      return;
    }
    const { row, column, edge } = cursor;
    const where = `layer ${data.layers[row]} → ${data.layers[column]}`;
    const arrow = `${data.names[row]} → ${data.names[column]}`;
    if (edge < 0) said.textContent = `${arrow}: no dependency; ${where}`;
    else {
      const flag = data.flags[edge];
      const words = [flag & HARD ? "hard" : "soft", where];
      if (flag & UPWARD) words.push("not leading down");
      if (flag & TANGLED) words.push("inside of a tangle");
      said.textContent = `${arrow}: ${words.join(", ")}`;
    }
  }

  function go(edge) {
    cursor = { row: data.source[edge], column: data.target[edge], edge };
    show(cursor.row, cursor.column);
    tell();
    changed();
    keep();
  }

  function step(rows, columns) {
    if (!cursor) return go(data.wrong.length ? data.wrong[0] : 0);
    // The nearest dependency in that direction: along the row or column first, then around it.
    let found = -1, best = Infinity;
    for (let e = 0; e < data.count; e++) {
      const down = data.source[e] - cursor.row, right = data.target[e] - cursor.column;
      const along = down * rows + right * columns, aside = Math.abs(down * columns + right * rows);
      if (along <= 0) continue;
      const far = along + aside * 3;
      if (far < best) [found, best] = [e, far];
    }
    if (found >= 0) go(found);
  }

  function wrong(by) {
    if (!data.wrong.length) return;
    const now = cursor ? data.wrong.indexOf(cursor.edge) : -1;
    const next = now < 0 ? (by > 0 ? 0 : data.wrong.length - 1) : (now + by + data.wrong.length) % data.wrong.length;
    if (look.cell < NAMES) look = bounded({ ...look, cell: Math.max(look.cell, 14) });
    go(data.wrong[next]);
  }

  function open() {
    if (!cursor || cursor.edge < 0) return;
    const address = new URL(canvas.dataset.open, location.href);
    address.searchParams.set("source", data.keys[cursor.row] || data.names[cursor.row]);
    address.searchParams.set("target", data.keys[cursor.column] || data.names[cursor.column]);
    location.assign(address);
  }

  // The address says what is seen, so that it can be sent to somebody.
  let later = 0;
  function keep() {
    clearTimeout(later);
    later = setTimeout(() => {
      const address = new URL(location.href);
      const set = (key, value) => (value === null ? address.searchParams.delete(key) : address.searchParams.set(key, value));
      const isAll = Math.abs(look.cell - whole().cell) < 1e-6;
      set("look", isAll ? null : [look.cell, look.row, look.column].map((v) => Number(v.toFixed(3))).join("_"));
      set("cell", cursor && cursor.edge >= 0 ? `${cursor.row}_${cursor.column}` : null);
      history.replaceState(null, "", address);
    }, 150);
  }
  function restore() {
    const asked = new URLSearchParams(location.search);
    const numbers = (key) => (asked.get(key) || "").split("_").map(Number);
    const [cell, row, column] = numbers("look");
    look = cell > 0 && row >= 0 && column >= 0 ? bounded({ cell, row, column }) : whole();
    const [at1, at2] = numbers("cell");
    if (asked.has("cell") && at1 >= 0 && at1 < data.size && at2 >= 0 && at2 < data.size) {
      cursor = { row: at1, column: at2, edge: at(at1, at2) };
    }
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left - LEFT, y = event.clientY - box.top - TOP;
    return { x, y, column: look.column + x / look.cell, row: look.row + y / look.cell };
  };

  function listen() {
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = place(event);
      zoom(Math.exp(-event.deltaY * 0.0016), x, y);
      keep();
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      held = { x: event.clientX, y: event.clientY, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (held && event.buttons) {
        const dx = event.clientX - held.x, dy = event.clientY - held.y;
        if (held.moved || Math.abs(dx) + Math.abs(dy) > 4) {
          held = { x: event.clientX, y: event.clientY, moved: true };
          pan(-dx / look.cell, -dy / look.cell);
        }
        return;
      }
      const { x, y, row, column } = place(event);
      if (x < 0 || y < 0 || row >= data.size || column >= data.size) return;
      const edge = near(row, column, Math.max(0.75, 5 / look.cell));
      const next = edge >= 0 ? { row: data.source[edge], column: data.target[edge], edge }
        : { row: Math.floor(row), column: Math.floor(column), edge };
      if (!cursor || cursor.row !== next.row || cursor.column !== next.column) {
        cursor = next;
        tell();
        changed();
      }
    });
    canvas.addEventListener("pointerup", () => {
      const wasMoved = held && held.moved;
      held = null;
      if (wasMoved) keep();
      else open();
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = {
        ArrowUp: () => step(-1, 0), ArrowDown: () => step(1, 0), ArrowLeft: () => step(0, -1), ArrowRight: () => step(0, 1),
        n: () => wrong(1), p: () => wrong(-1), Enter: open,
        "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: all,
        PageDown: () => pan(0, room().height / look.cell / 2), PageUp: () => pan(0, -room().height / look.cell / 2),
      };
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
      keep();
    });
    document.querySelectorAll("[data-do]").forEach((button) => button.addEventListener("click", () => {
      ({ nearer: () => zoom(1.6), farther: () => zoom(1 / 1.6), all, next: () => wrong(1) })[button.dataset.do]();
      keep();
    }));
    new ResizeObserver(() => { look = bounded(look); changed(); }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); changed(); });
  }

  function all() {
    look = whole();
    cursor = null;
    tell();
    changed();
  }

  load().then(() => {
    paint();
    restore();
    tell();
    listen();
    draw();
    canvas.dataset.ready = "yes";
  }).catch((error) => {
    said.textContent = `The matrix could not be loaded (${error}); the tables below say the same.`;
  });
})();
