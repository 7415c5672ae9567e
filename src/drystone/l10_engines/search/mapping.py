"""Which fields the documents of an index have: what was said of them, and what is learnt from documents.

A mapping is the tree of ``properties`` as OpenSearch knows it. Pure: a document gives the values of its fields, and the
mapping with what it adds. What is not offered is refused by its name; nothing is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from drystone.l10_engines.search import dates
from drystone.l10_engines.search.analysis import ANALYZERS
from drystone.l10_engines.search.errors import Refused, illegal, not_offered

INTEGERS = {"byte": 2**7, "short": 2**15, "integer": 2**31, "long": 2**63}
FLOATS = ("half_float", "float", "double", "scaled_float")
TYPES = ("text", "keyword", "boolean", "date", *INTEGERS, *FLOATS)

MOST_FIELDS = 1000
"""Fields that an index may have."""

DEEPEST = 20
"""How deep objects may lie in each other."""

_KEYS = {
    "text": {"type", "analyzer", "search_analyzer", "fields", "index", "store", "norms"},
    "keyword": {"type", "ignore_above", "fields", "index", "doc_values", "store"},
    "date": {"type", "format", "index", "doc_values", "store"},
    "scaled_float": {"type", "index", "doc_values", "store", "coerce", "scaling_factor"},
}
_OTHER_KEYS = {"type", "index", "doc_values", "store", "coerce"}
_FIXED = {"index": True, "doc_values": True, "store": False, "coerce": True, "norms": True}
_DYNAMIC_TEXT = {
    "type": "text",
    "fields": {"keyword": {"type": "keyword", "ignore_above": 256}},
}


class Field(msgspec.Struct, frozen=True):
    """One field that can be found by.

    Attributes:
        path: Names from the root on, with full stops between them.
        type: One of :data:`TYPES`.
        analyzer: Of a text.
        longest: Characters of a keyword, above which it is not indexed; 0 for any.
        format: Of a date.
    """

    path: str
    type: str
    analyzer: str = "standard"
    longest: int = 0
    format: str = dates.DEFAULT

    @property
    def column(self) -> str:
        """The kind of column that holds it."""
        if self.type == "text":
            return f"text:{self.analyzer}"
        if self.type == "keyword":
            return "keyword"
        return "float" if self.type in FLOATS else "int"


class Mapping(msgspec.Struct, frozen=True):
    """The fields of an index.

    Attributes:
        properties: As they were said, and learnt.
        dynamic: Whether fields are learnt: ``true``, ``false``, or ``strict``, which refuses documents with others.
        meta: What somebody keeps with them.
    """

    properties: dict[str, Any] = {}
    dynamic: str = "true"
    meta: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return it as it stands in answers."""
        found: dict[str, Any] = {}
        if self.dynamic != "true":
            found["dynamic"] = self.dynamic
        if self.meta is not None:
            found["_meta"] = self.meta
        if self.properties:
            found["properties"] = self.properties
        return found

    def fields(self) -> dict[str, Field]:
        """Return every field that can be found by, by its path."""
        return {field.path: field for field in _fields(self.properties, "")}


def _fields(properties: dict[str, Any], prefix: str) -> Iterator[Field]:
    for name, said in properties.items():
        path = prefix + name
        if "type" not in said or said["type"] == "object":
            if said.get("enabled", True):
                yield from _fields(said.get("properties", {}), path + ".")
            continue
        yield _field(path, said)
        for inner, more in said.get("fields", {}).items():
            yield _field(f"{path}.{inner}", more)


def _field(path: str, said: dict[str, Any]) -> Field:
    return Field(
        path,
        said["type"],
        said.get("analyzer", "standard"),
        said.get("ignore_above", 0),
        said.get("format", dates.DEFAULT),
    )


def read(said: Any) -> Mapping:
    """Check what somebody says of the fields of an index.

    Args:
        said: The value of ``mappings``.

    Raises:
        Refused: It cannot be read, or asks for what is not offered.
    """
    if not isinstance(said, dict):
        raise _wrong("mappings are an object with 'properties'")
    for key in said.keys() - {"properties", "dynamic", "_meta", "date_detection", "_source"}:
        raise not_offered(f"the key [{key}] of mappings")
    if said.get("date_detection", True) is not True:
        raise not_offered("[date_detection: false]", "Describe the fields that are texts.")
    if said.get("_source", {"enabled": True}) not in ({}, {"enabled": True}):
        raise not_offered("anything but a whole [_source]")
    dynamic = str(said.get("dynamic", "true")).lower()
    if dynamic not in ("true", "false", "strict"):
        raise not_offered(f"[dynamic: {dynamic}]", "It is true, false or strict.")
    properties = _properties(said.get("properties", {}), "", 1)
    found = Mapping(properties, dynamic, said.get("_meta"))
    _not_too_many(found)
    return found


def _not_too_many(mapping: Mapping) -> None:
    if sum(1 for _ in _fields(mapping.properties, "")) > MOST_FIELDS:
        raise illegal(f"Limit of total fields [{MOST_FIELDS}] has been exceeded")


def _wrong(reason: str) -> Refused:
    return Refused("mapper_parsing_exception", reason)


