"""Changes as addresses say them, and what forms ask for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.changes import (
    AddComponent,
    AddDependency,
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
from drystone.l80_governance.dependencies.drafts import MOST, added, read, written
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


@given(st.lists(changes, max_size=5))
def test_a_draft_is_read_as_it_was_written(draft: list[Change]) -> None:
    lines = written(draft)

    assert len(lines) == len(draft)
    assert read(lines) == tuple(draft)


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

    after = apply(model, [added(model, form)])

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
        model = apply(model, [added(model, form)])

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
