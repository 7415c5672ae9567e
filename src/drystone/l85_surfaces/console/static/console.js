// What the pages gain from scripts: they stay up to date, and logs go on. Without, a page is read anew by hand.
"use strict";

const main = document.getElementById("main");
const told = document.getElementById("told");

/* Makes one element like another, and touches nothing that is the same already: what has the focus keeps it, what
   somebody writes or has opened stays, and nothing moves that did not change. */
const liken = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh.cloneNode(true));
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  }
  const theirs = [...fresh.childNodes];
  const ours = [...old.childNodes];
  theirs.forEach((child, at) => (ours[at] ? liken(ours[at], child) : old.append(child.cloneNode(true))));
  ours.slice(theirs.length).forEach((child) => child.remove());
};

/* What the browser is known by lasts for minutes, and is made anew when a page is opened; a form that is open stays. */
const signInAgain = () => {
  if (document.querySelector("details.ask[open]")) told.textContent = "Load the page again to go on.";
  else location.reload();
};

const keepUp = () => {
  const every = Number(main.dataset.live);
  if (!every) return;
  let fails = 0;
  const again = () => setTimeout(look, 1000 * Math.min(60, every * 2 ** fails));
  const look = async () => {
    if (document.hidden) return again();
    try {
      const answer = await fetch(location.href, { cache: "no-cache", redirect: "manual", headers: { accept: "text/html" } });
      if (answer.type === "opaqueredirect") return signInAgain();
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      fails = 0;
      told.textContent = "";
      liken(main, fresh);
      if (!Number(fresh.dataset.live)) return;
    } catch {
      fails = Math.min(fails + 1, 6);
      if (fails === 3) told.textContent = "The platform does not answer; this page is not up to date.";
    }
    again();
  };
  again();
};

const follow = () => {
  const log = document.getElementById("log");
  const says = document.getElementById("following");
  if (!log || !log.dataset.follow || typeof EventSource === "undefined") return;
  const most = Number(log.dataset.most);
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  toEnd();
  const events = new EventSource(log.dataset.follow);
  events.onopen = () => { says.textContent = "New lines appear below."; };
  events.onerror = () => { says.textContent = "New lines do not come now; trying again."; };
  events.onmessage = ({ data }) => {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const fresh = new DOMParser().parseFromString(data, "text/html").body;
    log.append(...fresh.querySelectorAll("li"));
    while (log.children.length > most) log.firstElementChild.remove();
    if (isAtEnd) toEnd();
  };
};

document.addEventListener("keydown", (event) => {
  const writes = event.target.closest("input, textarea, select");
  if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.getElementById("search");
  if (search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

keepUp();
follow();