def _properties(said: Any, prefix: str, depth: int) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise _wrong(f"the properties of [{prefix[:-1] or 'mappings'}] are an object")
    if depth > DEEPEST:
        raise illegal(f"Limit of mapping depth [{DEEPEST}] has been exceeded")
    found: dict[str, Any] = {}
    for name, value in said.items():
        path = prefix + name
        if not name or name.startswith("_") or "\x00" in name or "*" in name:
            raise _wrong(f"[{path[:80]}] is no name of a field")
        if not isinstance(value, dict):
            raise _wrong(f"Expected map for property [{path}]")
        _put(found, name.split("."), _property(value, path, depth), path)
    return found


def _put(into: dict[str, Any], parts: list[str], value: dict[str, Any], path: str) -> None:
    if not all(parts):
        raise _wrong(f"[{path[:80]}] is no name of a field")
    for part in parts[:-1]:
        into = into.setdefault(part, {"properties": {}}).setdefault("properties", {})
    into[parts[-1]] = value


def _property(said: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
    if said.get("type", "object") == "object":
        for key in said.keys() - {"type", "properties", "enabled"}:
            raise not_offered(f"the key [{key}] of the object [{path}]")
        inner = {"properties": _properties(said.get("properties", {}), path + ".", depth + 1)}
        if said.get("enabled", True) is not True:
            return {"type": "object", "enabled": False}
        return inner if inner["properties"] else {"type": "object"}
    kind = said["type"]
    if kind not in TYPES:
        raise Refused(
            "mapper_parsing_exception",
            f"No handler for type [{kind}] declared on field [{path}]; this platform has {', '.join(TYPES)} and object",
        )
    for key in said.keys() - _KEYS.get(kind, _OTHER_KEYS):
        raise not_offered(f"the key [{key}] of the {kind} [{path}]")
    for key, only in _FIXED.items():
        if said.get(key, only) is not only:
            raise not_offered(f"[{key}: {str(said[key]).lower()}] of [{path}]")
    _check_values(said, path, kind)
    found = dict(said)
    if "fields" in said:
        found["fields"] = _inner(said["fields"], path, depth)
    return found


def _check_values(said: dict[str, Any], path: str, kind: str) -> None:
    for key in ("analyzer", "search_analyzer"):
        if said.get(key, "standard") not in ANALYZERS:
            raise _wrong(
                f"analyzer [{said[key]}] has not been configured in mappings; this platform has {', '.join(ANALYZERS)}"
            )
    if said.get("search_analyzer", said.get("analyzer", "standard")) != said.get(
        "analyzer", "standard"
    ):
        raise not_offered(f"a search_analyzer of [{path}] that is not its analyzer")
    longest = said.get("ignore_above", 0)
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 0:
        raise _wrong(f"[ignore_above] of [{path}] is a number of characters")
    if kind == "date" and "format" in said:
        dates.check_format(str(said["format"]))


def _inner(said: Any, path: str, depth: int) -> dict[str, Any]:
    found = _properties(said, path + ".", depth + 1)
    for name, value in found.items():
        if value.get("type", "object") == "object" or "fields" in value or "properties" in value:
            raise _wrong(
                f"[{path}.{name}] is a second way to find [{path}], and a field of its own kind"
            )
    return found


def merged(old: Mapping, new: Mapping, *, learnt: bool = False) -> Mapping:
    """Add what is said to what is known.

    Args:
        old: What is known.
        new: What is said now.
        learnt: Whether it comes of a document.

    Raises:
        Refused: A field that is there would become another one.
    """
    properties = _merge(old.properties, new.properties, "")
    found = Mapping(
        properties,
        old.dynamic if learnt else new.dynamic,
        old.meta if new.meta is None else new.meta,
    )
    _not_too_many(found)
    return found


def _merge(old: dict[str, Any], new: dict[str, Any], prefix: str) -> dict[str, Any]:
    found = dict(old)
    for name, said in new.items():
        path = prefix + name
        before = old.get(name)
        if before is None:
            found[name] = said
            continue
        kinds = before.get("type", "object"), said.get("type", "object")
        if kinds[0] != kinds[1]:
            raise illegal(
                f"mapper [{path}] cannot be changed from type [{kinds[0]}] to [{kinds[1]}]; make an index of another name"
                " with the new mapping, copy the documents into it and let an alias lead there"
            )
        if kinds[0] == "object":
            found[name] = {
                **before,
                "properties": _merge(
                    before.get("properties", {}), said.get("properties", {}), path + "."
                ),
            }
            continue
        for key in ("analyzer", "format", "scaling_factor"):
            default = {"analyzer": "standard", "format": dates.DEFAULT}.get(key)
            if before.get(key, default) != said.get(key, default):
                raise illegal(
                    f"Mapper for [{path}] conflicts with existing mapper: Cannot update parameter [{key}] from"
                    f" [{before.get(key, default)}] to [{said.get(key, default)}]"
                )
        both = {**before, **said}
        if "fields" in before or "fields" in said:
            both["fields"] = _merge(before.get("fields", {}), said.get("fields", {}), path + ".")
        found[name] = both
    return found
