"""What must work for a component to work: of so many others, at least so many.

A hard dependency outside of a group is a requirement by itself. A group is one requirement on all of its members, if any
of them is hard. What is soft, or is needed in another phase, is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.words import Phase, Strength

WHILE_SERVING = frozenset({Phase.RUN})


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """Of these, at least so many.

    Attributes:
        at_least: How many must work.
        members: Components, each once.
    """

    at_least: int
    members: tuple[str, ...]


def requirements(
    model: Model, at: Collection[Phase] = WHILE_SERVING
) -> Mapping[str, tuple[Requirement, ...]]:
    """Return what each component requires in one of these phases; one that requires nothing has no entry.

    A group of which fewer members are needed in these phases than must work requires all of those.
    """
    at_least = {(group.component, group.name): group.at_least for group in model.groups}
    wanted = frozenset(at)
    (phase,) = wanted if len(wanted) == 1 else (None,)
    single: dict[str, Requirement] = {}
    found: dict[str, tuple[Requirement, ...]] = {}
    for name, every in model.needs.items():
        if phase is not None:
            needs = [one for one in every if phase in one.at]
        else:
            needs = [one for one in every if not wanted.isdisjoint(one.at)]
        mine = _of(name, needs, at_least, single)
        if mine:
            found[name] = mine
    return found


def _of(
    name: str,
    needs: Sequence[Dependency],
    at_least: Mapping[tuple[str, str], int],
    single: dict[str, Requirement],
) -> tuple[Requirement, ...]:
    alone: dict[str, None] = {}
    groups: dict[str, dict[str, bool]] = {}
    for one in needs:
        if one.group is not None:
            members = groups.setdefault(one.group, {})
            members[one.target] = members.get(one.target, False) or one.is_hard
        elif one.strength is not Strength.SOFT:
            alone[one.target] = None
    # A requirement of one component is the same for all who have it.
    found = [single.get(target) or _single(target, single) for target in alone]
    for group, members in groups.items():
        if any(members.values()):
            count = min(at_least[name, group], len(members))
            found.append(Requirement(count, tuple(members)))
    return tuple(found)


def _single(target: str, known: dict[str, Requirement]) -> Requirement:
    known[target] = found = Requirement(1, (target,))
    return found
