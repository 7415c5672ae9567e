"""How large what a stack asks for is, for whoever puts a price on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from drystone.l25_deployer.stacks.accounting import Measure
from drystone.l25_deployer.stacks.model import Cache, Stacks, StaticArtifact

INSTANCE = "instance"
STATIC_CPU, STATIC_MEMORY = 0.5, 128 * 1024**2


class PartSize(msgspec.Struct, frozen=True):
    """Some instances that are alike, or one resource.

    Attributes:
        kind: ``instance``, or the type of the resource.
        name: Of the group, or of the resource.
        count: How many there are.
        most: How many there may be.
        cpu: CPUs of one; 0 of what has none of its own.
        memory: Bytes of memory of one; likewise.
        storage: Bytes that one may hold, where its descriptor says it.
        size: Class of its engine, where there are classes.
        units: Parts of one that are paid each, such as shards.
        tags: Its own, in addition to those of its service.
    """

    kind: str
    name: str
    count: int = 1
    most: int = 1
    cpu: float = 0.0
    memory: int = 0
    storage: int = 0
    size: str = ""
    units: int = 1
    tags: dict[str, str] = {}


class ServiceSize(msgspec.Struct, frozen=True):
    """A service with what it consists of, and whom it is charged to.

    Attributes:
        environment: Where it is deployed.
        service: Its name.
        team: Who owns it.
        tier: How much depends on it.
        cost_centre: Who pays; None where nobody says.
        business_unit: What it belongs to; None where nobody says.
        tags: Further tags.
        parts: What it consists of.
    """

    environment: str
    service: str
    team: str
    tier: int
    cost_centre: str | None
    business_unit: str | None
    tags: dict[str, str]
    parts: tuple[PartSize, ...]


class UsedPart(msgspec.Struct, frozen=True):
    """One instance, or one resource, for some time; of several that are alike the times are added up.

    Attributes:
        part: How large it is.
        milliseconds: For how long it was there.
    """

    part: PartSize
    milliseconds: int


class UsedService(msgspec.Struct, frozen=True):
    """What a service had in a month, while it was charged to the same.

    Attributes:
        owner: Whom it is charged to; without parts.
        parts: What it had.
    """

    owner: ServiceSize
    parts: tuple[UsedPart, ...] = ()


def size_of(stacks: Stacks, counts: Mapping[str, int] | None = None) -> ServiceSize:
    """Return how large a service is.

    Args:
        stacks: What it is made of, with the resources that exist.
        counts: How many instances a group has now, where that is not as many as its stack says.
    """
    around = stacks.environment
    return ServiceSize(
        environment=around.name,
        service=around.service,
        team=around.owner,
        tier=around.tier,
        cost_centre=around.accounting.cost_centre,
        business_unit=around.accounting.business_unit,
        tags=around.accounting.tags,
        parts=(*_instances(stacks, counts or {}), *_resources(stacks)),
    )


def _instances(stacks: Stacks, counts: Mapping[str, int]) -> Iterator[PartSize]:
    if isinstance(stacks.resources.artifact, StaticArtifact):
        yield PartSize(INSTANCE, "web", 1, 1, STATIC_CPU, STATIC_MEMORY)
    for name, group in sorted(stacks.deployment.groups.items()):
        count = counts.get(name, group.instances)
        most = group.scaling.most if group.scaling is not None else count
        yield PartSize(INSTANCE, name, count, max(count, most), group.cpu, group.memory)


def _resources(stacks: Stacks) -> Iterator[PartSize]:
    measures = stacks.environment.accounting.resources
    for name, resource in sorted(stacks.eternal.resources.items()):
        said = measures.get(name, Measure())
        yield PartSize(
            str(resource.__struct_config__.tag),
            name,
            memory=resource.memory if isinstance(resource, Cache) else 0,
            storage=said.storage,
            size=said.size,
            units=said.units,
            tags=said.tags,
        )
