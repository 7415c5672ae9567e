"""Measures in a browser how far every text of a page stands out from what is behind it."""

from __future__ import annotations

from drystone.testing.browser import Tab

LEAST = 4.5
"""What WCAG 2.2 asks of text, success criterion 1.4.3."""
_SCRIPT = """(() => {
  const probe = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const paper = probe.getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const colour = (text, below) => {
    const key = text + below.join();
    if (known.has(key)) return known.get(key);
    paper.globalAlpha = 1;
    paper.fillStyle = `rgb(${below.join(",")})`;
    paper.fillRect(0, 0, 1, 1);
    paper.fillStyle = text;
    paper.fillRect(0, 0, 1, 1);
    const found = [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3);
    known.set(key, found);
    return found;
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const ground = (one) => {
    const above = [];
    for (let e = one; e; e = e.parentElement) above.push(getComputedStyle(e).backgroundColor);
    return above.reverse().reduce((below, text) => colour(text, below), [255, 255, 255]);
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || ["TITLE", "NOSCRIPT", "SCRIPT", "OPTION", "title"].includes(one.tagName)) continue;
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || one.closest(".unseen, .skip")) continue;
    const style = getComputedStyle(one), drawn = one.tagName === "text";
    let below = ground(one);
    if (drawn) {
      const shape = one.parentElement.querySelector("rect:not(.band)");
      if (shape && one.parentElement.localName !== "svg") below = colour(getComputedStyle(shape).fill, below);
    }
    const found = ratio(colour(drawn ? style.fill : style.color, below), below);
    if (found < %s) weak.push(`${text.slice(0, 30)} (${one.tagName}.${one.getAttribute("class")}): ${found.toFixed(2)}`);
  }
  return weak;
})()"""


def weak(tab: Tab) -> list[str]:
    """Return the texts that do not stand out, each with its contrast."""
    found: list[str] = tab.js(_SCRIPT % LEAST)
    return found
