"""What services need of each other, as a model for the dependency graph: from descriptors, and from what is deployed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from drystone.l05_graph.model import Component, Dependency, Model, checked, phases
from drystone.l05_graph.model import Key as DependencyKey
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.words import Kind, Phase, Strength
from drystone.l25_deployer.descriptor.schema import surroundings
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.stacks import model as stacks
from drystone.l25_deployer.stacks.model import EnvironmentStack

Key: TypeAlias = tuple[str, str]
Deployed: TypeAlias = Mapping[Key, EnvironmentStack]

AFTER_A_STOP = (Phase.START, Phase.RUN)
"""When what is deployed starts again, its artefacts and releases are there."""


class StartOrder(msgspec.Struct, frozen=True):
    """The order in which services start and what is wrong with it.

    Attributes:
        waves: Services that can start together, first wave first; what can never start is in none.
        problems: Every finding as a sentence.
    """

    waves: tuple[tuple[str, ...], ...]
    problems: tuple[str, ...] = ()


def model_of_descriptors(descriptors: Iterable[Descriptor]) -> Model:
    """Return the model of services; what they need and is not among them is external."""
    services = {one.service: one for one in descriptors}
    components = [
        Component(
            name=name,
            kind=Kind.PLATFORM if one.embedded is not None else Kind.SERVICE,
            owner=one.owner.team,
            tier=one.tier,
            layer=one.layer,
        )
        for name, one in services.items()
    ]
    dependencies = [
        _dependency(name, target, need)
        for name, one in services.items()
        for target, need in one.dependencies.items()
    ]
    return with_externals(components, dependencies)


def model_of_deployed(deployed: Deployed) -> Model:
    """Return the model of what is deployed, each service named by :func:`name_of`."""
    components = [
        Component(name=name_of(key), owner=one.owner, tier=one.tier, layer=one.layer)
        for key, one in deployed.items()
    ]
    return with_externals(components, [need for one in deployed.values() for need in declared(one)])


def declared(stack: EnvironmentStack) -> list[Dependency]:
    """Return the dependencies that a deployed service declares."""
    name = name_of((stack.name, stack.service))
    return [
        _dependency(name, name_of((need.environment or stack.name, target)), need)
        for target, need in stack.dependencies.items()
    ]


def name_of(key: Key) -> str:
    """Name a service in an environment, for people: ``dev/shop``."""
    return "/".join(key)


def start_order(descriptors: Iterable[Descriptor]) -> StartOrder:
    """Order services by their hard dependencies at start and run time.

    A dependency on a service that is not among them is reported, and does not hold anything up.
    """
    model = model_of_descriptors(descriptors)
    outside = {one.name for one in model.components if one.kind is Kind.EXTERNAL}
    order = recovery_order(model, _leading_to(outside, model), AFTER_A_STOP)
    circles = [*order.deadlocks, *(group.circle for group in order.together)]
    problems = [
        *_problems(model, outside),
        *(f"these services wait for each other: {' → '.join(path)}" for path in sorted(circles)),
    ]
    return StartOrder(_without(order.waves, outside), tuple(problems))


def waves(deployed: Deployed) -> Sequence[Sequence[Key]]:
    """Put services into waves: each starts after what it cannot start or run without.

    What is not deployed holds nobody up. A tangle, which no deploy lets in, would be cut open rather than stay down.
    """
    model = model_of_deployed(deployed)
    keys = {name_of(key): key for key in deployed}
    outside = {one.name for one in model.components} - keys.keys()
    waived = _leading_to(outside, model)
    order = recovery_order(model, waived, AFTER_A_STOP)
    while order.deadlocks:
        circles = [set(circle) for circle in order.deadlocks]
        waived |= {
            one.key
            for one in model.dependencies
            if any({one.source, one.target} <= circle for circle in circles)
        }
        order = recovery_order(model, waived, AFTER_A_STOP)
    return [[keys[name] for name in wave] for wave in _without(order.waves, outside)]


_PHASES = {phase.value: phase for phase in Phase} | {"runtime": Phase.RUN}


def _dependency(
    source: str, target: str, need: surroundings.Dependency | stacks.Dependency
) -> Dependency:
    return Dependency(
        source=source,
        target=target,
        strength=Strength(need.needs),
        at=phases(_PHASES[word] for word in need.at),
    )


def with_externals(
    components: Sequence[Component], dependencies: Iterable[Dependency], *, title: str = ""
) -> Model:
    """Put a model together; a service always has itself, whatever it says."""
    every = [one for one in dependencies if one.source != one.target]
    known = {one.name for one in components}
    outside = dict.fromkeys(one.target for one in every if one.target not in known)
    externals = [Component(name=name, kind=Kind.EXTERNAL) for name in outside]
    return checked([*components, *externals], every, title=title)


def _leading_to(names: Collection[str], model: Model) -> set[DependencyKey]:
    return {one.key for one in model.dependencies if one.target in names}


def _without(waves: Sequence[Sequence[str]], names: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Leave names out, and waves in which nobody is left."""
    kept = (tuple(name for name in wave if name not in names) for wave in waves)
    return tuple(wave for wave in kept if wave)


def _problems(model: Model, outside: Collection[str]) -> Iterable[str]:
    """Find hard needs of what is not there, and, where both layers are pinned, those that do not lead down."""
    hard = [
        one
        for one in model.dependencies
        if one.is_hard and not set(AFTER_A_STOP).isdisjoint(one.at)
    ]
    for one in sorted(hard, key=lambda one: (one.source, one.target)):
        layer, below = model.by_name[one.source].layer, model.by_name[one.target].layer
        if one.target in outside:
            yield f"{one.source} needs {one.target}, which is not deployed here"
        elif layer is not None and below is not None and below >= layer:
            yield (
                f"{one.source} (layer {layer}) has a hard dependency on {one.target} (layer {below});"
                " hard dependencies lead to lower layers only"
            )
