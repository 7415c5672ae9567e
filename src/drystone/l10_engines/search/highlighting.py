"""Marks what was sought in the texts that were found."""

from __future__ import annotations

import html
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from drystone.l10_engines.search import analysis
from drystone.l10_engines.search.errors import illegal, not_offered, unreadable
from drystone.l10_engines.search.mapping import Field
from drystone.l10_engines.search.scope import Scope, Sought
from drystone.l10_engines.search.source import values_at

_KNOWN = {
    "pre_tags",
    "post_tags",
    "fragment_size",
    "number_of_fragments",
    "require_field_match",
    "type",
    "encoder",
    "no_match_size",
    "order",
}
_LONGEST = 1_000_000


class Marking(msgspec.Struct, frozen=True):
    """How one field is marked.

    Attributes:
        field: Which one.
        sought: What is marked.
        before: Stands before it.
        after: Stands after it.
        size: Characters of a piece of text.
        pieces: How many of them; 0 for the whole text.
        no_match: Characters of the text that are given when nothing is to be marked in it.
        is_html: Whether the text is escaped for a page.
    """

    field: Field
    sought: frozenset[Sought]
    before: str
    after: str
    size: int
    pieces: int
    no_match: int
    is_html: bool


def markings(scope: Scope, said: Any) -> list[Marking]:
    """Read what is to be marked.

    Args:
        scope: With what was sought.
        said: The value of ``highlight``.

    Raises:
        Refused: It cannot be read, or asks for what is not offered.
    """
    if not isinstance(said, dict) or not isinstance(said.get("fields"), dict | list):
        raise unreadable("[highlight] has [fields]")
    fields = said["fields"]
    if isinstance(fields, list):
        fields = {name: more for one in fields for name, more in one.items()}
    common = {key: value for key, value in said.items() if key != "fields"}
    found = []
    for name, more in fields.items():
        options = {**common, **more}
        for key in options.keys() - _KNOWN:
            raise not_offered(f"[{key}] of a highlight")
        if options.get("type", "unified") not in ("unified", "plain"):
            raise not_offered(f"[type: {options['type']}] of a highlight")
        for path, field in scope.fields.items():
            if field.type in ("text", "keyword") and fnmatchcase(path, name):
                found.append(_marking(scope, field, options))
    return found


def _marking(scope: Scope, field: Field, options: dict[str, Any]) -> Marking:
    if options.get("require_field_match", True):
        sought = scope.sought.get(field.path, set())
    else:
        sought = set().union(*scope.sought.values())
    size, pieces = options.get("fragment_size", 100), options.get("number_of_fragments", 5)
    no_match = options.get("no_match_size", 0)
    if not all(isinstance(n, int) and 0 <= n <= _LONGEST for n in (size, pieces, no_match)):
        raise illegal("fragment_size, number_of_fragments and no_match_size are numbers")
    before, after = options.get("pre_tags", ["<em>"]), options.get("post_tags", ["</em>"])
    first = [one[0] if isinstance(one, list) and one else one for one in (before, after)]
    return Marking(
        field,
        frozenset(sought),
        str(first[0]),
        str(first[1]),
        size or _LONGEST,
        pieces,
        no_match,
        options.get("encoder") == "html",
    )


def marked(marking: Marking, source: dict[str, Any]) -> list[str]:
    """Return pieces of a document's text with marks.

    Args:
        marking: How.
        source: The document.
    """
    found: list[tuple[int, str]] = []
    name = "keyword" if marking.field.type == "keyword" else marking.field.analyzer
    words = {sought.word for sought in marking.sought if not sought.is_prefix}
    prefixes = tuple(sought.word for sought in marking.sought if sought.is_prefix)
    texts = [str(value)[:_LONGEST] for value in _values(marking.field, source)]
    for text in texts:
        places = [
            (start, end)
            for word, start, end in analysis.places(name, text)
            if word in words or word.startswith(prefixes)
        ]
        if places:
            found += _pieces(marking, text, places)
    if not found:
        return (
            [_escaped(marking, texts[0][: marking.no_match])] if texts and marking.no_match else []
        )
    if not marking.pieces:
        return [piece for _, piece in found]
    found.sort(key=lambda pair: -pair[0])
    return [piece for _, piece in found[: marking.pieces]]


def _values(field: Field, source: dict[str, Any]) -> list[Any]:
    found = values_at(source, field.path)
    return found or values_at(source, field.path.rpartition(".")[0])


def _pieces(marking: Marking, text: str, places: list[tuple[int, int]]) -> list[tuple[int, str]]:
    if not marking.pieces:
        return [(len(places), _with_marks(marking, text, 0, len(text), places))]
    found, rest = [], places
    while rest:
        start = max(0, rest[0][0] - marking.size // 4)
        while start > 0 and text[start - 1].isalnum():
            start -= 1
        end = min(len(text), start + marking.size)
        end = max(end, rest[0][1])
        while end < len(text) and text[end].isalnum() and end < start + marking.size + 50:
            end += 1
        inside = [place for place in rest if place[1] <= end]
        rest = rest[max(1, len(inside)) :]
        found.append((len(inside), _with_marks(marking, text, start, end, inside).strip()))
    return found


def _with_marks(
    marking: Marking, text: str, start: int, end: int, places: list[tuple[int, int]]
) -> str:
    parts, last = [], start
    for begin, stop in places:
        parts.append(_escaped(marking, text[last:begin]))
        parts.append(f"{marking.before}{_escaped(marking, text[begin:stop])}{marking.after}")
        last = stop
    return "".join(parts) + _escaped(marking, text[last:end])


def _escaped(marking: Marking, text: str) -> str:
    return html.escape(text) if marking.is_html else text
