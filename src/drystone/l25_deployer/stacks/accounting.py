"""Whom a service is charged to, and for how much, as its stack holds it."""

from __future__ import annotations

import msgspec

from drystone.l25_deployer.descriptor.schema import resources


class Measure(msgspec.Struct, frozen=True):
    """How much of a resource is paid for, as far as a descriptor says.

    Attributes:
        storage: Bytes that it may hold.
        size: Class of its engine.
        units: Parts that are paid each: shards of a stream, nodes of a search engine.
        tags: Its own, in addition to those of its service.
    """

    storage: int = 0
    size: str = ""
    units: int = 1
    tags: dict[str, str] = {}


class Accounting(msgspec.Struct, frozen=True):
    """Whom a service is charged to.

    Attributes:
        cost_centre: Who pays; None where nobody says.
        business_unit: What it belongs to; None where nobody says.
        tags: Further tags, by name.
        resources: Of which there is more to say than that they exist, by name.
    """

    cost_centre: str | None = None
    business_unit: str | None = None
    tags: dict[str, str] = {}
    resources: dict[str, Measure] = {}


def measure(resource: resources.Resource) -> Measure:
    """Say how much of a resource is paid for."""
    tags = dict(sorted(resource.tags.items()))
    match resource:
        case resources.Postgres():
            return Measure(resource.storage, resource.size, tags=tags)
        case resources.Search():
            return Measure(resource.storage, units=resource.nodes, tags=tags)
        case resources.Volume():
            return Measure(resource.storage, tags=tags)
        case resources.Stream():
            return Measure(units=resource.shards, tags=tags)
        case _:
            return Measure(tags=tags)


def measures(by_name: dict[str, resources.Resource]) -> dict[str, Measure]:
    """Say it of each of which there is something to say."""
    found = {name: measure(one) for name, one in sorted(by_name.items())}
    return {name: one for name, one in found.items() if one != Measure()}
