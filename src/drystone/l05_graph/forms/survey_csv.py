"""The survey as two tables, for those who keep it in a spreadsheet: one of dependencies, one of components.

The first line names the columns, in any order; :data:`DEPENDENCY_COLUMNS` and :data:`COMPONENT_COLUMNS` are all there are.
Columns are divided by comma, semicolon or tab, whichever the first line has most of. An empty cell says nothing. Several
values in one cell are divided by ``|``. A group of alternatives is declared by its dependencies: ``group`` is its name and
``at_least`` how many of it are needed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Span
from drystone.l05_graph.errors import Mistake
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY, Attribute, Block, Several
from drystone.l05_graph.forms.blocks import Notes
from drystone.l05_graph.forms.parts import Parts
from drystone.l05_graph.forms.survey import said_of
from drystone.l05_graph.forms.survey_text import scalar
from drystone.l05_graph.forms.values import Unfit, text, whole
from drystone.l05_graph.model import Component, Dependency, Group, Model

MOST_BYTES = 256 * 1024 * 1024
MOST_LINES = 2_000_000
MOST_MISTAKES = 1000
"""So many are told; a file with more is probably no survey."""


class Tables(NamedTuple):
    """A model as two tables."""

    dependencies: str
    components: str


class Column(NamedTuple):
    """A column: the attribute that it belongs to, the part of it, and what reads a cell."""

    attribute: str
    part: str | None
    parse: Callable[[str], Any]


def _columns(table: Mapping[str, Attribute]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, attribute in table.items():
        if isinstance(attribute, Block):
            for part, single in attribute.parts.items():
                found[f"{name}_{part}"] = Column(name, part, single.parse)
        elif isinstance(attribute, Several):
            found[name] = Column(name, None, _several(attribute))
        else:
            found[name] = Column(name, None, attribute.parse)
    return found


def _several(attribute: Several) -> Callable[[str], Any]:
    def read(cell: str) -> Any:
        parts = _split(cell)
        return attribute.gather([attribute.parse(part) for part in parts])

    return read


def _split(cell: str) -> list[str]:
    """Divide at a bar; a backslash before a bar or a backslash takes its meaning away."""
    parts, escaped = [""], False
    for char in cell:
        if not escaped and char == "\\":
            escaped = True
        elif not escaped and char == "|":
            parts.append("")
        else:
            parts[-1] += char
            escaped = False
    return parts


DEPENDENCY_COLUMNS = {
    "source": Column("source", None, text),
    "target": Column("target", None, text),
    **_columns(DEPENDENCY),
    "at_least": Column("at_least", None, whole),
}
COMPONENT_COLUMNS = {"name": Column("name", None, text), **_columns(COMPONENT)}
_ALSO = {"from": "source", "to": "target", "component": "name", "service": "name"}


def read(
    dependencies: str | bytes,
    components: str | bytes | None = None,
    *,
    files: tuple[str, str] = ("dependencies.csv", "components.csv"),
    title: str = "",
) -> Model:
    """Read a survey from its tables.

    Args:
        dependencies: The table of dependencies.
        components: That of components; without it, whatever a dependency names is one.
        files: What to call the two in messages.
        title: Of the model.

    Raises:
        ModelInvalid: There are mistakes; each has its file and line.
    """
    return parts(dependencies, components, files=files, title=title).model()


def parts(
    dependencies: str | bytes | None,
    components: str | bytes | None = None,
    *,
    files: tuple[str, str] = ("dependencies.csv", "components.csv"),
    title: str = "",
) -> Parts:
    """Read what the tables say, with the places and the mistakes of them; see :func:`read`."""
    notes = [Notes(file) for file in files]
    found = Parts(title=title)
    of_components = _Table(COMPONENT_COLUMNS, COMPONENT, ("name",), notes[1])
    of_dependencies = _Table(DEPENDENCY_COLUMNS, DEPENDENCY, ("source", "target"), notes[0])
    for line, values in _rows(components, of_components):
        component = Component(**values)
        found.components.append(component)
        found.places[id(component)] = f"{files[1]}:{line}"
    groups: dict[tuple[str, str], Group] = {}
    for line, values in _rows(dependencies, of_dependencies):
        at_least = values.pop("at_least", None)
        one = Dependency(**values)
        found.dependencies.append(one)
        found.places[id(one)] = f"{files[0]}:{line}"
        _group(one, at_least, groups, notes[0], line)
    found.groups += groups.values()
    found.places.update({id(group): files[0] for group in found.groups})
    if components is None:
        every = found.dependencies
        found.implied = dict.fromkeys(name for one in every for name in (one.source, one.target))
    found.mistakes = [*notes[1].mistakes, *notes[0].mistakes]
    found.is_whole = not found.mistakes
    return found


def _group(
    one: Dependency,
    at_least: int | None,
    groups: dict[tuple[str, str], Group],
    notes: Notes,
    line: int,
) -> None:
    what = f"{one.source} → {one.target}"
    if one.group is None:
        if at_least is not None:
            _note(notes, line, f"{what} says at_least and no group; name the group")
        return
    key = (one.source, one.group)
    known = groups.get(key)
    group = Group(
        component=one.source, name=one.group, at_least=1 if at_least is None else at_least
    )
    if known is None:
        groups[key] = group
    elif at_least is not None and known.at_least != at_least:
        _note(
            notes,
            line,
            f"{what}: of the group {one.group!r}, {at_least} are needed here and {known.at_least}"
            " above; write the same in all of its lines",
        )


def _note(notes: Notes, line: int, message: str) -> None:
    notes.mistakes.append(Mistake(message, f"{notes.file}:{line}"))


class _Table(NamedTuple):
    """What a table is read by."""

    columns: Mapping[str, Column]
    attributes: Mapping[str, Attribute]
    required: tuple[str, ...]
    notes: Notes


def _rows(written: str | bytes | None, table: _Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read a table: the line and the attributes of each row that has no mistake."""
    notes = table.notes
    decoded = None if written is None else _decoded(written, notes)
    if decoded is None:
        return
    first = decoded[: decoded.find("\n") + 1 or None]
    divider = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(decoded, newline=""), delimiter=divider, strict=True)
    try:
        header = _header(next(filter(any, rows), []), table, rows.line_num)
        cells: dict[tuple[int, str], Any] = {}
        for row in rows if header else ():
            values = _row(row, header, cells, table, rows.line_num) if any(row) else None
            if values is not None:
                yield rows.line_num, values
            if len(notes.mistakes) >= MOST_MISTAKES:
                _note(notes, rows.line_num, "too many mistakes; what follows was not read")
                return
            if rows.line_num > MOST_LINES:
                _note(notes, rows.line_num, f"there are more than {MOST_LINES:,} lines; divide it")
                return
    except csv.Error as error:
        _note(notes, rows.line_num, f"{error}; look for a quotation mark without its partner")


