"""The reference page of the descriptor, written from the schema itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeAlias

from drystone.l00_kernel.durations import show_duration
from drystone.l00_kernel.yaml_text.tree import Path
from drystone.l25_deployer.descriptor.block import Block
from drystone.l25_deployer.descriptor.compiled import Keyed, Tagged, shape_of
from drystone.l25_deployer.descriptor.forms import Choice, Form
from drystone.l25_deployer.descriptor.overlays import Overlays
from drystone.l25_deployer.descriptor.quantities import show_size
from drystone.l25_deployer.descriptor.references import NAMED, WORDS
from drystone.l25_deployer.descriptor.rules import NEIGHBOUR_KEYS
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.descriptor.schema.resources import Later, Resource
from drystone.l25_deployer.descriptor.shapes import Either, Field, Listed, Named, Shape, Single

Meanwhile: TypeAlias = Callable[[Path], str | None]
"""Says what happens in place of a key that is not acted on yet; None or empty when it is."""

_INTRODUCTION = """# Service descriptor

<!-- Made from the schema: pytest tests/l25_deployer/descriptor --update -->

One YAML file, `service.yaml`, says everything the platform needs to know about one service. This page is generated from the
schema that the check itself uses; `drystone descriptor schema` prints the same as JSON Schema for editors.

The dialect is YAML 1.2 without surprises: `NO` is a text, keys stand once, tags are refused. Anchors and merge keys work. Keys that
start with `x-` are yours. Keys marked ◦ are accepted and checked, and nothing acts on them yet; `drystone plan` lists those that you
use.
"""

_REFERENCES = """## References

`${{…}}` stands for something that the platform puts in; `$${{` is a plain `${{`. Every reference is an edge of the dependency graph, so what it
names must be declared.

