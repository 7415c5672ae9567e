"""Annotations of the schema, compiled into shapes."""

from __future__ import annotations

import functools
import types
import typing
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from typing_extensions import override

from drystone.l00_kernel.yaml_text.problems import nearest, one_of, quoted
from drystone.l00_kernel.yaml_text.tree import Entry, Mapping, Node, Path, Scalar, Span, dotted
from drystone.l25_deployer.descriptor.block import Block
from drystone.l25_deployer.descriptor.forms import Choice, Form, Truth
from drystone.l25_deployer.descriptor.shapes import (
    BROKEN,
    Broken,
    Either,
    Field,
    Free,
    Listed,
    Named,
    Run,
    Shape,
    Single,
)


class Keyed(Shape):
    """A mapping with known keys."""

    def __init__(self, block: type[Block]) -> None:
        self.block = block
        short = [self.fields[key].shape.kinds for key in block.SHORT]
        self.kinds = frozenset(["mapping"]).union(*short)

    @functools.cached_property
    def fields(self) -> dict[str, Field]:
        """The keys, in the order of the block."""
        return fields_of(self.block)

    @property
    @override
    def expected(self) -> str:
        if not self.block.SHORT:
            return "a mapping"
        return f"a mapping or {self.fields[self.block.SHORT[0]].shape.expected}"

    @override
    def child(self, key: str, node: Node) -> Shape | None:
        field = self.fields.get(key)
        return field.shape if field else None

    @override
    def expand(self, node: Node) -> Node:
        if isinstance(node, Mapping) or not self.block.SHORT:
            return node
        return Mapping(node.span, {key: Entry(node.span, node) for key in self.block.SHORT})

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        if isinstance(node, Scalar) and node.value is None and not self.block.SHORT:
            node = Mapping(node.span)
        if not isinstance(node, Mapping):
            return self._short(node, path, run)
        return self._mapping(node, path, run)

    def _short(self, node: Node, path: Path, run: Run) -> object:
        wanted = "scalar" if isinstance(node, Scalar) else "list"
        if wanted not in self.kinds or (isinstance(node, Scalar) and node.value is None):
            return self.misfit(node, path, run)
        values: dict[str, object] = {}
        for key in self.block.SHORT:
            values[key] = run.check(self.fields[key].shape, node, path)
            if values[key] is BROKEN:
                return BROKEN
        missing = [f.name for f in self.fields.values() if f.required and f.name not in values]
        if missing:
            return run.problem(
                node.span, f"{dotted(path)} needs {one_of(missing)} too", "write it as a mapping"
            )
        return self._build(values, node.span, path, run, None)

    def _mapping(self, node: Mapping, path: Path, run: Run) -> object:
        values: dict[str, object] = {}
        meant: set[str] = set()
        for key, entry in node.entries.items():
            field = self.fields.get(key)
            if field is not None:
                values[key] = self._value(field, entry, (*path, key), run)
            elif not key.startswith("x-") and not self._is_tag(key):
                values[key] = self._unknown(key, node, path, run, meant)
        self._missing(node, path, run, values, meant)
        self._choices(node, path, run, values)
        if any(value is BROKEN for value in values.values()):
            return BROKEN
        return self._build(values, node.span, path, run, node)

    def _is_tag(self, key: str) -> bool:
        return key == self.block.__struct_config__.tag_field

    def _value(self, field: Field, entry: Entry, path: Path, run: Run) -> object:
        node = entry.node
        if isinstance(node, Scalar) and node.value is None:
            if not field.required and (field.nullable or "scalar" not in field.shape.kinds):
                return field.default
            return run.problem(
                entry.key,
                f"{dotted(path)} is empty; expected {field.shape.expected}",
                "give it a value or remove it",
            )
        return run.check(field.shape, node, path)

    def _unknown(self, key: str, node: Mapping, path: Path, run: Run, meant: set[str]) -> Broken:
        where = f" in {dotted(path)}" if path else ""
        if run.is_full:
            return BROKEN
        tag_field = self.block.__struct_config__.tag_field
        known = [*self.fields, *([tag_field] if tag_field else [])]
        near = nearest(key, known, self.block.ALSO_CALLED)
        inside = next(
            (
                name
                for name, field in self.fields.items()
                if isinstance(field.shape, Keyed) and key in field.shape.fields
            ),
            None,
        )
        if near in node.entries:
            help_ = f"'{near}' is there already; remove this one"
        elif near:
            meant.add(near)
            help_ = f"did you mean {quoted(near)}?" if " " not in near else near
        elif inside:
            help_ = f"'{key}' belongs under '{inside}'"
        else:
            help_ = f"known here: {', '.join(known)}; keys that start with x- are yours"
        return run.problem(node.entries[key].key, f"unknown key {quoted(key)}{where}", help_)

    def _missing(
        self, node: Mapping, path: Path, run: Run, values: dict[str, object], meant: set[str]
    ) -> None:
        for name, field in self.fields.items():
            if field.required and name not in node.entries and name not in meant:
                where = f" from {dotted(path)}" if path else ""
                if name in node.removed:
                    values[name] = run.problem(
                        node.removed[name],
                        f"'{name}' is removed{where}, but it is needed",
                        "give it a value",
                    )
                    continue
                values[name] = run.problem(
                    _start(node),
                    f"'{name}' is missing{where}",
                    f"add '{name}: …', {field.shape.expected}",
                )

    def _choices(self, node: Mapping, path: Path, run: Run, values: dict[str, object]) -> None:
        for group in self.block.EXACTLY_ONE:
            there = [
                key for key in group if key in node.entries and not _is_null(node.entries[key].node)
            ]
            where = dotted(path) or "the descriptor"
            if not there:
                values[group[0]] = run.problem(
                    _start(node), f"{where} needs exactly one of {one_of(group)}"
                )
            elif len(there) > 1:
                extra = node.entries[there[1]]
                first = node.entries[there[0]].key.line
                values[group[0]] = run.problem(
                    extra.key,
                    f"{where} has '{there[0]}' (line {first}) and '{there[1]}'; exactly one of {one_of(group)} is allowed",
                    f"remove '{there[0]}' or '{there[1]}'",
                )

    def _build(
        self, values: dict[str, object], span: Span, path: Path, run: Run, node: Mapping | None
    ) -> object:
        built = self.block(**values)
        rules = list(built.mistakes())
        for rule in rules:
            entry = node.entries.get(rule.key) if node is not None else None
            place = (
                entry.node.span if entry is not None else _start(node) if node is not None else span
            )
            where = f"{dotted(path)}: " if path else ""
            run.problem(place, f"{where}{rule.message}", rule.help)
        return BROKEN if rules else built


