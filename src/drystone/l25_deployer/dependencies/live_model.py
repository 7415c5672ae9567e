"""The live platform as a dependency model: what is deployed, what carries it, and what holds its data.

What a service declares is written as it stands in its descriptor. What the platform adds is what it really does: the deployer
builds, deploys, starts and recovers every service; the proxy is waited for by a deploy and carries every request; the engine
of a resource is asked at each deploy and start, and while the service runs. A volume is a folder, which needs no engine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from drystone.l05_graph.model import Component, Dependency
from drystone.l05_graph.words import Kind, Phase, Risk, Strength
from drystone.l25_deployer.dependencies.model import (
    PLATFORM,
    Part,
    declared,
    model_of_descriptors,
    name_of,
)
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.stacks.model import (
    Bucket,
    Cache,
    EnvironmentStack,
    Postgres,
    Resource,
    Stacks,
)
from drystone.l25_deployer.stacks.provided import Search

PROXY, DEPLOYER, CACHE = (f"{PLATFORM}/{name}" for name in ("proxy", "deployer", "cache"))
_ENGINES: Mapping[type[Resource], str] = {
    Postgres: f"{PLATFORM}/postgres",
    Bucket: f"{PLATFORM}/objects",
}
_CARRIED = (
    (DEPLOYER, (Phase.BUILD, Phase.DEPLOY, Phase.START, Phase.RECOVERY), Risk.DEPLOYMENTS),
    (PROXY, (Phase.DEPLOY, Phase.RUN), Risk.NETWORK),
)
_STARTED = (Phase.DEPLOY, Phase.START, Phase.RECOVERY)
_HOLDING = (Phase.DEPLOY, Phase.START, Phase.RUN)


def own_part(descriptors: Iterable[Descriptor], elsewhere: Collection[str] = ()) -> Part:
    """Return what the platform's own services bring in.

    Args:
        descriptors: Of these services.
        elsewhere: Names of engines that somebody else runs; whoever that is, nobody here starts or mends them.
    """
    model = model_of_descriptors(descriptors)
    components = [
        Component(name=f"{PLATFORM}/{one.name}", kind=Kind.EXTERNAL, tier=one.tier, layer=one.layer)
        if one.name in elsewhere
        else msgspec.structs.replace(one, name=f"{PLATFORM}/{one.name}")
        for one in model.components
    ]
    if "cache" in elsewhere:
        components.append(Component(name=CACHE, kind=Kind.EXTERNAL))
    dependencies = [
        msgspec.structs.replace(
            one, source=f"{PLATFORM}/{one.source}", target=f"{PLATFORM}/{one.target}"
        )
        for one in model.dependencies
    ]
    return Part(tuple(components), tuple(dependencies))


def part_of(stacks: Stacks, *, cache_elsewhere: bool = False) -> Part:
    """Return what a service brings in.

    Args:
        stacks: The service as it is deployed, with the resources that exist.
        cache_elsewhere: Whether somebody else runs the caches.
    """
    stack = stacks.environment
    name = name_of((stack.name, stack.service))
    part = declared(stack)
    components, dependencies = [*part.components], [*part.dependencies, *_carried(name)]
    for resource, kind in stacks.eternal.resources.items():
        if isinstance(kind, Search) or (isinstance(kind, Cache) and not cache_elsewhere):
            own = _own_process(stack, name, resource, str(kind.__struct_config__.tag))
            components.append(own)
            dependencies += [
                _need(name, own.name, _HOLDING, Risk.DATA),
                _need(own.name, DEPLOYER, _STARTED, Risk.DEPLOYMENTS),
            ]
    engines = {_ENGINES.get(type(kind)) for kind in stacks.eternal.resources.values()}
    if cache_elsewhere and any(isinstance(k, Cache) for k in stacks.eternal.resources.values()):
        engines.add(CACHE)
    dependencies += [
        _need(name, engine, _HOLDING, Risk.DATA) for engine in sorted(filter(None, engines))
    ]
    return Part(tuple(components), tuple(dependencies), part.groups)


def _own_process(stack: EnvironmentStack, name: str, resource: str, note: str) -> Component:
    return Component(
        name=f"{name}/{resource}", kind=Kind.DATA, owner=stack.owner, tier=stack.tier, note=note
    )


def _carried(name: str) -> Iterator[Dependency]:
    for target, at, risk in _CARRIED:
        yield msgspec.structs.replace(_need(name, target, at, risk), can_change=False)


def _need(source: str, target: str, at: tuple[Phase, ...], risk: Risk) -> Dependency:
    return Dependency(source=source, target=target, strength=Strength.HARD, at=at, risk=risk)