| reference | stands for |
|---|---|
| {words} | what is deployed where; `${{port}}` is the port that the instance must listen on |
| `${{resources.<name>.<key>}}` | what a resource gives, see [resource types](#resource-types) |
| `${{dependencies.<name>.<key>}}`, `${{sidecars.<name>.<key>}}` | {neighbours} |
| `${{secrets.<NAME>}}` | a secret; it is put in when an instance starts and appears nowhere else |
| `${{config.<namespace>.<key>}}` | a value of the configuration |

A resource also gives variables of its own: `db` of type postgres gives `DB_URL`, `DB_HOST` and so on. Instances also get `PORT`, if they
serve, and `DRYSTONE_SERVICE`, `DRYSTONE_ENVIRONMENT`, `DRYSTONE_REGION` and `DRYSTONE_VERSION`.
"""

_ENVIRONMENTS = """## Environments

`environments.<name>` changes the base for one environment, `environments.<name>.<region>` for one region of it. Mappings merge key by
key, everything else replaces, `null` removes; a short form merges as the long form that it stands for. Every environment is checked
as it results, and a mistake is shown where it was made. `schema` and `service` are the same everywhere.
"""


def reference_page(meanwhile: Meanwhile, realisation: Callable[[str], str]) -> str:
    """Write the page.

    Args:
        meanwhile: Tells which keys are not acted on yet.
        realisation: Writes what realises a type of resource; empty when nothing does.
    """
    page = _Page(meanwhile, realisation)
    top = shape_of(Descriptor)
    assert isinstance(top, Keyed)  # noqa: S101 - Descriptor is a block
    parts = [_INTRODUCTION, "## Top level\n", page.table(top, ())]
    parts += list(page.blocks())
    parts += [
        _ENVIRONMENTS,
        _references(),
        "## Resource types\n",
        *page.types(top.fields["resources"].shape),
    ]
    return "\n".join(parts)


def _references() -> str:
    words = ", ".join(f"`${{{word}}}`" for word in WORDS)
    neighbours = ", ".join(f"`{key}`" for key in NEIGHBOUR_KEYS)
    assert len(NAMED) == 5  # noqa: S101 - the table names all of them
    return _REFERENCES.format(words=words, neighbours=neighbours)


class _Page:
    def __init__(self, meanwhile: Meanwhile, realisation: Callable[[str], str]) -> None:
        self._meanwhile = meanwhile
        self._realisation = realisation
        self._waiting: list[tuple[Keyed, Path]] = []
        self._done: set[type[Block]] = set()

    def table(self, shape: Keyed, path: Path) -> str:
        """Write the keys of a block."""
        rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
        rows += [self._row(field, (*path, name)) for name, field in shape.fields.items()]
        return "\n".join(rows) + "\n"

    def blocks(self) -> Iterator[str]:
        """Write every block that a table has named, until none is left."""
        while self._waiting:
            shape, path = self._waiting.pop(0)
            if shape.block in self._done:
                continue
            self._done.add(shape.block)
            yield f"## {shape.block.__name__}\n"
            yield f"`{_spelled(path)}`: {inspect.getdoc(shape.block)}\n"
            yield self.table(shape, path)

    def types(self, named: Shape) -> Iterator[str]:
        """Write the types of resources."""
        assert isinstance(named, Named)  # noqa: S101 - resources have names
        assert isinstance(named.value, Tagged)  # noqa: S101 - and types
        shapes = {keyed.block: keyed for keyed in named.value.shapes.values()}
        common = Keyed(Resource)
        yield "Every resource has these keys:\n"
        yield self.table(common, ("resources", "postgres"))
        for block, shape in shapes.items():
            if block is Later:
                yield from self._later(shape)
                continue
            tag = str(block.__struct_config__.tag)
            sentence = self._meanwhile(("resources", tag))
            yield f"### {tag}{' ◦' if sentence else ''}\n"
            assert issubclass(block, Resource)  # noqa: S101 - the union holds nothing else
            keys = ", ".join(f"`{key}`" for key in block.KEYS)
            yield f"{inspect.getdoc(block)}\nGives {keys}.\n"
            if realised := self._realisation(tag):
                yield realised
            own = {name: field for name, field in shape.fields.items() if name not in common.fields}
            rows = [self._row(field, ("resources", tag, name)) for name, field in own.items()]
            if rows:
                yield (
                    "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
                    + "\n"
                )
        yield from self.blocks()

    def _later(self, shape: Keyed) -> Iterator[str]:
        yield "### Further types ◦\n"
        yield f"{', '.join(f'`{name}`' for name in Later.TYPES)}: {inspect.getdoc(shape.block)}\n"
        yield f"| key | value | default | meaning |\n|---|---|---|---|\n{self._row(shape.fields['params'], ())}\n"

    def _row(self, field: Field, path: Path) -> str:
        mark = " ◦" if path and self._meanwhile(path) else ""
        value = self._value(field.shape, path)
        return f"| `{field.name}`{mark} | {value} | {_default(field)} | {field.doc.replace('|', '&#124;')} |"

    def _value(self, shape: Shape, path: Path) -> str:
        text = "anything"
        match shape:
            case Single():
                text = _form(shape.form)
            case Listed():
                text = f"list of {self._value(shape.item, path)}"
            case Named():
                text = f"by {shape.key.title}: {self._value(shape.value, (*path, '*'))}"
            case Either():
                text = " or ".join(self._value(option, path) for option in shape.options)
            case Tagged():
                text = "[resource](#resource-types)"
            case Keyed():
                text = self._block(shape, path)
            case Overlays():
                text = "[environments](#environments)"
            case _:
                pass
        return text

    def _block(self, shape: Keyed, path: Path) -> str:
        self._waiting.append((shape, path))
        name = shape.block.__name__
        link = f"[{name}](#{name.lower()})"
        if not shape.block.SHORT:
            return link
        return f"{self._value(shape.fields[shape.block.SHORT[0]].shape, path)} or {link}"


def _form(form: Form) -> str:
    return ", ".join(f"`{word}`" for word in form.words) if isinstance(form, Choice) else form.title


def _spelled(path: Path) -> str:
    return ".".join("<name>" if step == "*" else str(step) for step in path)


def _default(field: Field) -> str:
    if field.required:
        return "**needed**"
    value, title = field.default, field.shape.form.title if isinstance(field.shape, Single) else ""
    if value is None or isinstance(value, Block) or value in ((), {}):
        return ""
    return f"`{_written(value, title)}`"


def _written(value: object, title: str) -> str:
    text = str(value)
    match value:
        case bool():
            text = text.lower()
        case timedelta():
            text = show_duration(value)
        case tuple():
            shares = all(isinstance(item, float) for item in value)
            inner = "percentage" if shares else ""
            text = f"[{', '.join(_written(item, inner) for item in value)}]"
        case int() if title == "size":
            text = show_size(value)
        case float() if title == "percentage":
            text = f"{value * 100:g}%"
        case _:
            pass
    return text
