"""The schema of descriptors as JSON Schema 2020-12, for editors and for programs that write descriptors.

It accepts every descriptor that :func:`~drystone.l25_deployer.descriptor.reading.read` accepts. Rules that need more than one
place, such as references that lead somewhere, are beyond it.
"""

from __future__ import annotations

import inspect
import re
from typing import TypeAlias

import msgspec

from drystone.l25_deployer.descriptor.compiled import Keyed, Tagged, shape_of
from drystone.l25_deployer.descriptor.forms import Text
from drystone.l25_deployer.descriptor.overlays import FIXED, NAME_PATTERN, Overlays
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.descriptor.shapes import Either, Field, Listed, Named, Shape, Single

Schema: TypeAlias = dict[str, object]

_NOTES = "^x-"


def json_schema() -> Schema:
    """Give the JSON Schema of a descriptor."""
    top = shape_of(Descriptor)
    assert isinstance(top, Keyed)  # noqa: S101 - Descriptor is a block
    writer = _Writer()
    described = writer.mapping(top, partial=False)
    described["oneOf"] = [{"required": [key]} for key in ("image", "process", "static", "embedded")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Drystone service descriptor, version 1",
        **described,
        "$defs": dict(sorted(writer.definitions.items())),
    }


def json_schema_text() -> str:
    """Give the JSON Schema as the text of its file: one line for each key and each definition."""
    lines = []
    for key, value in json_schema().items():
        if key in ("properties", "$defs") and isinstance(value, dict):
            inner = ",\n".join(f"  {_json(name)}: {_json(item)}" for name, item in value.items())
            lines.append(f" {_json(key)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {_json(key)}: {_json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


class _Writer:
    """Describes shapes; blocks become definitions, so that each stands once.

    What environments change is described by a second set of definitions in which nothing is required and null removes.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, object] = {}

    def shape(self, shape: Shape, *, partial: bool) -> Schema:
        described: Schema = {}
        match shape:
            case Single():
                described = self._single(shape)
            case Listed():
                described = {"type": "array", "items": self.shape(shape.item, partial=False)}
            case Named():
                described = self._named(shape, partial=partial)
            case Either():
                options = [self.shape(option, partial=partial) for option in shape.options]
                described = {"anyOf": options}
            case Tagged():
                blocks = dict.fromkeys(keyed.block for keyed in shape.shapes.values())
                options = [self._reference(shape_of(block), partial=partial) for block in blocks]
                described = {"type": "object", "anyOf": options}
            case Keyed():
                described = self._reference(shape, partial=partial)
            case Overlays():
                described = self._overlays()
            case _:
                pass
        return described

    def mapping(self, shape: Keyed, *, partial: bool, without: tuple[str, ...] = ()) -> Schema:
        """Describe a block as an object."""
        block = shape.block
        properties: dict[str, object] = {}
        tag = block.__struct_config__.tag
        if tag is not None:
            properties["type"] = {"const": tag}
        for name, field in shape.fields.items():
            if name not in without:
                properties[name] = self._field(field, partial=partial)
        described: Schema = {
            "type": "object",
            "description": inspect.getdoc(block),
            "properties": properties,
            "patternProperties": {_NOTES: {}},
            "additionalProperties": False,
        }
        if not partial:
            required = [name for name, field in shape.fields.items() if field.required]
            required += ["type"] if tag is not None else []
            described["required"] = required
            choices = [
                {"oneOf": [{"required": [key]} for key in group]} for group in block.EXACTLY_ONE
            ]
            if choices:
                described["allOf"] = choices
        return described

    def _field(self, field: Field, *, partial: bool) -> Schema:
        described = self.shape(field.shape, partial=partial)
        may_be_empty = field.nullable or "scalar" not in field.shape.kinds
        if partial or (may_be_empty and not field.required):
            described = {"anyOf": [described, {"type": "null"}]}
        return {**described, "description": field.doc}

    def _reference(self, shape: Shape, *, partial: bool) -> Schema:
        assert isinstance(shape, Keyed)  # noqa: S101 - asked for blocks only
        name = shape.block.__name__ + ("Changes" if partial else "")
        if name not in self.definitions:
            self.definitions[name] = {}
            described = self.mapping(shape, partial=partial)
            if shape.block.SHORT:
                short = self.shape(shape.fields[shape.block.SHORT[0]].shape, partial=partial)
                described = {"anyOf": [short, described]}
            self.definitions[name] = described
        return {"$ref": f"#/$defs/{name}"}

    def _single(self, shape: Single) -> Schema:
        """Describe a form; one with a name of its own becomes a definition."""
        form = shape.form
        if not isinstance(form, Text) or form.pattern is None:
            return form.schema()
        name = re.sub("[^a-z]+", "-", form.title.lower())
        described = form.schema()
        if self.definitions.setdefault(name, described) != described:
            return described
        return {"$ref": f"#/$defs/{name}"}

    def _named(self, shape: Named, *, partial: bool) -> Schema:
        value = self.shape(shape.value, partial=partial)
        if partial or shape.nullable or "scalar" not in shape.value.kinds:
            value = {"anyOf": [value, {"type": "null"}]}
        described: Schema = {"type": "object", "additionalProperties": value}
        names = self._single(Single(shape.key))
        allowed = {key: names[key] for key in ("$ref", "pattern", "enum") if key in names}
        if allowed:
            notes = [{"pattern": _NOTES}] if shape.notes else []
            described["propertyNames"] = {"anyOf": [allowed, *notes]} if notes else allowed
        if shape.notes:
            described["patternProperties"] = {_NOTES: {}}
        return described

    def _overlays(self) -> Schema:
        top = shape_of(Descriptor)
        assert isinstance(top, Keyed)  # noqa: S101 - Descriptor is a block
        self.definitions.setdefault("Changes", {})
        if not self.definitions["Changes"]:
            self.definitions["Changes"] = self.mapping(top, partial=True, without=FIXED)
        reference = {"anyOf": [{"$ref": "#/$defs/Changes"}, {"type": "null"}]}
        return {
            "type": "object",
            "patternProperties": {f"^(?!x-)(?:{NAME_PATTERN})$": reference, _NOTES: {}},
            "additionalProperties": False,
        }
