"""The inventory of endpoints as text: YAML, or a table.

.. code-block:: yaml

    endpoints:
      10.0.0.5: shop
      10.1.0.0/16: batch
      eni-0a1b2c3d: users
      users.internal: users
      "*.s3.amazonaws.com": s3
      users-api: {component: users, known: name}
      10.0.0.9:
        - {component: mail, until: 2026-03-01}
        - {component: search, since: 2026-03-01}

A table has the columns ``endpoint`` and ``component``, and may have ``known``, ``since`` and ``until``. By what something is
known is guessed from how it looks (:func:`guessed`) unless it is said.
"""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l05_graph.errors import Mistake, ModelInvalid
from drystone.l05_graph.forms.attributes import Single
from drystone.l05_graph.forms.blocks import Notes, attributes, complete
from drystone.l05_graph.forms.parts import in_order
from drystone.l05_graph.forms.survey import document
from drystone.l05_graph.forms.values import Unfit, moment, text, word
from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known, plain

ENDPOINTS = Subject(
    name="inventory",
    begin="begin with 'endpoints:' and lines such as '  10.0.0.5: shop'",
    too_large="write it as a table (CSV), which may be larger",
    most_bytes=32 * 1024 * 1024,
    most_values=2_000_000,
)
MOST_BYTES = 256 * 1024 * 1024
MOST_MISTAKES = 1000

_ATTRIBUTES: Mapping[str, Single] = {
    "component": Single(text),
    "known": Single(word(Known)),
    "since": Single(moment),
    "until": Single(moment),
}
_COLUMNS = ("endpoint", *_ATTRIBUTES)


def read(written: str | bytes, *, file: str = "endpoints.yaml") -> Endpoints:
    """Read an inventory; a table where the file's name ends with ``.csv``.

    Raises:
        ModelInvalid: It has mistakes; all of them are in it, each with its place.
    """
    notes = Notes(file)
    found = list(
        _table(written, notes) if file.lower().endswith(".csv") else _document(written, notes)
    )
    mistakes = [*notes.mistakes, *_contradictions(found)]
    if mistakes:
        raise ModelInvalid(in_order(mistakes))
    return Endpoints(tuple(one for one, _ in found))


def guessed(value: str) -> Known:
    """Guess by what something is known.

    An address or network is an ``ip``, what begins with ``eni-`` an ``eni``, what ends with ``.log`` a ``file``, another
    text with a dot in it a ``dns``, and the rest a ``name``.
    """
    if _is_network(value):
        return Known.IP
    if value.startswith("eni-"):
        return Known.ENI
    if value.endswith((".log", ".log.gz")):
        return Known.FILE
    return Known.DNS if "." in value else Known.NAME


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _document(written: str | bytes, notes: Notes) -> Iterator[tuple[Endpoint, str]]:
    root = document(written, notes, ENDPOINTS)
    if root is None:
        return
    attributes(root.entries, {}, notes, "the inventory", ("endpoints",))
    entry = root.entries.get("endpoints")
    if entry is None:
        notes.add(root.span, "the inventory has no endpoints; begin with 'endpoints:'")
        return
    for value, one in notes.mapping(entry.node, "endpoints").items():
        items = one.node.items if isinstance(one.node, tree.Sequence) else [one.node]
        for item in items:
            place = item.span if len(items) > 1 else one.key
            found = _made(value, _said(value, item, notes), place, notes)
            if found is not None:
                yield found, notes.place(place)


def _said(value: str, node: tree.Node, notes: Notes) -> dict[str, Any]:
    if isinstance(node, tree.Mapping):
        return complete(attributes(node.entries, _ATTRIBUTES, notes, value), {})
    one = {"component": tree.Entry(node.span, node)}
    return complete(attributes(one, _ATTRIBUTES, notes, value), {})


