"""Models that tests are made with, and what recovers of them by the plain definition."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import strategies as st

from drystone.l05_graph.model import Component, Dependency, Group, Model, checked, phases
from drystone.l05_graph.words import BEFORE_SERVING, Phase, Strength


def need(
    source: str, target: str, *at: Phase, soft: bool = False, group: str | None = None
) -> Dependency:
    return Dependency(
        source=source,
        target=target,
        strength=Strength.SOFT if soft else Strength.HARD,
        at=phases(at) or (Phase.RUN,),
        group=group,
    )


def model_of(*lines: Dependency, groups: Collection[Group] = (), names: str = "") -> Model:
    """Make a model of dependencies; the components are those that they name, and more."""
    found = dict.fromkeys([*names, *(n for one in lines for n in (one.source, one.target))])
    return checked([Component(name=name) for name in found], lines, groups)


@st.composite
def models(draw: st.DrawFn, *, most: int = 7, most_needs: int = 16) -> Model:
    """Draw a small model, often with tangles and alternatives."""
    names = [f"c{number}" for number in range(draw(st.integers(1, most)))]
    name = st.sampled_from(names)
    when = st.sets(st.sampled_from([Phase.START, Phase.RUN, Phase.RUN]), min_size=1)
    strength = st.sampled_from([Strength.HARD, Strength.HARD, Strength.UNKNOWN, Strength.SOFT])
    line = st.tuples(name, name, when, strength, st.sampled_from([None, None, "g"]))
    found: dict[object, Dependency] = {}
    for source, target, at, how, group in draw(st.lists(line, max_size=most_needs)):
        if source != target:
            one = Dependency(source=source, target=target, strength=how, at=phases(at), group=group)
            found[one.key] = one
    members = [one for one in found.values() if one.group is not None]
    groups = [
        Group(
            component=source,
            name="g",
            at_least=draw(st.integers(1, sum(one.source == source for one in members))),
        )
        for source in dict.fromkeys(one.source for one in members)
    ]
    return checked([Component(name=name) for name in names], found.values(), groups)


def recovered(
    model: Model, waived: Collection[object] = (), placed_at_first: Collection[str] = ()
) -> set[str]:
    """Bring up what can be, step by step, as people would; returns what serves in the end."""
    placed, serving = set(placed_at_first), _serving(model, set(placed_at_first), waived)
    while True:
        new = {
            one.name
            for one in model.components
            if one.name in placed or _is_met(model, one.name, serving, waived, before=True)
        }
        if new == placed:
            return serving
        placed, serving = new, _serving(model, new, waived)


def _serving(model: Model, placed: set[str], waived: Collection[object]) -> set[str]:
    serving = set(placed)
    while lacking := {
        name for name in serving if not _is_met(model, name, serving, waived, before=False)
    }:
        serving -= lacking
    return serving


def _is_met(
    model: Model, name: str, serving: set[str], waived: Collection[object], *, before: bool
) -> bool:
    def counts(one: Dependency) -> bool:
        return bool(BEFORE_SERVING & set(one.at)) if before else Phase.RUN in one.at

    mine = model.needs.get(name, ())
    for one in mine:
        is_plain = one.group is None and one.is_hard and one.key not in waived
        if is_plain and counts(one) and one.target not in serving:
            return False
    for group in model.groups:
        members = [one for one in mine if one.group == group.name]
        if group.component == name and any(map(counts, members)):
            there = sum(one.target in serving or one.key in waived for one in members)
            if any(one.is_hard for one in members) and there < group.at_least:
                return False
    return True
