"""What needs what among all that is deployed, kept between questions: a deploy changes one service and asks about it alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from drystone.l05_graph.model import Component, Dependency, Group, Model
from drystone.l25_deployer.dependencies.model import Part
from drystone.l25_deployer.dependencies.standing import Standings

Matters = Callable[[Dependency], bool]


class Landscape:
    """The components of a platform and their dependencies, by both ends.

    Args:
        own: What the platform's own services bring in.
    """

    def __init__(self, own: Part) -> None:
        self.components: dict[str, Component] = {}
        self._parts: dict[str, Part] = {}
        self._needs: dict[str, tuple[Dependency, ...]] = {}
        self._users: dict[str, dict[str, tuple[Dependency, ...]]] = {}
        self._held: dict[str, dict[str, None]] = {}
        """Of each component, those that it could hold up: users that need it hard, or as an alternative."""
        self.standings = Standings(self._described)
        self._own = own
        self._add(own)

    @property
    def parts(self) -> list[Part]:
        """What everything brings in, the platform's own services first."""
        return [self._own, *(self._parts[name] for name in sorted(self._parts))]

    def component(self, name: str) -> Component:
        """Return a component; one of which nothing is known where it is not deployed."""
        return self.components.get(name) or Component(name=name)

    def part(self, service: str) -> Part | None:
        """Return what a service brings in, if it is deployed."""
        return self._parts.get(service)

    def put(self, service: str, part: Part | None) -> None:
        """Replace what a service brings in; None takes it away."""
        old = self._parts.pop(service, None)
        names = {one.name for one in _components(old) + _components(part)}
        before = {name: self.standings.known(name) for name in names}
        if old is not None:
            self._remove(old)
        if part is not None:
            self._parts[service] = part
            self._add(part)
        self.standings.forget(names)
        for name, was in before.items():
            # What is not known was asked by nobody above.
            if was is not None and (above := self.above(name)):
                is_in_a_circle = any(one.target in above for one in self._needs_of(name))
                if is_in_a_circle or self.standings.of(name) != was:
                    self.standings.forget_standing(above)

    def _add(self, part: Part) -> None:
        self.components.update((one.name, one) for one in part.components)
        for source, every in _by_source(part.dependencies).items():
            self._needs[source] = tuple(every)
            for one in every:
                mine = self._users.setdefault(one.target, {})
                mine[source] = (*mine.get(source, ()), one)
                if holds_up(one):
                    self._held.setdefault(one.target, {})[source] = None

    def _remove(self, part: Part) -> None:
        for one in part.components:
            del self.components[one.name]
            for need in self._needs.pop(one.name, ()):
                self._users[need.target].pop(one.name, None)
                self._held.get(need.target, {}).pop(one.name, None)

    def users(self, name: str) -> Iterable[Dependency]:
        """Return the dependencies on a component."""
        return (one for every in self._users.get(name, {}).values() for one in every)

    def above(self, name: str) -> set[str]:
        """Return what a component could hold up over any number of steps, without itself."""
        return _reaching(name, self._held)

    def around(self, name: str) -> set[str]:
        """Return what has to do with a component over any number of steps, however little, without itself."""
        return _reaching(name, self._users)

    def below(self, names: Iterable[str], matters: Matters, instead: Part) -> dict[str, None]:
        """Return what some components need over any number of steps, themselves included.

        Args:
            names: Where to begin.
            matters: Which dependencies are followed.
            instead: Stands in for what its components need now.
        """
        needs = _by_source(instead.dependencies) | {
            one.name: [] for one in instead.components if not _has(instead, one.name)
        }
        found = dict.fromkeys(names)
        waiting = list(found)
        while waiting:
            here = waiting.pop()
            for one in needs.get(here, self._needs.get(here, ())):
                if one.target not in found and matters(one):
                    found[one.target] = None
                    waiting.append(one.target)
        return found

    def between(
        self, name: str, above: Collection[str], matters: Matters, instead: Part
    ) -> dict[str, None]:
        """Return what a component needs over any number of steps that stay within some others, itself included."""

        def stays(one: Dependency) -> bool:
            return one.target in above and matters(one)

        return self.below([name], stays, instead)

    def model(self, names: Iterable[str], matters: Matters, instead: Part) -> Model:
        """Return the model of some components and of the dependencies among them.

        Args:
            names: Of which; what is not deployed has no attributes.
            matters: Which dependencies are part of it.
            instead: Stands in for what its components are and need now.
        """
        theirs = _by_source(instead.dependencies)
        mine = {one.name: one for one in instead.components}
        inside = dict.fromkeys(
            sorted(names)
        )  # whatever the way there, the same witnesses are found
        components = [mine.get(name) or self.component(name) for name in inside]
        dependencies = [
            one
            for name in inside
            for one in (theirs.get(name, ()) if name in mine else self._needs.get(name, ()))
            if one.target in inside and matters(one)
        ]
        groups = [*self._groups(inside, mine), *instead.groups]
        return Model(
            components=tuple(components), dependencies=tuple(dependencies), groups=tuple(groups)
        )

    def _described(self, name: str) -> Part:
        part = self._parts.get(name)
        return Part((self.component(name),), self._needs_of(name), part.groups if part else ())

    def _needs_of(self, name: str) -> tuple[Dependency, ...]:
        return self._needs.get(name, ())

    def _groups(self, inside: Iterable[str], but: Mapping[str, Component]) -> Iterable[Group]:
        for name in inside:
            part = None if name in but else self._parts.get(name)
            yield from part.groups if part else ()


def either(parts: Sequence[Part]) -> Part:
    """Return what a service brings in that may be any of these in a moment: the last one, with the needs of all."""
    needs = dict.fromkeys(one for part in parts for one in part.dependencies)
    groups = {(one.component, one.name): one for part in parts for one in part.groups}
    return Part(
        tuple({one.name: one for part in parts for one in part.components}.values()),
        tuple(needs),
        tuple(groups.values()),
    )


def holds_up(one: Dependency) -> bool:
    """Tell whether a dependency could keep its source down: a hard one does, and an alternative may."""
    return one.is_hard or one.group is not None


def _components(part: Part | None) -> tuple[Component, ...]:
    return part.components if part else ()


def _reaching(name: str, users: Mapping[str, Iterable[str]]) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        for source in users.get(waiting.pop(), ()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found - {name}


def _has(part: Part, name: str) -> bool:
    return any(one.source == name for one in part.dependencies)


def _by_source(dependencies: Iterable[Dependency]) -> dict[str, list[Dependency]]:
    found: dict[str, list[Dependency]] = {}
    for one in dependencies:
        found.setdefault(one.source, []).append(one)
    return found