class Tagged(Shape):
    """A mapping whose key ``type`` tells which block it is."""

    kinds = frozenset(["mapping"])

    def __init__(self, blocks: tuple[type[Block], ...]) -> None:
        self.shapes = {tag: Keyed(block) for block in blocks for tag in tags_of(block)}
        self.synonyms = blocks[0].__mro__[1].__dict__.get("TYPES_ALSO_CALLED", {})

    @property
    @override
    def expected(self) -> str:
        return "a mapping with a type, such as {type: postgres}"

    @override
    def child(self, key: str, node: Node) -> Shape | None:
        chosen = self.chosen(node)
        return chosen.child(key, node) if chosen else None

    def chosen(self, node: Node) -> Keyed | None:
        """Choose the block by the type that is written."""
        entry = node.entries.get("type") if isinstance(node, Mapping) else None
        tag = entry.node.text if entry is not None and isinstance(entry.node, Scalar) else None
        return self.shapes.get(tag) if tag is not None else None

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        if isinstance(node, Scalar) and node.text in self.shapes:
            return run.problem(
                node.span,
                f"{dotted(path)}: expected a mapping",
                f"write it as {{type: {node.text}}}",
            )
        if not isinstance(node, Mapping):
            return self.misfit(node, path, run)
        chosen = self.chosen(node)
        if chosen is not None:
            return chosen.check(node, path, run)
        entry = node.entries.get("type")
        if entry is None:
            near = next((key for key in node.entries if nearest(key, ["type"])), None)
            span = node.entries[near].key if near else _start(node)
            return run.problem(
                span,
                f"'type' is missing from {dotted(path)}",
                "add 'type: postgres' or another type",
            )
        text = entry.node.text if isinstance(entry.node, Scalar) else ""
        near = nearest(text, self.shapes, self.synonyms)
        help_ = f"did you mean '{near}'?" if near else f"types are: {', '.join(self.shapes)}"
        return run.problem(
            entry.node.span, f"{dotted(path)}: unknown resource type {quoted(text)}", help_
        )


def tags_of(block: type[Block]) -> tuple[str, ...]:
    """List the types that a block stands for."""
    many = block.__dict__.get("TYPES")
    return tuple(many) if many else (str(block.__struct_config__.tag),)


def _start(node: Mapping) -> Span:
    span = node.span
    return Span(span.line, span.column, span.line, span.column + 1)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


@functools.cache
def shape_of(annotation: Any) -> Shape:
    """Compile an annotation of the schema; the same annotation gives the same shape."""
    inner, metadata = _unwrap(annotation)
    declared = next((extra for extra in metadata if isinstance(extra, (Form, Shape))), None)
    if declared is not None:
        return Single(declared) if isinstance(declared, Form) else declared
    origin, arguments = get_origin(inner), get_args(inner)
    if origin is Literal:
        return Single(Choice(arguments))
    if origin in (Union, types.UnionType):
        return _union(tuple(option for option in arguments if option is not type(None)))
    if origin is tuple:
        return Listed(shape_of(arguments[0]))
    if origin is dict:
        return _named(*arguments)
    return _plain(inner)


def _union(options: tuple[Any, ...]) -> Shape:
    if len(options) == 1:
        return shape_of(options[0])
    if all(isinstance(option, type) and issubclass(option, Block) for option in options):
        return Tagged(options)
    return Either(tuple(shape_of(option) for option in options))


def _named(key: Any, value: Any) -> Shape:
    names = shape_of(key)
    assert isinstance(names, Single)  # noqa: S101 - the schema itself says so
    is_header = names.form.title == "header"
    return Named(names.form, shape_of(value), nullable=_is_nullable(value), notes=not is_header)


def _plain(inner: Any) -> Shape:
    if inner is Any:
        return Free()
    return Single(Truth()) if inner is bool else Keyed(inner)


def fields_of(block: type[Block]) -> dict[str, Field]:
    """Compile the keys of a block."""
    hints = typing.get_type_hints(block, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(block):
        annotation = hints[field.name]
        _, metadata = _unwrap(annotation)
        default = (
            field.default_factory()
            if field.default_factory is not msgspec.NODEFAULT
            else field.default
        )
        found[field.name] = Field(
            name=field.name,
            shape=shape_of(annotation),
            doc=next((extra for extra in metadata if isinstance(extra, str)), ""),
            required=field.required,
            nullable=_is_nullable(annotation),
            default=None if default is msgspec.NODEFAULT else default,
        )
    return found


def _unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        deeper, more = _unwrap(inner)
        return deeper, (*metadata, *more)
    return annotation, ()


def _is_nullable(annotation: Any) -> bool:
    inner, _ = _unwrap(annotation)
    return type(None) in get_args(inner)
