"""From bytes to characters."""

from __future__ import annotations

import codecs

from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import Span
from drystone.l00_kernel.yaml_text.unreadable import Unreadable, place_after


def decode(text: str | bytes, subject: Subject) -> str:
    """Return the characters of a text.

    Raises:
        Unreadable: It is too large, or not UTF-8.
    """
    start = Span(1, 1, 1, 2)
    size = len(text)
    if size > subject.most_bytes:
        raise Unreadable(
            f"the file has {size:,} bytes; a {subject.name} has at most {subject.most_bytes:,}",
            start,
            subject.too_large,
        )
    if isinstance(text, bytes):
        text = _utf8(text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(
            "half of a character stands here", place_after(text[: error.start])
        ) from error
    if "\x00" in text:
        place = place_after(text[: text.index("\x00")])
        raise Unreadable("a NUL byte stands here", place, "is this a text file?")
    return text.removeprefix("\ufeff")


def shown(text: str | bytes, subject: Subject) -> str:
    """Give what can be shown of a text that may be too large or broken."""
    if len(text) > subject.most_bytes:
        return ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def _utf8(text: bytes) -> str:
    for mark, name in _MARKS:
        if text.startswith(mark):
            raise Unreadable(f"the file is {name}", Span(1, 1, 1, 2), "save it as UTF-8")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        place = place_after(text[: error.start].decode("utf-8"))
        help_ = "save it as UTF-8; it may be Latin-1 (ISO 8859-1) or Windows-1252"
        raise Unreadable("the file is not UTF-8 here", place, help_) from error
