"""The edges of the dependency graph that a descriptor makes, each with the place that makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from drystone.l00_kernel.yaml_text.tree import Path
from drystone.l25_deployer.descriptor.forms import Mistake
from drystone.l25_deployer.descriptor.references import NAMED, Ref, parts
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor

Kind: TypeAlias = Literal[
    "resource", "dependency", "secret", "sidecar", "config", "shared", "event", "queue", "image"
]

_KINDS: dict[str, Kind] = {
    "resources": "resource",
    "dependencies": "dependency",
    "secrets": "secret",
    "sidecars": "sidecar",
    "config": "config",
}


class Edge(msgspec.Struct, frozen=True):
    """Something that the service uses.

    Attributes:
        kind: What it is.
        name: Its name; a type of event, an identifier or an image for those.
        path: Where the descriptor uses it.
        hard: Whether the service cannot work without it.
    """

    kind: Kind
    name: str
    path: Path
    hard: bool = True


def references(descriptor: Descriptor) -> tuple[Edge, ...]:
    """List everything that a descriptor uses, declared or referred to, in the order of its blocks."""
    return (*_declared(descriptor), *_referred(descriptor))


def _declared(descriptor: Descriptor) -> Iterator[Edge]:
    if descriptor.image is not None:
        yield Edge("image", descriptor.image, ("image",))
    for name in descriptor.secret_names:
        yield Edge("secret", name, ("secrets",))
    for namespace in descriptor.config:
        yield Edge("config", namespace, ("config",))
    for name, resource in descriptor.resources.items():
        if resource.shared_from is not None:
            yield Edge("shared", resource.shared_from, ("resources", name, "shared_from"))
    for name, dependency in descriptor.dependencies.items():
        yield Edge("dependency", name, ("dependencies", name), dependency.needs == "hard")
    for name, wanted in descriptor.events.subscribes.items():
        yield Edge("event", wanted.type, ("events", "subscribes", name))
        if " " not in wanted.to:
            yield Edge("queue", wanted.to, ("events", "subscribes", name, "to"))


def _referred(descriptor: Descriptor) -> Iterator[Edge]:
    for path, ref in uses(descriptor, ()):
        if ref.space in NAMED:
            hard = ref.space != "dependencies" or descriptor.dependencies[ref.name].needs == "hard"
            yield Edge(_KINDS[ref.space], ref.name, path, hard)


def uses(value: object, path: Path) -> Iterator[tuple[Path, Ref]]:
    """Find every reference within a block, with its place."""
    if isinstance(value, str):
        if "${" in value:
            try:
                found = parts(value)
            except Mistake:  # a free value may hold '${' that is no reference
                return
            yield from ((path, part) for part in found if isinstance(part, Ref))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from uses(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from uses(item, (*path, name))
    elif isinstance(value, (tuple, list)):
        for number, item in enumerate(value):
            yield from uses(item, (*path, number))
