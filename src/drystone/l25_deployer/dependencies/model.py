"""What services need of each other, as a model for the dependency graph: from descriptors, and from what is deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

import msgspec

from drystone.l05_graph.findings import LEVELS, Rule, Rules
from drystone.l05_graph.model import Component, Dependency, Group, Model, checked, phases
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.rules import check
from drystone.l05_graph.words import Kind, Phase, Risk, Strength
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.stacks.claims import Claims
from drystone.l25_deployer.stacks.compile import claims, needs_of
from drystone.l25_deployer.stacks.model import Dependency as Need
from drystone.l25_deployer.stacks.model import EnvironmentStack

Key: TypeAlias = tuple[str, str]
Deployed: TypeAlias = Mapping[Key, EnvironmentStack]

PLATFORM = "platform"
"""In place of an environment in the names of the platform's own services; nothing is deployed there."""

AFTER_A_STOP = (Phase.START, Phase.RUN)
"""When what is deployed starts again, its artefacts and releases are there."""


_AFTER = frozenset(AFTER_A_STOP)
_UPWARDS = Rules(levels={rule: LEVELS[rule] for rule in (Rule.LAYER, Rule.SAME_LAYER)})


class StartOrder(msgspec.Struct, frozen=True):
    """The order in which everything starts again after a stop.

    Attributes:
        waves: What can start together, by name, the first wave first.
        circles: Ways around on which each waits for the next one, from a name back to itself.
    """

    waves: tuple[tuple[str, ...], ...]
    circles: tuple[tuple[str, ...], ...] = ()


class Part(msgspec.Struct, frozen=True):
    """What one service brings into a model.

    Attributes:
        components: Itself, and what runs for it alone.
        dependencies: Of these.
        groups: Alternatives among the dependencies.
    """

    components: tuple[Component, ...]
    dependencies: tuple[Dependency, ...]
    groups: tuple[Group, ...] = ()


def model_of_descriptors(descriptors: Iterable[Descriptor]) -> Model:
    """Return the model of services; what they need and is not among them is external."""
    return model_of(_described(one) for one in descriptors)


def model_of_deployed(deployed: Deployed) -> Model:
    """Return the model of what is deployed, each service named by :func:`name_of`."""
    return model_of(declared(one) for one in deployed.values())


def declared(stack: EnvironmentStack) -> Part:
    """Return what a deployed service says of itself."""
    claims = stack.claims
    component = _component(
        name_of((stack.name, stack.service)),
        stack.owner,
        stack.tier,
        stack.layer,
        claims,
        kind=Kind.SERVICE,
        region=stack.region,
    )
    needs = {
        name_of((need.environment or stack.name, target)): need
        for target, need in stack.dependencies.items()
    }
    return _part(component, needs, claims)


def _described(descriptor: Descriptor) -> Part:
    said = claims(descriptor)
    component = _component(
        descriptor.service,
        descriptor.owner.team,
        descriptor.tier,
        descriptor.layer,
        said,
        kind=Kind.SERVICE if descriptor.embedded is None else Kind.PLATFORM,
    )
    return _part(component, needs_of(descriptor), said)


def _component(
    name: str,
    owner: str,
    tier: int,
    layer: int | None,
    claims: Claims,
    *,
    kind: Kind,
    region: str | None = None,
) -> Component:
    return Component(
        name=name,
        kind=kind,
        owner=owner,
        crew=claims.crew,
        tier=tier,
        layer=layer,
        plane=claims.plane,
        regions=claims.regions or ((region,) if region else ()),
        resilience=claims.resilience,
        slo=claims.slo,
        availability=claims.availability,
        recovery=claims.recovery,
        break_glass=claims.break_glass,
        products=claims.products or (),
    )


def _part(component: Component, needs: Mapping[str, Need], claims: Claims) -> Part:
    """Put a service's part together; it always has itself, whatever it says."""
    name = component.name
    every = [_dependency(name, target, need) for target, need in needs.items() if target != name]
    members = Counter(one.group for one in every)
    groups = (
        Group(component=name, name=group, at_least=min(count, members[group]))
        for group, count in claims.groups.items()
        if members[group]
    )
    return Part((component,), tuple(every), tuple(groups))


def name_of(key: Key) -> str:
    """Name a service in an environment, for people: ``dev/shop``."""
    return "/".join(key)


def start_order(model: Model) -> StartOrder:
    """Put everything into waves: each starts after what it cannot start or run without.

    What is external holds nobody up. A tangle, which neither the platform nor a deploy lets in, is cut open rather than
    stay down.
    """
    outside = _outside(model)
    waived = {one.key for one in model.dependencies if one.target in outside}
    order = recovery_order(model, waived, AFTER_A_STOP)
    circles = [*order.deadlocks]
    while order.deadlocks:
        members = [set(circle) for circle in order.deadlocks]
        waived |= {
            one.key
            for one in model.dependencies
            if any({one.source, one.target} <= circle for circle in members)
        }
        order = recovery_order(model, waived, AFTER_A_STOP)
        circles += order.deadlocks
    circles += (group.circle for group in order.together)
    waves = (tuple(name for name in wave if name not in outside) for wave in order.waves)
    return StartOrder(tuple(wave for wave in waves if wave), tuple(sorted(circles)))


def start_problems(model: Model) -> list[str]:
    """Say why what is described must not start as it is: with needs that nobody meets, upwards, or in a circle.

    Args:
        model: Everything that starts; what it needs and is not among it is external.
    """
    outside = _outside(model)
    upwards = check(model, _UPWARDS, date.min)  # what somebody has accepted keeps nothing down
    return [
        *(
            f"{one.source} needs {one.target}, which is not deployed here"
            for one in sorted(model.dependencies, key=lambda one: (one.source, one.target))
            if one.is_hard and one.target in outside and not _AFTER.isdisjoint(one.at)
        ),
        *(one.sentence for one in upwards if one.accepted is None),
        *(
            f"these services wait for each other: {' → '.join(path)}"
            for path in start_order(model).circles
        ),
    ]


def waves(deployed: Deployed) -> Sequence[Sequence[Key]]:
    """Put services into the waves in which they start."""
    keys = {name_of(key): key for key in deployed}
    return [
        [keys[name] for name in wave] for wave in start_order(model_of_deployed(deployed)).waves
    ]


_PHASES = {phase.value: phase for phase in Phase} | {"runtime": Phase.RUN}


def _dependency(source: str, target: str, need: Need) -> Dependency:
    return Dependency(
        source=source,
        target=target,
        strength=Strength(need.needs),
        at=phases(_PHASES[word] for word in need.at),
        risk=need.risk or Risk.OTHER,
        group=need.group,
        can_change=not need.is_fixed,
        without=need.without or "",
        accepted=need.accepted,
    )


def model_of(parts: Iterable[Part], *, title: str = "") -> Model:
    """Put a model together; what is needed and is in no part is external."""
    every = list(parts)
    components = [one for part in every for one in part.components]
    dependencies = [one for part in every for one in part.dependencies]
    known = {one.name for one in components}
    outside = dict.fromkeys(one.target for one in dependencies if one.target not in known)
    externals = [Component(name=name, kind=Kind.EXTERNAL) for name in outside]
    groups = [one for part in every for one in part.groups]
    return checked([*components, *externals], dependencies, groups, title=title)


def _outside(model: Model) -> set[str]:
    return {one.name for one in model.components if one.kind is Kind.EXTERNAL}
