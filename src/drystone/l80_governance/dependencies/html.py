"""HTML that is escaped by construction.

What people wrote may say anything. Only :func:`tag` and :func:`joined` make :class:`Html`, and everything else that is put
into a page is text: escaped, with control characters and overrides of the text's direction shown as such. An address is a
:class:`Link`, which leads to a page of the view, or to the web where that is asked for; nothing else becomes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, TypeAlias
from urllib.parse import urlencode

from drystone.l00_kernel.visible import visible

Node: TypeAlias = "Html | str | int | float | Sequence[Node] | None"
"""What can stand in an element; None is nothing."""
Asking: TypeAlias = str | int | Sequence[str] | None
"""What an address says of one key; of a list, one after the other; None is left out."""
Attribute: TypeAlias = "str | int | float | bool | None"
"""Absent when None or False; present without a value when True."""

_EMPTY: Final = frozenset(["br", "hr", "img", "input", "link", "meta"])
_SHAPES: Final = frozenset(["circle", "line", "path", "polygon", "rect", "use"])
_ADDRESSES: Final = frozenset(["action", "href", "src"])
_SIZE: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9:-]*")


class Html:
    """A piece of a page.

    Args:
        written: What is put into the page as it is; only this module passes something here.
    """

    __slots__ = ("written",)

    def __init__(self, written: str) -> None:
        self.written = written

    def encoded(self) -> bytes:
        """Return the bytes of it; what is no Unicode text is shown as an escape."""
        return self.written.encode("utf-8", "backslashreplace")


class Link(str):
    """An address that is safe to follow."""

    __slots__ = ()


def link(path: str, /, **query: Asking) -> Link:
    """Return the address of a page of the view, relative to any other of them.

    Args:
        path: Of the page; empty for the first one.
        query: Its state.
    """
    said = [(key.rstrip("_"), one) for key, value in query.items() for one in _each(value)]
    text = urlencode(said, errors="backslashreplace")
    return Link((path or "./") + ("?" + text if text else ""))


def _each(value: Asking) -> Sequence[str | int]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str | int) else value


def outside(text: str) -> Link | None:
    """Return the address of a page on the web that people wrote down; None when it is not one."""
    is_one = text.startswith(("https://", "http://")) and text.isprintable() and " " not in text
    return Link(text) if is_one else None


def fragment(name: str) -> Link:
    """Return the address of a place in the same page."""
    return Link(f"#{name}")


def tag(name: str, /, *children: Node, **attributes: Attribute) -> Html:
    """Make an element.

    Args:
        name: Of the element.
        children: What is in it.
        attributes: ``class_`` and ``for_`` without the underscore, ``data_x`` and ``aria_x`` with a hyphen.

    Raises:
        ValueError: An address is not a :class:`Link`.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = _attribute(key)
        if word in _ADDRESSES and not isinstance(value, Link):
            raise ValueError(f"the {word} of a {name} is not a Link: {value!r}")
        parts.append(f" {word}" if value is True else f' {word}="{_text(value)}"')
    if name in _SHAPES and not children:
        parts.append("/>")
        return Html("".join(parts))
    parts.append(">")
    if name not in _EMPTY:
        _write(children, parts)
        parts.append(f"</{name}>")
    return Html("".join(parts))


def joined(*children: Node) -> Html:
    """Put pieces one after the other."""
    parts: list[str] = []
    _write(children, parts)
    return Html("".join(parts))


def between(separator: Node, pieces: Iterable[Node]) -> Html:
    """Put pieces one after the other, with something between each two."""
    found: list[Node] = []
    for piece in pieces:
        if found:
            found.append(separator)
        found.append(piece)
    return joined(found)


def page(language: str, *children: Node) -> Html:
    """Make a whole document."""
    return Html("<!doctype html>\n" + tag("html", *children, lang=language).written)


def style(css: str) -> Html:
    """Put a style sheet of our own into a document that stands alone.

    Raises:
        ValueError: It could end the element it is in.
    """
    if "</" in css:
        raise ValueError("a style sheet holds the end of an element")
    return Html(f"<style>{css}</style>")


def standalone(drawing: Html, css: str) -> Html:
    """Make a file of a drawing: with its namespace, its size and its style."""
    begin, _, rest = drawing.written.partition(">")
    size = _SIZE.search(begin)
    if not begin.startswith("<svg ") or size is None:
        raise ValueError("this is no drawing with a viewBox")
    room = f'width="{size[1]}" height="{size[2]}"'
    name = 'xmlns="http://www.w3.org/2000/svg"'
    return Html(f"<svg {name} {room} {begin.removeprefix('<svg ')}>{style(css).written}{rest}")


def _write(children: Sequence[Node], parts: list[str]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child.written)
        elif isinstance(child, str | int | float):
            parts.append(_text(child))
        else:
            _write(child, parts)


def _text(value: str | float | bool) -> str:
    return escape(visible(str(value)))


def _attribute(key: str) -> str:
    word = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(word):
        raise ValueError(f"{key!r} is no name of an attribute")
    return word
