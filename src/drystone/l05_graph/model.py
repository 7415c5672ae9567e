"""The dependency model: components, what they depend on, and what is said about both.

A model never changes. A scenario is a model and a list of changes (:mod:`~drystone.l05_graph.changes`), which give another
model.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cached_property

import msgspec

from drystone.l05_graph.errors import MOST_SHOWN, ComponentNotFound, Mistake, ModelInvalid
from drystone.l05_graph.words import Kind, Phase, Plane, Resilience, Risk, Strength


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """How long something takes, as people estimate it: at least, most likely, at most."""

    least: timedelta
    likely: timedelta
    most: timedelta


class BreakGlass(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a component is brought up without one that it needs, by hand.

    Attributes:
        takes: How long that takes.
        cost: What it costs, in the unit of all costs of the model.
        runbook: Where it is written.
    """

    takes: timedelta
    cost: float = 1.0
    runbook: str = ""


class Pillar(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A low fallback that could be made for a component, so that nobody needs the component itself.

    Attributes:
        cost: What it costs to make.
        adoption: What it costs each that takes it in place of the component.
    """

    cost: float
    adoption: float = 1.0


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """Something that others depend on, or that depends on others.

    Attributes:
        name: Unique in the model.
        kind: What it is.
        owner: The team that answers for it.
        crew: Who brings it back in a disaster; the owner when None.
        tier: How important it is: 0 is the most.
        layer: Its height in the cake, if that is decided.
        cost_move: What it costs to move that layer; nobody may when None.
        plane: Which half it is part of.
        regions: Where it runs.
        resilience: What it claims to survive.
        slo: Share of the time, 0 to 1, in which it promises to work.
        availability: Share of the time, 0 to 1, in which it works by itself when all that it needs does.
        recovery: How long it takes to bring back when all that it needs is there.
        break_glass: How it is brought back without what it needs.
        pillar: What a fallback for it would cost.
        products: The products that it is a part of.
        note: For people.
    """

    name: str
    kind: Kind = Kind.SERVICE
    owner: str | None = None
    crew: str | None = None
    tier: int | None = None
    layer: int | None = None
    cost_move: float | None = None
    plane: Plane | None = None
    regions: tuple[str, ...] = ()
    resilience: Resilience | None = None
    slo: float | None = None
    availability: float | None = None
    recovery: Estimate | None = None
    break_glass: BreakGlass | None = None
    pillar: Pillar | None = None
    products: tuple[str, ...] = ()
    note: str = ""


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A risk that somebody has accepted, for a time.

    Attributes:
        by: Who.
        reason: Why.
        until: The last day of it.
    """

    by: str
    reason: str
    until: date


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """That one component needs another.

    Attributes:
        source: Who needs.
        target: What is needed.
        strength: How much.
        at: When, in the order of the phases.
        risk: What for.
        group: Name of the group of its source that it is an alternative in.
        cost_remove: What it costs to do without it; a default by :mod:`~drystone.l05_graph.costs` when None.
        cost_soften: What it costs to make it soft; a default when None.
        can_change: Whether it could be removed, softened or moved at all.
        without: What happens without it.
        accepted: The acceptance of what is wrong with it.
        note: For people.
    """

    source: str
    target: str
    strength: Strength = Strength.UNKNOWN
    at: tuple[Phase, ...] = (Phase.RUN,)
    risk: Risk = Risk.OTHER
    group: str | None = None
    cost_remove: float | None = None
    cost_soften: float | None = None
    can_change: bool = True
    without: str = ""
    accepted: Acceptance | None = None
    note: str = ""

    @property
    def key(self) -> Key:
        """What tells it from every other of the model."""
        return (self.source, self.target, self.risk, self.at)

    @property
    def is_hard(self) -> bool:
        """Whether its source does not work without; what nobody has said counts as that."""
        return self.strength is not Strength.SOFT

    def sentence(self) -> str:
        """Name it in a message."""
        return (
            f"{self.source} → {self.target} ({self.strength}, at {', '.join(self.at)}, {self.risk})"
        )


Key = tuple[str, str, Risk, tuple[Phase, ...]]
Path = tuple[Dependency, ...]
"""Dependencies, each from where the one before leads to."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Alternatives: of the dependencies that name it, so many are enough.

    Attributes:
        component: Whose.
        name: Unique among the groups of the component.
        at_least: How many are needed.
    """

    component: str
    name: str
    at_least: int = 1


class Model(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Components and dependencies that fit together; made by :func:`checked`.

    Attributes:
        title: For people.
        components: In the order in which they were read; no name twice.
        dependencies: Between components that are there; no key twice.
        groups: Of components that are there.
        parent: Digest of the model that this one was made from.
    """

    title: str = ""
    components: tuple[Component, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    groups: tuple[Group, ...] = ()
    parent: str | None = None

    @cached_property
    def by_name(self) -> Mapping[str, Component]:
        """The components by name."""
        return {component.name: component for component in self.components}

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The place of each component in the order."""
        return {component.name: number for number, component in enumerate(self.components)}

    @cached_property
    def ends(self) -> tuple[list[int], list[int]]:
        """Who depends and on what, by number, for each dependency."""
        numbers, every = self.numbers, self.dependencies
        return [numbers[one.source] for one in every], [numbers[one.target] for one in every]

    @cached_property
    def needs(self) -> Mapping[str, tuple[Dependency, ...]]:
        """What each component depends on; a component that needs nothing has no entry."""
        return _grouped((one.source, one) for one in self.dependencies)

    @cached_property
    def users(self) -> Mapping[str, tuple[Dependency, ...]]:
        """What depends on each component; one that nobody needs has no entry."""
        return _grouped((one.target, one) for one in self.dependencies)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what it says, whatever the order and the title."""
        parts = [*self.components, *self.dependencies, *self.groups]
        lines = sorted(msgspec.json.encode((type(part).__name__, part)) for part in parts)
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    def component(self, name: str) -> Component:
        """Return a component.

        Raises:
            ComponentNotFound: There is none of that name; the message proposes one that is like it.
        """
        found = self.by_name.get(name)
        if found is None:
            raise ComponentNotFound(unknown(name, self.by_name), component=name)
        return found


def checked(
    components: Iterable[Component],
    dependencies: Iterable[Dependency],
    groups: Iterable[Group] = (),
    *,
    title: str = "",
    parent: str | None = None,
    places: Mapping[int, str] | None = None,
) -> Model:
    """Put a model together.

    Args:
        components: Its components.
        dependencies: Their dependencies.
        groups: Alternatives among these.
        title: For people.
        parent: Digest of the model that it was made from.
        places: Where something was read, by ``id()`` of the component, dependency or group.

    Raises:
        ModelInvalid: It contradicts itself; every mistake is in it, with its place.
    """
    model = Model(
        title=title,
        components=tuple(components),
        dependencies=tuple(dependencies),
        groups=tuple(groups),
        parent=parent,
    )
    mistakes = [
        Mistake(message, (places or {}).get(id(what), "")) for what, message in _mistakes(model)
    ]
    if mistakes:
        raise ModelInvalid(mistakes)
    return model


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that there is no such component, and which one may be meant."""
    alike = difflib.get_close_matches(name, list(known), n=1)
    meant = f"; did you mean {alike[0]!r}?" if alike else "; declare it among the components"
    return f"there is no component {name!r}{meant}"


def _grouped(pairs: Iterable[tuple[str, Dependency]]) -> Mapping[str, tuple[Dependency, ...]]:
    found: dict[str, list[Dependency]] = {}
    for name, one in pairs:
        found.setdefault(name, []).append(one)
    return {name: tuple(every) for name, every in found.items()}


def _mistakes(model: Model) -> Iterable[tuple[object, str]]:
    seen: set[str] = set()
    for component in model.components:
        if not component.name.strip():
            yield component, "a component has no name"
        if component.name in seen:
            yield component, f"the component {component.name!r} is there twice; remove one"
        seen.add(component.name)
        for message in _of_component(component):
            yield component, f"{component.name}: {message}"
    keys: dict[Key, Dependency] = {}
    guesses = MOST_SHOWN
    for one in model.dependencies:
        if not _is_plain(one, seen):
            # What may be meant is guessed for those that are shown alone: a guess looks at every name.
            for message in _of_dependency(one, seen, guess=guesses > 0):
                guesses -= 1
                yield one, message
        other = keys.setdefault(one.key, one)
        if other is not one:
            how = "again" if other == one else "with other attributes"
            yield one, f"{one.sentence()} is there {how}; keep one of the two"
    yield from _of_groups(model)


def _of_component(component: Component) -> Iterable[str]:
    for word, share in (("slo", component.slo), ("availability", component.availability)):
        if share is not None and not 0 < share <= 1:
            yield f"{word} is {share}; it lies above 0 and at most at 1, such as 0.999"
    if component.tier is not None and component.tier < 0:
        yield f"tier is {component.tier}; the most important is 0"
    if component.recovery is not None:
        least, likely, most = msgspec.structs.astuple(component.recovery)
        if not timedelta() <= least <= likely <= most:
            yield "recovery takes at least, likely and at most so long: they must not fall"
    if component.break_glass is not None and component.break_glass.takes < timedelta():
        yield f"break_glass takes {component.break_glass.takes}; a duration is not negative"
    for what, cost in _costs(component):
        if not 0 <= cost < float("inf"):
            yield f"the cost {what} is {cost}; a cost is a number and not negative"


def _costs(component: Component) -> Iterable[tuple[str, float]]:
    if component.cost_move is not None:
        yield "of cost_move", component.cost_move
    if component.break_glass is not None:
        yield "of break_glass", component.break_glass.cost
    if component.pillar is not None:
        yield "of pillar", component.pillar.cost
        yield "of pillar.adoption", component.pillar.adoption


def _is_plain(one: Dependency, known: set[str]) -> bool:
    """Whether nothing can be wrong with a dependency: told quickly, for there may be a million."""
    return (
        one.source != one.target
        and one.source in known
        and one.target in known
        and len(one.at) == 1
        and one.cost_remove is None
        and one.cost_soften is None
    )


def _of_dependency(one: Dependency, known: set[str], *, guess: bool) -> Iterable[str]:
    if one.source == one.target:
        yield f"{one.source} depends on itself; a component always has itself: remove the line"
    for name in dict.fromkeys((one.source, one.target)):
        if name not in known:
            yield f"{one.source} → {one.target}: {unknown(name, known if guess else ())}"
    if not one.at or phases(one.at) != one.at:
        yield f"{one.source} → {one.target}: say when it is needed, each phase once and in order"
    for word, cost in (("cost_remove", one.cost_remove), ("cost_soften", one.cost_soften)):
        if cost is not None and not 0 <= cost < float("inf"):
            yield f"{one.source} → {one.target}: {word} is {cost}; a cost is a number and not negative"


def _of_groups(model: Model) -> Iterable[tuple[object, str]]:
    members: dict[tuple[str, str], list[Dependency]] = {}
    for one in model.dependencies:
        if one.group is not None:
            members.setdefault((one.source, one.group), []).append(one)
    declared: set[tuple[str, str]] = set()
    for group in model.groups:
        key = (group.component, group.name)
        if key in declared:
            yield group, f"{group.component} has two groups {group.name!r}; rename one"
        declared.add(key)
        count = len(members.get(key, ()))
        if not 1 <= group.at_least <= count:
            yield (
                group,
                f"the group {group.name!r} of {group.component} needs {group.at_least} of {count}"
                " dependencies; let it need at least one and at most all",
            )
    for source, name in sorted(members.keys() - declared):
        which = members[source, name][0]
        yield which, f"{source} names the group {name!r}, which is not declared"


def phases(words: Iterable[Phase]) -> tuple[Phase, ...]:
    """Put phases into their order, each once."""
    wanted = set(words)
    return tuple(phase for phase in Phase if phase in wanted)
