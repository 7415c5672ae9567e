"""Fill messages from their JSON form, where a part that many resources have in common is packed once.

``google.protobuf.json_format`` means the same and takes some ten times as long: it looks at every part of every resource, and
a thousand services have the same answers, limits and fields of a log a thousand times. It stays responsible for everything
that is not plain, and for what does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

TYPE_PREFIX = "type.googleapis.com/"
_ANY = "google.protobuf.Any"
_WELL_KNOWN = "google.protobuf."
_PLAIN: Mapping[int, type] = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
}


class Shared(dict[str, Any]):
    """The JSON form of a part that many resources have in common. It is a constant: nobody changes it.

    It asks for nothing that is sent apart: neither routes nor secrets are common to many.
    """

    __slots__ = ("packed",)

    def __init__(self, value: Mapping[str, Any]) -> None:
        super().__init__(value)
        self.packed: dict[str, bytes] = {}


class Filling:
    """Fills messages of one pool.

    Args:
        class_of: Returns the class of a message by its full name.
        parse: Does what :func:`google.protobuf.json_format.ParseDict` does, with that pool.
    """

    def __init__(
        self,
        class_of: Callable[[str], type[Message]],
        parse: Callable[[Mapping[str, Any], Message], object],
    ) -> None:
        self._class_of = class_of
        self._parse = parse
        self._fields: dict[str, dict[str, _Field]] = {}

    def fill(self, message: Message, value: Mapping[str, Any]) -> None:
        """Fill an empty message.

        Raises:
            ParseError, TypeError, ValueError: The value does not fit.
        """
        name: str = message.DESCRIPTOR.full_name
        if not isinstance(value, Mapping):
            raise json_format.ParseError(f"{name} must be an object, not {type(value).__name__}")
        if not isinstance(value, Shared):
            self._fill(message, value, name)
            return
        packed = value.packed.get(name)
        if packed is None:
            self._fill(message, value, name)
            value.packed[name] = message.SerializeToString(deterministic=True)
        else:
            message.MergeFromString(packed)

    def _fill(self, message: Any, value: Mapping[str, Any], name: str) -> None:
        if name == _ANY:
            self._fill_any(message, value)
            return
        if name.startswith(_WELL_KNOWN):
            self._parse(value, message)
            return
        fields = self._fields.get(name) or self._learn(message, name)
        rest: dict[str, Any] = {}
        chosen: set[str] = set()
        for key, inner in value.items():
            field = fields.get(key)
            if field is None or inner is None:
                rest[key] = inner
                continue
            if field.choice is not None:
                if field.choice in chosen:
                    raise json_format.ParseError(
                        f"{name} can have one of its {field.choice}s, and {key} is the second"
                    )
                chosen.add(field.choice)
            if not field.put(self, message, key, inner):
                rest[key] = inner
        if rest:
            self._parse(rest, message)

    def _fill_any(self, message: Any, value: Mapping[str, Any]) -> None:
        url = value.get("@type", "")
        name = str(url).removeprefix(TYPE_PREFIX)
        if not value:
            return
        if name == url or name.startswith(_WELL_KNOWN):
            self._parse(value, message)
            return
        inner = self._class_of(name)()
        self.fill(inner, {key: one for key, one in value.items() if key != "@type"})
        message.type_url = url
        message.value = inner.SerializeToString(deterministic=True)

    def _learn(self, message: Message, name: str) -> dict[str, _Field]:
        fields = {
            field.name: _Field(field) for field in message.DESCRIPTOR.fields if _is_known(field)
        }
        self._fields[name] = fields
        return fields


class _Field:
    """How a field is filled without looking at its descriptor again."""

    def __init__(self, field: Any) -> None:
        oneof = field.containing_oneof
        self.choice = oneof.name if oneof is not None and len(oneof.fields) > 1 else None
        of = field.message_type
        self._enum = field.enum_type.values_by_name if field.enum_type is not None else None
        self._plain = None if field.is_repeated else _PLAIN.get(field.cpp_type)
        self._is_map = of is not None and of.GetOptions().map_entry
        self._is_message = of is not None
        self._is_list = field.is_repeated

    def put(self, filling: Filling, message: Any, key: str, value: Any) -> bool:
        """Put a value in, or tell that it is for somebody who knows more."""
        if self._is_message:
            return self._put_messages(filling, getattr(message, key), value)
        if self._enum is not None:
            found = self._enum.get(value) if isinstance(value, str) else None
            value = found.number if found is not None else None
        elif type(value) is not self._plain:
            return False
        if value is None or self._is_list:
            return False
        try:
            setattr(message, key, value)
        except ValueError:  # too large, or no text: who is asked next says which field it is
            return False
        return True

    def _put_messages(self, filling: Filling, place: Any, value: Any) -> bool:
        if self._is_map:
            return _put_map(filling, place, value)
        if self._is_list:
            return _put_list(filling, place, value)
        if not isinstance(value, Mapping):
            return False
        place.SetInParent()
        filling.fill(place, value)
        return True


def _put_map(filling: Filling, entries: Any, value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    for name, inner in value.items():
        entries[name].SetInParent()
        filling.fill(entries[name], inner)
    return True


def _put_list(filling: Filling, items: Any, value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    for inner in value:
        filling.fill(items.add(), inner)
    return True


def _is_known(field: Any) -> bool:
    """Tell whether a field is filled here: what has a JSON form of its own is not."""
    of = field.message_type
    if of is None:
        return True
    if of.GetOptions().map_entry:
        entry = of.fields_by_name["value"].message_type
        return entry is not None and _is_known(of.fields_by_name["value"])
    return of.full_name == _ANY or not of.full_name.startswith(_WELL_KNOWN)