def _made(value: str, said: dict[str, Any], span: tree.Span, notes: Notes) -> Endpoint | None:
    if not str(said.get("component", "")).strip():
        notes.add(span, f"{value} does not say whose it is; write a component behind it")
        return None
    found = Endpoint(value=value, known=said.pop("known", guessed(value)), **said)
    if found.known is Known.IP and not _is_network(value):
        notes.add(span, f"{value} is no address and no network such as 10.1.0.0/16")
    elif found.since and found.until and found.since >= found.until:
        notes.add(span, f"{value} belongs to {found.component} until before it begins")
    else:
        return found
    return None


def _contradictions(found: list[tuple[Endpoint, str]]) -> Iterator[Mistake]:
    """Find times in which one endpoint belongs to two components."""
    by_value: dict[tuple[Known, str], list[tuple[float, float, Endpoint, str]]] = {}
    for one, place in found:
        began = float("-inf") if one.since is None else one.since.timestamp()
        ended = float("inf") if one.until is None else one.until.timestamp()
        key = (one.known, plain(one.known, one.value))
        by_value.setdefault(key, []).append((began, ended, one, place))
    for every in by_value.values():
        every.sort(key=lambda span: span[:2])
        for (_, ended, one, _), (began, _, other, place) in pairwise(every):
            if began < ended and one.component != other.component:
                yield Mistake(
                    f"{other.value} belongs to {one.component} and to {other.component} at the same time;"
                    " say since when and until when",
                    place,
                )


def _table(written: str | bytes, notes: Notes) -> Iterator[tuple[Endpoint, str]]:
    decoded = _decoded(written, notes)
    divider = max(",;\t", key=decoded[: decoded.find("\n") + 1 or None].count)
    rows = csv.reader(io.StringIO(decoded, newline=""), delimiter=divider, strict=True)
    try:
        header = [name.strip().lower() for name in next(filter(any, rows), [])]
        if not _is_header(header, notes):
            return
        for row in rows:
            span = tree.Span(rows.line_num, 1, rows.line_num, 2)
            found = _row(row, header, span, notes) if any(row) else None
            if found is not None:
                yield found, f"{notes.file}:{rows.line_num}"
            if len(notes.mistakes) >= MOST_MISTAKES:
                notes.add(span, "too many mistakes; what follows was not read")
                return
    except csv.Error as error:
        line = rows.line_num
        notes.add(
            tree.Span(line, 1, line, 2), f"{error}; look for a quotation mark without partner"
        )


def _decoded(written: str | bytes, notes: Notes) -> str:
    start = tree.Span(1, 1, 1, 2)
    if len(written) > MOST_BYTES:
        notes.add(start, f"the table has {len(written):,} bytes; at most {MOST_BYTES:,} are read")
        return ""
    if isinstance(written, bytes):
        try:
            written = written.decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            notes.add(tree.Span(line, 1, line, 2), "the file is not UTF-8 here; save it as UTF-8")
            return ""
    if "\0" in written:
        notes.add(start, "the table has NUL bytes; it is UTF-16 or no text: save it as UTF-8")
        return ""
    return written.removeprefix("\ufeff")


def _is_header(header: list[str], notes: Notes) -> bool:
    span = tree.Span(1, 1, 1, 2)
    for name in header:
        if name not in _COLUMNS:
            notes.unknown(span, name, _COLUMNS, "the table")
    for name in ("endpoint", "component"):
        if header.count(name) != 1 and not notes.mistakes:
            notes.add(span, f"the first line does not name the column {name!r} once")
    return not notes.mistakes


def _row(row: list[str], header: list[str], span: tree.Span, notes: Notes) -> Endpoint | None:
    if len(row) != len(header):
        notes.add(span, f"{len(row)} of {len(header)} columns are there; was the line cut?")
        return None
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}
    value = cells.pop("endpoint", "")
    if not value:
        notes.add(span, "the cell of endpoint is empty; write an address or a name")
        return None
    said: dict[str, Any] = {}
    for name, cell in cells.items():
        try:
            said[name] = _ATTRIBUTES[name].parse(cell)
        except Unfit as unfit:
            notes.add(span, f"{value}: {name}: {unfit}")
            return None
    return _made(value, said, span, notes)
