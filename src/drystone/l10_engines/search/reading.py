"""What a document says, field by field, as it goes into columns."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import msgspec

from drystone.l10_engines.search import dates, mapping
from drystone.l10_engines.search.errors import Refused, illegal, not_of_type
from drystone.l10_engines.search.mapping import FLOATS, INTEGERS, Field, Mapping

Value: TypeAlias = str | int | float

LONGEST_KEYWORD = 32766
"""Bytes of UTF-8 that a keyword may have."""

_INT64 = 2**63


class Read(msgspec.Struct, frozen=True):
    """What a document says.

    Attributes:
        values: By path of a field; a list may be empty.
        learnt: Fields that the mapping did not have, as its properties.
    """

    values: dict[str, list[Value]]
    learnt: dict[str, Any]


class Reader:
    """Reads documents by a mapping.

    Args:
        known: The mapping.
        is_lenient: Whether values that do not fit are left out, as of a document that is older than a field.
    """

    def __init__(self, known: Mapping, *, is_lenient: bool = False) -> None:
        self.mapping = known
        self._is_lenient = is_lenient
        self.fields = known.fields()
        self._inner: dict[str, list[Field]] = {}
        self._objects: set[str] = set()
        self._closed: set[str] = set()
        self._enter(known.properties, "")

    def _enter(self, properties: dict[str, Any], prefix: str) -> None:
        for name, said in properties.items():
            path = prefix + name
            if said.get("type", "object") != "object":
                self._inner[path] = [
                    self.fields[f"{path}.{inner}"] for inner in said.get("fields", {})
                ]
            elif not said.get("enabled", True):
                self._closed.add(path)
            else:
                self._objects.add(path)
                self._enter(said.get("properties", {}), path + ".")

    def read(self, source: dict[str, Any], identity: str) -> Read:
        """Read one document.

        Args:
            source: The document.
            identity: What it is called.

        Raises:
            Refused: A value does not fit its field, or fields are not learnt here.
        """
        found = Read({}, {})
        self._walk(source, "", found, identity, 1)
        return found

    def _walk(
        self, said: dict[str, Any], prefix: str, found: Read, identity: str, depth: int
    ) -> None:
        if depth > mapping.DEEPEST:
            raise illegal(
                f"Limit of mapping depth [{mapping.DEEPEST}] has been exceeded by [{prefix[:80]}]"
            )
        for name, value in said.items():
            path = prefix + name
            if path in self._inner:
                field = self.fields[path]
                self._keep(field, value, found, identity)
                for inner in self._inner[path]:
                    self._keep(inner, value, found, identity)
            elif path in self._closed or value is None:
                continue
            elif path in self._objects:
                self._object(path, value, found, identity, depth)
            else:
                self._unknown(path, value, found, identity, depth)

    def _object(self, path: str, value: Any, found: Read, identity: str, depth: int) -> None:
        for one in _flat(value):
            if one is None:
                continue
            if not isinstance(one, dict):
                raise Refused(
                    "mapper_parsing_exception",
                    f"object mapping for [{path}] tried to parse field as object, but found a concrete value",
                )
            self._walk(one, path + ".", found, identity, depth + 1)

    def _unknown(self, path: str, value: Any, found: Read, identity: str, depth: int) -> None:
        if self.mapping.dynamic == "false":
            return
        some = next((one for one in _flat(value) if one is not None), None)
        if some is None:
            return
        if self.mapping.dynamic == "strict":
            parent, _, name = path.rpartition(".")
            raise Refused(
                "strict_dynamic_mapping_exception",
                f"mapping set to strict, dynamic introduction of [{name}] within [{parent or '_doc'}] is not allowed",
            )
        parts = self._parts(path)
        if isinstance(some, dict):
            self._learn(parts, {"properties": {}}, found)
            self._object(path, value, found, identity, depth)
            return
        said = _guessed(some)
        self._learn(parts, said, found)
        for field in mapping.Mapping(_nested(parts, said)).fields().values():
            self._keep(field, value, found, identity)

    def _parts(self, path: str) -> list[str]:
        """Return the names on the way to a new field."""
        parts = path.split(".")
        if not all(parts) or parts[0].startswith("_") or "\x00" in path or "*" in path:
            raise Refused("mapper_parsing_exception", f"[{path[:80]}] is no name of a field")
        if any(".".join(parts[:n]) in self.fields for n in range(1, len(parts))):
            raise Refused(
                "mapper_parsing_exception", f"[{path[:80]}] lies in a field that is no object"
            )
        return parts

    def _learn(self, parts: list[str], said: dict[str, Any], found: Read) -> None:
        into = found.learnt
        for part in parts[:-1]:
            into = into.setdefault(part, {"properties": {}}).setdefault("properties", {})
        before = into.setdefault(parts[-1], said)
        if before.get("type") != said.get("type"):
            raise Refused(
                "mapper_parsing_exception",
                f"[{'.'.join(parts)}] has values of two types in one document",
            )

    def _keep(self, field: Field, value: Any, found: Read, identity: str) -> None:
        kept = found.values.setdefault(field.path, [])
        for one in _flat(value):
            if one is not None:
                try:
                    kept.extend(value_of(field, one))
                except ValueError as e:
                    if self._is_lenient:
                        continue
                    raise not_of_type(field.path, field.type, identity[:80], str(e)) from e


def _nested(parts: list[str], said: dict[str, Any]) -> dict[str, Any]:
    for part in reversed(parts[1:]):
        said = {"properties": {part: said}}
    return {parts[0]: said}


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    if not any(isinstance(one, list) for one in value):
        return value
    return [inner for one in value for inner in _flat(one)]


def _guessed(value: Any) -> dict[str, Any]:
    """Say what a field is of which the first value is known."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "long"}
    if isinstance(value, float):
        return {"type": "float"}
    if dates.looks_like_one(value):
        return {"type": "date"}
    return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


