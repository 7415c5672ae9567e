"""Reads a page as a browser does, and says what people who cannot see it well would stumble over."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from typing_extensions import override

EMPTY = frozenset(["br", "hr", "img", "input", "link", "meta"])
SHAPES = frozenset(["circle", "line", "path", "rect"])


class Element:
    """An element of a page."""

    def __init__(self, name: str, attributes: dict[str, str | None], above: Element | None) -> None:
        self.name, self.attributes, self.above = name, attributes, above
        self.below: list[Element] = []
        self.words: list[str] = []

    def every(self, *names: str) -> list[Element]:
        found = [self] if self.name in names or not names else []
        for one in self.below:
            found += one.every(*names)
        return found

    @property
    def text(self) -> str:
        parts = [*self.words, *(one.text for one in self.below)]
        return " ".join(" ".join(parts).split())

    def said(self, key: str) -> str:
        return self.attributes.get(key) or ""


class Reader(HTMLParser):
    """Reads strictly: what is not closed in order is a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self._now = self.root
        self.mistakes: list[str] = []
        self.feed(text)
        self.close()
        if self._now is not self.root:
            self.mistakes.append(f"{self._now.name} is not closed")

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs, enters=tag not in EMPTY)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs, enters=False)

    def _add(self, tag: str, attrs: list[tuple[str, str | None]], *, enters: bool) -> None:
        if len({key for key, _ in attrs}) != len(attrs):
            self.mistakes.append(f"{tag} says something twice: {attrs}")
        one = Element(tag, dict(attrs), self._now)
        self._now.below.append(one)
        if enters:
            self._now = one

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._now.name != tag or self._now.above is None:
            self.mistakes.append(f"{tag} is closed inside of {self._now.name}")
            return
        self._now = self._now.above

    @override
    def handle_data(self, data: str) -> None:
        self._now.words.append(data)


def stumbles(text: str) -> list[str]:
    """Return what is wrong with a page for those who hear it or use a keyboard."""
    reader = Reader(text)
    root, found = reader.root, list(reader.mistakes)
    found += _outline(root) + _tables(root) + _forms(root) + _links(root) + _pictures(root)
    identities = [one.said("id") for one in root.every() if one.said("id")]
    found += [
        f"the id {one!r} is there twice" for one in {*identities} if identities.count(one) > 1
    ]
    found += [
        f"a style attribute on {one.name}" for one in root.every() if "style" in one.attributes
    ]
    found += [
        f"{one.name} has {key}"
        for one in root.every()
        for key in one.attributes
        if key.startswith("on")
    ]
    found += ["a script in the page" for one in root.every("script") if one.text]
    return found


def _outline(root: Element) -> list[str]:
    found = [
        f"{len(root.every(name))} of {name}"
        for name in ("main", "h1", "title", "header", "footer")
        if len(root.every(name)) != 1 and name != "title"
    ]
    if not root.every("html")[0].said("lang"):
        found.append("no language")
    level = 0
    for one in root.every("h1", "h2", "h3", "h4"):
        if int(one.name[1]) > level + 1:
            found.append(f"{one.name} {one.text!r} after h{level}")
        level = int(one.name[1])
        if not one.text:
            found.append(f"an empty {one.name}")
    navs = [one.said("aria-label") for one in root.every("nav")]
    if not all(navs) or len(set(navs)) != len(navs):
        found.append(f"navigation without a name of its own: {navs}")
    return found


def _tables(root: Element) -> list[str]:
    found = []
    for table in root.every("table"):
        if not any(one.text for one in table.every("caption")):
            found.append("a table without a caption")
        if any(one.said("scope") not in {"col", "row"} for one in table.every("th")):
            found.append("a heading of a table without scope")
        width = {len([c for c in row.below if c.name in {"td", "th"}]) for row in table.every("tr")}
        if len(width) > 1:
            found.append(f"rows of different lengths: {width}")
        box = table.above
        if box is None or box.said("tabindex") != "0" or not box.said("aria-label"):
            found.append("a table that cannot be scrolled by keys")
    return found


def _forms(root: Element) -> list[str]:
    labels = {one.said("for") for one in root.every("label")}
    found = []
    for field in root.every("input", "select", "textarea"):
        if field.said("type") == "hidden":
            continue
        is_inside = field.above is not None and field.above.name == "label"
        if not (field.said("id") in labels or field.said("aria-label") or is_inside):
            found.append(f"a field {field.said('name')!r} without a label")
    found += [
        "a button without a name"
        for one in root.every("button")
        if not (one.text or one.said("aria-label"))
    ]
    found += [
        f"fields without a legend: {one.text[:40]}"
        for one in root.every("fieldset")
        if not one.every("legend")
    ]
    return found


def _links(root: Element) -> list[str]:
    names = {one.said("id") for one in root.every()}
    found = []
    for one in root.every("a"):
        address = one.said("href")
        if not (one.text or one.said("aria-label")):
            found.append(f"a link without a name to {address!r}")
        if not address:
            found.append(f"a link to nowhere: {one.text!r}")
        if address.startswith("#") and address[1:] not in names:
            found.append(f"a link to {address}, which is not there")
    return found


def _pictures(root: Element) -> list[str]:
    return [
        "a picture without a name"
        for one in root.every("svg")
        if one.said("aria-hidden") != "true" and not one.every("title")
    ]


def inside(text: str, path: str) -> set[str]:
    """Return the pages of the view that a page leads to."""
    here = f"http://view.test/{path}"
    found = set()
    for one in Reader(text).root.every("a", "link", "script", "form", "canvas"):
        for key in ("href", "src", "data-dots", "data-labels"):
            address = one.said(key)
            if address:
                parts = urlsplit(urljoin(here, address))
                if parts.netloc == "view.test":
                    found.add(f"{parts.path}?{parts.query}".strip("/").rstrip("?"))
    return found