def _decoded(written: str | bytes, notes: Notes) -> str | None:
    if len(written) > MOST_BYTES:
        _note(notes, 1, f"the file has {len(written):,} bytes; at most {MOST_BYTES:,} are read")
        return None
    if isinstance(written, bytes):
        try:
            written = written.decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            _note(notes, line, "the file is not UTF-8 here; save it as UTF-8")
            return None
    if "\0" in written:
        line = written.count("\n", 0, written.index("\0")) + 1
        _note(notes, line, "a NUL byte stands here; is this a text file?")
        return None
    return written.removeprefix("\ufeff")


def _header(row: list[str], table: _Table, line: int) -> list[Column | None]:
    """Return the column of each cell, None for one without a name; nothing when a name is wrong."""
    notes, columns = table.notes, table.columns
    if not row:
        _note(notes, 1, f"the table is empty; begin with a line such as {','.join(table.required)}")
        return []
    names = ["_".join(name.strip().lower().replace("-", " ").split()) for name in row]
    names = [_ALSO.get(name, name) if name not in columns else name for name in names]
    before = len(notes.mistakes)
    for place, name in enumerate(names):
        if name and name not in columns:
            notes.unknown(Span(line, place + 1, line, place + 2), name, columns, "the table")
        elif name and name in names[:place]:
            _note(notes, line, f"the column {name!r} stands twice; remove one")
    for name in table.required:
        if name not in names and len(notes.mistakes) == before:
            _note(notes, line, f"the table has no column {name!r}; name it in the first line")
    return [columns.get(name) for name in names] if len(notes.mistakes) == before else []