def value_of(field: Field, value: Any) -> list[Value]:
    """Return a value as it goes into the column of a field; nothing when the field leaves it out.

    Args:
        field: Which one.
        value: Of a document, and not null.

    Raises:
        ValueError: It does not fit.
    """
    if isinstance(value, dict | list):
        raise ValueError("an object is no value")  # noqa: TRY004 - what is wrong is in the document
    if field.type in ("text", "keyword"):
        return _text(field, value)
    if field.type == "boolean":
        if (value in (True, "true") and not isinstance(value, int | float)) or value is True:
            return [1]
        if value is False or value in ("false", ""):
            return [0]
        raise ValueError(
            f"Failed to parse value [{str(value)[:80]}] as only [true] or [false] are allowed."
        )
    if field.type == "date":
        return [dates.millis(value, field.format)]
    if field.type in FLOATS:
        return [_float(value)]
    return [_integer(field, value)]


def _text(field: Field, value: Any) -> list[Value]:
    if isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if field.longest and len(text) > field.longest:
        return []
    if field.type == "keyword" and len(text.encode()) > LONGEST_KEYWORD:
        raise ValueError(
            f"a keyword has {LONGEST_KEYWORD} bytes at most; give the field ignore_above, or make it a text"
        )
    return [text]


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("a boolean is no number")  # noqa: TRY004
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"[{str(value)[:80]}] is not finite")
    return number


def _integer(field: Field, value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError("a boolean is no number")  # noqa: TRY004
    if isinstance(value, int):
        number = value
    else:
        try:
            number = (
                int(value) if isinstance(value, str) and len(value) < 40 else int(_float(value))
            )
        except ValueError:
            number = int(_float(value))
        except OverflowError as e:
            raise ValueError(f"[{str(value)[:80]}] is out of range") from e
    bound = INTEGERS.get(field.type, _INT64)
    if not -bound <= number < bound:
        raise ValueError(
            f"Value [{str(value)[:80]}] is out of range for {field.type} [{field.path}]"
        )
    return number
