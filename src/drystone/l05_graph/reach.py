"""Who needs whom, over however many steps: paths as evidence, what falls with a component, what a product consists of.

Breadth-first searches over the model, in pure Python: they are asked about one component at a time, at a deploy or in an
outage. Questions about all components at once are answered by :mod:`~drystone.l05_graph.closures`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from drystone.l05_graph.model import Component, Dependency, Model
from drystone.l05_graph.requirements import WHILE_SERVING, Requirement, requirements
from drystone.l05_graph.words import Phase

Matters = Callable[[Dependency], bool]
Path = tuple[Dependency, ...]
"""Dependencies, each from where the one before leads to."""


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
        members: In the order of their distance from the roots.
        shared: Those members that are also needed by a product to which no root belongs, with these products.
        entered_by: The dependency by which a member is first met; none for roots.
    """

    roots: tuple[str, ...]
    members: tuple[str, ...]
    shared: Mapping[str, tuple[str, ...]]
    entered_by: Mapping[str, Dependency | None]

    def path_to(self, member: str) -> Path:
        """Return a shortest path from a root to a member."""
        return _path_to(member, self.entered_by)


def tree(model: Model, roots: Sequence[str], matters: Matters = is_hard) -> Tree:
    """Return all that some components need.

    Raises:
        ComponentNotFound: There is no such component.
    """
    inside = {product for name in roots for product in model.component(name).products}
    found = _search(model, roots, matters)
    others: dict[str, set[str]] = {}
    for product in sorted(products(model).keys() - inside):
        for name in _search(model, products(model)[product], matters):
            if name in found:
                others.setdefault(name, set()).add(product)
    return Tree(
        roots=tuple(roots),
        members=tuple(found),
        shared={name: tuple(sorted(others[name])) for name in found if name in others},
        entered_by=found,
    )


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
        degrades: What goes on, without something that it can do without, in the order of the model.
        because: For each that falls, its dependencies on what had fallen before.
        by_tier: How many fall of each tier; None for those without.
        by_product: How many fall of each product.
    """

    failed: tuple[str, ...]
    falls: tuple[str, ...]
    degrades: tuple[str, ...]
    because: Mapping[str, Path]
    by_tier: Mapping[int | None, int]
    by_product: Mapping[str, int]


def impact(model: Model, failed: Sequence[str], at: Collection[Phase] = WHILE_SERVING) -> Impact:
    """Return what happens when components fail.

    A component falls once fewer members of one of its requirements work than it needs: the least fixpoint, so that a
    circle that holds itself up goes on.

    Args:
        model: Where.
        failed: Which components fail, all at once.
        at: What is needed in these phases is missed.

    Raises:
        ComponentNotFound: There is no such component.
    """
    for name in failed:
        model.component(name)
    wanted = frozenset(at)
    order = _falling(model, failed, requirements(model, wanted))
    rank = {name: number for number, name in enumerate([*failed, *order])}
    degrades = {
        one.source
        for name in rank
        for one in model.users.get(name, ())
        if one.source not in rank and not wanted.isdisjoint(one.at)
    }
    fallen: list[Component] = [model.by_name[name] for name in order]
    return Impact(
        failed=tuple(failed),
        falls=tuple(order),
        degrades=tuple(name for name in model.by_name if name in degrades),
        because={name: _reasons(model, name, rank, wanted) for name in order},
        by_tier=Counter(component.tier for component in fallen),
        by_product=Counter(product for component in fallen for product in component.products),
    )


def _falling(
    model: Model, failed: Sequence[str], required: Mapping[str, tuple[Requirement, ...]]
) -> list[str]:
    gone, order = set(failed), []
    waiting = deque(failed)
    while waiting:
        users = dict.fromkeys(one.source for one in model.users.get(waiting.popleft(), ()))
        for user in users:
            if user not in gone and any(
                sum(member not in gone for member in need.members) < need.at_least
                for need in required.get(user, ())
            ):
                gone.add(user)
                order.append(user)
                waiting.append(user)
    return order


def _reasons(model: Model, name: str, rank: Mapping[str, int], at: frozenset[Phase]) -> Path:
    mine = rank[name]
    return tuple(
        one
        for one in model.needs.get(name, ())
        if rank.get(one.target, mine) < mine and one.is_hard and not at.isdisjoint(one.at)
    )
