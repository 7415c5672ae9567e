"""Changes as addresses say them, and what forms ask for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.changes import (
    AddComponent,
    AddDependency,
    AddGroup,
    AlterComponent,
    AlterDependency,
    Change,
    RemoveComponent,
    RemoveDependency,
    Which,
    apply,
)
from drystone.l05_graph.errors import ComponentNotFound
from drystone.l05_graph.model import Component, Dependency, phases
from drystone.l05_graph.words import Phase, Risk, Strength
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.drafts import MOST, added, read, without, written
from drystone.l80_governance.dependencies.errors import QuestionUnclear
from l80_governance.dependencies.knot import knot

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda n: n.strip())
layers = st.none() | st.integers(0, 99)
when = st.sets(st.sampled_from(list(Phase)), min_size=1).map(phases)
which = st.builds(Which, names, names, st.none() | st.sampled_from(list(Risk)), st.none() | when)
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(AddComponent, st.builds(Component, name=names, layer=layers)),
    st.builds(RemoveComponent, names),
    st.builds(AlterComponent, names, layers.map(lambda layer: (("layer", layer),))),
    st.builds(
        AddDependency,
        st.builds(
            Dependency, source=names, target=names, at=when, strength=st.sampled_from(Strength)
        ),
    ),
    st.builds(RemoveDependency, which),
    st.builds(
        AlterDependency, which, st.sampled_from(Strength).map(lambda word: (("strength", word),))
    ),
)


@settings(max_examples=50)
@given(st.lists(changes, max_size=5))
def test_a_draft_is_read_as_it_was_written(draft: list[Change]) -> None:
    lines = written(draft)

    assert len(lines) == len(draft)
    assert read(lines) == tuple(draft)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_address_is_a_draft_or_is_refused(lines: list[str]) -> None:
    with suppress(QuestionUnclear):
        assert len(read(lines)) <= len(lines)


def test_a_draft_has_a_bound() -> None:
    lines = written([RemoveComponent("x")]) * (MOST + 1)
    with pytest.raises(QuestionUnclear, match="keep a version and go on from there"):
        read(lines)


def asked(**fields: str) -> Asked:
    return Asked(fields.items())


@pytest.mark.parametrize(
    ("verb", "strength", "at"),
    [
        ("soften", Strength.SOFT, (Phase.DEPLOY,)),
        ("harden", Strength.HARD, (Phase.DEPLOY,)),
        ("later", Strength.HARD, (Phase.RUN,)),
    ],
)
def test_a_form_changes_a_dependency(verb: str, strength: Strength, at: tuple[Phase, ...]) -> None:
    model = knot()
    form = asked(do="dependency", source="registry", target="orchestrator", verb=verb)

    after = apply(model, added(model, form))

    (one,) = (d for d in after.needs["registry"] if d.target == "orchestrator")
    assert (one.strength, one.at) == (strength, at)


def test_forms_add_remove_and_pin() -> None:
    model = knot()
    forms = [
        asked(do="add-component", component="mirror", layer="1"),
        asked(do="dependency", source="registry", target="mirror", verb="add", strength="soft"),
        asked(do="layer", component="shop", layer="7"),
        asked(do="dependency", source="shop", target="orchestrator", verb="remove"),
        asked(do="remove-component", component="network"),
        asked(do="layer", component="mirror", layer=""),
    ]
    for form in forms:
        model = apply(model, added(model, form))

    assert model.by_name["shop"].layer == 7
    assert model.by_name["mirror"].layer is None
    assert "network" not in model.by_name
    assert [d.target for d in model.needs["registry"]] == ["orchestrator", "mirror"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"do": "everything"},
        {"do": "layer", "component": "shop", "layer": "-1"},
        {"do": "dependency", "source": "shop"},
        {"do": "dependency", "source": "shop", "target": "network", "verb": "soften"},
        {"do": "dependency", "source": "shop", "target": "network", "verb": "explode"},
    ],
)
def test_a_form_that_asks_for_nothing_sensible_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(QuestionUnclear):
        added(knot(), asked(**fields))


def test_a_form_about_what_is_not_there_proposes_another() -> None:
    with pytest.raises(ComponentNotFound, match="did you mean 'shop'"):
        added(knot(), asked(do="layer", component="shp", layer="1"))


def test_alternatives_are_made_changed_and_ended() -> None:
    model = knot()
    make = asked(
        do="group",
        component="registry",
        group="either",
        targets="network, orchestrator",
        enough="1",
    )
    changes = added(model, make)
    made = apply(model, changes)
    assert [(g.component, g.name, g.at_least) for g in made.groups] == [("registry", "either", 1)]
    assert {d.group for d in made.needs["registry"]} == {"either"}

    both = apply(
        made, added(made, asked(do="group", component="registry", group="either", enough="2"))
    )
    assert both.groups[0].at_least == 2
    form = asked(do="group", component="registry", group="either", verb="dissolve")
    ended = apply(both, added(both, form))
    assert (ended.groups, {d.group for d in ended.needs["registry"]}) == ((), {None})

    assert isinstance(changes[0], AddGroup)
    assert without(changes, 0) == []
    assert len(without(changes, 1)) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "group", "component": "shop", "group": "new", "verb": "dissolve"},
        {"do": "group", "component": "shop", "group": "new", "targets": "network"},
        {"do": "group", "component": "shop", "group": "new", "enough": "0"},
        {"do": "group", "component": "shop", "targets": "orchestrator"},
    ],
)
def test_alternatives_that_cannot_be_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(QuestionUnclear):
        added(knot(), asked(**fields))