def _row(
    row: list[str],
    header: list[Column | None],
    cells: dict[tuple[int, str], Any],
    table: _Table,
    line: int,
) -> dict[str, Any] | None:
    """Read a row; ``cells`` keeps what a cell was read as, because most are there many times."""
    notes = table.notes
    if len(row) != len(header):
        _note(notes, line, f"{len(row)} of {len(header)} columns are there; was the line cut?")
        return None
    found: dict[str, Any] = {}
    blocks: dict[str, dict[str, Any]] = {}
    before = len(notes.mistakes)
    for number, (cell, column) in enumerate(zip(row, header, strict=True)):
        if not cell:
            continue
        value = cells.get((number, cell), _UNREAD)
        if value is _UNREAD:
            value = cells[number, cell] = _cell(cell, column, notes, line)
        if column is None or value is _UNREAD:
            continue
        if column.part is None:
            found[column.attribute] = value
        else:
            blocks.setdefault(column.attribute, {})[column.part] = value
    for name in table.required:
        if name not in found:
            _note(notes, line, f"the cell of {name} is empty; write a name")
    for name, parts in blocks.items():
        found[name] = _block(name, parts, table, line)
    return found if len(notes.mistakes) == before else None


def _cell(cell: str, column: Column | None, notes: Notes, line: int) -> Any:
    if column is None:
        _note(notes, line, f"{quoted(cell)} stands in a column without a name; name the column")
        return _UNREAD
    try:
        return column.parse(cell)
    except Unfit as unfit:
        _note(notes, line, f"{column.attribute}: {unfit}")
        return _UNREAD


_UNREAD = object()


def _block(name: str, parts: dict[str, Any], table: _Table, line: int) -> Any:
    block, notes = table.attributes[name], table.notes
    assert isinstance(block, Block)  # noqa: S101 - columns with parts are made of blocks alone
    missing = [part for part in block.required if part not in parts]
    if missing:
        _note(
            notes, line, f"{name} does not say {' and '.join(missing)}; fill in {name}_{missing[0]}"
        )
        return None
    return block.make(**parts)


def dump(model: Model) -> Tables:
    """Write a model as two tables that :func:`read` takes; columns that say nothing are left out."""
    at_least = {(group.component, group.name): group.at_least for group in model.groups}
    dependencies = []
    for one in model.dependencies:
        row = {"source": one.source, "target": one.target, "strength": str(one.strength)}
        row.update(_cells(said_of(one, DEPENDENCY)))
        if one.group is not None:
            row["at_least"] = str(at_least[one.source, one.group])
        dependencies.append(row)
    components = [
        {"name": one.name, **dict(_cells(said_of(one, COMPONENT)))} for one in model.components
    ]
    return Tables(
        _table(dependencies, ("source", "target", "strength"), DEPENDENCY_COLUMNS),
        _table(components, ("name",), COMPONENT_COLUMNS),
    )


def _cells(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in said.items():
        if isinstance(value, tuple):
            escaped = (str(item).replace("\\", "\\\\").replace("|", "\\|") for item in value)
            yield name, "|".join(escaped)
        elif hasattr(value, "__struct_fields__"):
            for part in value.__struct_fields__:
                inner = getattr(value, part)
                yield f"{name}_{part}", inner if isinstance(inner, str) else scalar(inner)
        else:
            yield name, value if isinstance(value, str) else scalar(value)


def _table(
    rows: list[dict[str, str]], always: tuple[str, ...], columns: Mapping[str, Column]
) -> str:
    used = {name for row in rows for name in row} | set(always)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [name for name in columns if name in used], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
