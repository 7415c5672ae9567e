// While a search goes on: asks for the page again and puts what is new in its place.
"use strict";

(() => {
  const said = document.getElementById("search-said");
  if (!said) return;
  let pause = 400;

  async function again() {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = next.getElementById("search-said");
      if (!found) return location.reload();
      if (!found.querySelector(".searching")) return finish(next);
      const text = found.querySelector("p").textContent;
      const now = said.querySelector("p");
      if (now && now.textContent !== text) now.textContent = text;
    } catch (error) {
      pause = Math.min(8000, pause * 2);
    }
    setTimeout(again, (pause = Math.min(2000, pause * 1.2)));
  }

  function finish(next) {
    const focused = document.activeElement && document.activeElement.id;
    document.querySelector("main").replaceWith(next.querySelector("main"));
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }

  setTimeout(again, pause);
})();
