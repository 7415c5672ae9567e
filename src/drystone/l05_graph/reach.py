"""Who needs whom, over however many steps: paths as evidence, what falls with a component, what a product consists of.

Breadth-first searches over the model, in pure Python: they are asked about one component at a time, at a deploy or in an
outage. Questions about all components at once are answered by :mod:`~drystone.l05_graph.closures`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from drystone.l05_graph.falling import Falling, falls_with
from drystone.l05_graph.model import Component, Dependency, Model, Path
from drystone.l05_graph.requirements import ALWAYS, WHILE_SERVING, Requirements
from drystone.l05_graph.words import Phase

Matters = Callable[[Dependency], bool]


def every_one(_: Dependency) -> bool:
    """Let every dependency matter."""
    return True


def is_hard(one: Dependency) -> bool:
    """Let hard dependencies matter, and those of which nobody has said how hard they are."""
    return one.is_hard


def path(model: Model, source: str, target: str, matters: Matters = is_hard) -> Path | None:
    """Return a shortest path by which a component needs another; empty from a component to itself, None without one.

    Raises:
        ComponentNotFound: There is no such component.
    """
    for name in (source, target):
        model.component(name)
    found = _search(model, [source], matters, until=target)
    return _path_to(target, found) if target in found else None


def _search(
    model: Model, roots: Iterable[str], matters: Matters, until: str | None = None
) -> dict[str, Dependency | None]:
    """Return what the roots need in any number of steps, with the dependency by which it was first met."""
    found: dict[str, Dependency | None] = dict.fromkeys(roots)
    waiting = deque(found)
    while waiting and (until is None or until not in found):
        for one in model.needs.get(waiting.popleft(), ()):
            if one.target not in found and matters(one):
                found[one.target] = one
                waiting.append(one.target)
    return found


def _path_to(target: str, found: Mapping[str, Dependency | None]) -> Path:
    steps: list[Dependency] = []
    step = found[target]
    while step is not None:
        steps.append(step)
        step = found[step.source]
    return tuple(reversed(steps))


def shown(path: Sequence[Dependency]) -> str:
    """Write a path: ``a → b → c``; empty for an empty one."""
    return " → ".join([*(one.source for one in path[:1]), *(one.target for one in path)])


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """All that some components need, themselves included: what a cell has to hold.

    Attributes:
        roots: Of whom.
        members: In the order of their distance from the roots, with every alternative.
        spare: Those members that no root misses while all others work: alternatives, and what only they need.
        shared: Those members that are also needed by a product to which no root belongs, with these products.
        entered_by: The dependency by which a member is first met; none for roots.
    """

    roots: tuple[str, ...]
    members: tuple[str, ...]
    spare: tuple[str, ...]
    shared: Mapping[str, tuple[str, ...]]
    entered_by: Mapping[str, Dependency | None]

    def path_to(self, member: str) -> Path:
        """Return a shortest path from a root to a member."""
        return _path_to(member, self.entered_by)


def tree(model: Model, roots: Sequence[str], *, soft: bool = False) -> Tree:
    """Return all that some components may need in any phase: hard dependencies, and the members of hard groups.

    A cell that lacks a spare member can begin and can work; it has fewer alternatives than were wanted.

    Args:
        model: Where.
        roots: Of whom.
        soft: Whether also what they can do without.

    Raises:
        ComponentNotFound: There is no such component.
    """
    inside = {product for name in roots for product in model.component(name).products}
    matters = every_one if soft else _required(model)
    found = _search(model, roots, matters)
    others: dict[str, set[str]] = {}
    for product in sorted(products(model).keys() - inside):
        for name in _search(model, products(model)[product], matters):
            if name in found:
                others.setdefault(name, set()).add(product)
    single, numbers = falls_with(Requirements(model, ALWAYS)), model.numbers
    missed = 0
    for root in roots:
        missed |= single[numbers[root]]
    return Tree(
        roots=tuple(roots),
        members=tuple(found),
        spare=tuple(name for name in found if not missed >> numbers[name] & 1),
        shared={name: tuple(sorted(others[name])) for name in found if name in others},
        entered_by=found,
    )


def _required(model: Model) -> Matters:
    """Let dependencies matter that are hard, and all alternatives of a group of which one is."""
    groups = {(one.source, one.group) for one in model.dependencies if one.group and one.is_hard}
    return lambda one: one.is_hard or (one.source, one.group) in groups


def products(model: Model) -> Mapping[str, tuple[str, ...]]:
    """Return the components of each product."""
    found: dict[str, list[str]] = {}
    for component in model.components:
        for product in component.products:
            found.setdefault(product, []).append(component.name)
    return {product: tuple(names) for product, names in found.items()}


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when components fail: the blast radius.

    Attributes:
        failed: Which.
        falls: What does not work any more, in the order in which it falls, without those.
        degrades: What goes on, without something that it can do without or has alternatives for, in the order of the model.
        because: For each that falls, the dependencies by which it does, on what had fallen before; of alternatives only
            where too few are left.
        by_tier: How many fall of each tier; None for those without.
        by_product: How many fall of each product.
    """

    failed: tuple[str, ...]
    falls: tuple[str, ...]
    degrades: tuple[str, ...]
    because: Mapping[str, tuple[Dependency, ...]]
    by_tier: Mapping[int | None, int]
    by_product: Mapping[str, int]


def impact(model: Model, failed: Sequence[str], at: Collection[Phase] = WHILE_SERVING) -> Impact:
    """Return what happens when components fail, by :mod:`~drystone.l05_graph.falling`.

    Args:
        model: Where.
        failed: Which components fail, all at once.
        at: What is needed in these phases is missed.

    Raises:
        ComponentNotFound: There is no such component.
    """
    for name in failed:
        model.component(name)
    wanted, every = frozenset(at), model.components
    falling = Falling(Requirements(model, wanted))
    first = [model.numbers[name] for name in failed]
    gone, failing = falling.fail(first), set(first)
    fallen: list[Component] = [every[one] for one in gone if one not in failing]
    fell = {every[one].name for one in gone}
    degrades = {
        one.source
        for name in fell
        for one in model.users.get(name, ())
        if one.source not in fell and not wanted.isdisjoint(one.at)
    }
    return Impact(
        failed=tuple(failed),
        falls=tuple(one.name for one in fallen),
        degrades=tuple(name for name in model.by_name if name in degrades),
        because={
            one.name: tuple(
                model.dependencies[line] for line in falling.reasons(model.numbers[one.name])
            )
            for one in fallen
        },
        by_tier=Counter(component.tier for component in fallen),
        by_product=Counter(product for component in fallen for product in component.products),
    )
