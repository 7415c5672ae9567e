"""Fields that a request has and its types do not.

A result may carry fields that an older client does not know; it passes over them. A request is different:
a field that is passed over is a wish that is not granted, mostly a slip of the pen. msgspec refuses unknown
fields only in types that say so, and the same type serves requests and results, so requests are searched here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect

Search: TypeAlias = Callable[[Any, str], Iterator[str]]
"""Given a decoded JSON value and its place (``$.source``), yields the places of unknown fields."""


@functools.cache
def finder(arguments: type[msgspec.Struct]) -> Search | None:
    """Return the search for a call's arguments; None where no argument can hold a nested object.

    The arguments themselves refuse unknown names, so that only what they contain needs a search.
    """
    made: dict[int, Search | None] = {}
    info = inspect.type_info(arguments)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{arguments.__name__} is not a Struct")
    inner = {f.encode_name: _search(f.type, made) for f in info.fields}
    return _in_fields(inner) if any(inner.values()) else None


def _search(info: inspect.Type, made: dict[int, Search | None]) -> Search | None:
    """Return the search for one type; None where nothing in it can be unknown."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)):
        return _in_object(info, made)
    if isinstance(info, inspect.UnionType):
        return _in_union(info, made)
    if isinstance(info, inspect.DictType):
        return _in_each(_search(info.value_type, made), mapping=True)
    if isinstance(info, (inspect.ListType, inspect.VarTupleType, inspect.SetType)):
        return _in_each(_search(info.item_type, made), mapping=False)
    if isinstance(info, inspect.TupleType):
        return _in_order([_search(item, made) for item in info.item_types])
    return None


def _in_object(
    info: inspect.StructType | inspect.DataclassType | inspect.TypedDictType,
    made: dict[int, Search | None],
) -> Search:
    """Search an object and what is in it; a type that contains itself finds its own search."""
    if found := made.get(id(info)):
        return found
    inner: dict[str, Search | None] = {}
    tag = info.tag_field if isinstance(info, inspect.StructType) else None
    inside = _in_fields(inner)

    def search(value: Any, place: str) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (f"{place}.{name}" for name in value if name not in inner and name != tag)
            yield from inside(value, place)

    made[id(info)] = search
    inner.update((f.encode_name, _search(f.type, made)) for f in info.fields)
    return search


def _in_fields(inner: dict[str, Search | None]) -> Search:
    def search(value: Any, place: str) -> Iterator[str]:
        for name, content in value.items():
            if further := inner.get(name):
                yield from further(content, f"{place}.{name}")

    return search


def _in_union(info: inspect.UnionType, made: dict[int, Search | None]) -> Search | None:
    """Search the member that the value is: objects by their tag, anything else by trying each in turn."""
    tagged: dict[Any, Search] = {}
    plain: list[Search] = []
    field = ""
    for member in info.types:
        if (search := _search(member, made)) is None:
            continue
        if isinstance(member, inspect.StructType) and member.tag_field is not None:
            tagged[member.tag], field = search, member.tag_field
        else:
            plain.append(search)
    if not tagged and not plain:
        return None

    def search_member(value: Any, place: str) -> Iterator[str]:
        if tagged and isinstance(value, dict):
            yield from tagged[value[field]](value, place)
        else:
            for search in plain:
                yield from search(value, place)

    return search_member


def _in_each(item: Search | None, *, mapping: bool) -> Search | None:
    if item is None:
        return None

    def search(value: Any, place: str) -> Iterator[str]:
        if isinstance(value, dict) and mapping:
            for name, content in value.items():
                yield from item(content, f"{place}.{name}")
        elif isinstance(value, list) and not mapping:
            for number, content in enumerate(value):
                yield from item(content, f"{place}[{number}]")

    return search


def _in_order(items: list[Search | None]) -> Search | None:
    if not any(items):
        return None

    def search(value: Any, place: str) -> Iterator[str]:
        if isinstance(value, list):
            for number, (item, content) in enumerate(zip(items, value, strict=False)):
                if item:
                    yield from item(content, f"{place}[{number}]")

    return search
