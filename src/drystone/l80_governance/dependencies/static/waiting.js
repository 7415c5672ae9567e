// Asks again for the page that is waited for, and shows how far the work is until it is there.
"use strict";

(() => {
  const PAUSE_MS = 700;
  const MOST_FAILURES = 5;
  let failures = 0;

  const ask = async () => {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.status !== 202) {
        location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("progress");
      const shown = document.getElementById("progress");
      if (fresh && shown) {
        shown.querySelector("progress").value = fresh.querySelector("progress").value;
        shown.querySelector("#doing").textContent = fresh.querySelector("#doing").textContent;
      }
      failures = 0;
    } catch {
      failures += 1;
    }
    if (failures < MOST_FAILURES) setTimeout(ask, PAUSE_MS);
    else document.getElementById("doing").textContent = "The view does not answer. Load the page again.";
  };

  setTimeout(ask, PAUSE_MS);
})();
