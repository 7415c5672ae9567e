// A small router: every path is answered with the same index.html, and this decides what it shows.

const STONES = {
  footing: "Footings are the largest stones. They lie in a trench on firm ground and carry everything above.",
  hearting: "Hearting is the small stone packed between the two faces. It keeps the others from moving.",
  through: "A through reaches from one face to the other and ties them together, about knee high.",
  cope: "Copes stand upright along the top. Their weight holds the courses below in place.",
};

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function link(path, text) {
  return element("a", { href: path }, text);
}

function pageFor(path) {
  if (path === "/") {
    const stones = Object.keys(STONES).map((name) => element("li", {}, link(`/stones/${name}`, name)));
    return [element("h1", {}, "The stones of a wall"), element("ul", {}, ...stones)];
  }
  const name = path.match(/^\/stones\/([a-z]+)$/)?.[1];
  if (name && Object.hasOwn(STONES, name)) {
    return [element("h1", {}, name), element("p", {}, STONES[name]), link("/", "All stones")];
  }
  return [element("h1", {}, "No such page"), link("/", "All stones")];
}

function show() {
  document.querySelector("main").replaceChildren(...pageFor(location.pathname));
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("a");
  if (!target || target.origin !== location.origin || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", target.href);
  show();
});
window.addEventListener("popstate", show);
show();
