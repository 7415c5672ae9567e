from __future__ import annotations

import pytest
from hypothesis import given

from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.errors import ComponentNotFound
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Model
from drystone.l05_graph.reach import impact, path, shown, tree
from drystone.l05_graph.words import Phase
from l05_graph.models import models

SHOP = survey.read("""
defaults: {dependency: {strength: hard}}
components:
  shop: {tier: 1, products: [sales], needs: {orders: , mail: soft}}
  orders: {tier: 1, products: [sales], needs: {database: , builder: {at: build}}}
  mail: {needs: {database: }}
  wiki: {products: [help], groups: {search: 1}, needs: {a: {group: search}, b: {group: search}}}
  a: {needs: {database: }}
  b:
  database:
  builder:
""")


def distances(model: Model, source: str) -> dict[str, int]:
    """Find how many steps it is to each, by adding a step to all (the definition, slowly)."""
    found = {source: 0}
    for step in range(1, len(model.components) + 1):
        for one in model.dependencies:
            if found.get(one.source) == step - 1 and one.is_hard:
                found.setdefault(one.target, step)
    return found


@given(models(most=6, most_edges=12, rich=False))
def test_a_path_is_a_shortest_one_and_leads_from_one_to_the_other(model: Model) -> None:
    for source in model.by_name:
        known = distances(model, source)
        for target in model.by_name:
            found = path(model, source, target)
            assert (None if found is None else len(found)) == known.get(target)
            ends = [source, *(one.target for one in found or ())]
            assert [one.source for one in found or ()] == ends[:-1]
            assert found is None or ends[-1] == target


@given(models(most=7, most_edges=14, rich=False))
def test_components_are_in_one_circle_where_each_reaches_the_other(model: Model) -> None:
    def below(name: str) -> list[str]:
        return [one.target for one in model.needs.get(name, ()) if one.is_hard]

    found = circles_of(model.by_name, below)
    place = {name: number for number, together in enumerate(found) for name in together}
    assert sorted(place) == sorted(model.by_name)
    for one in model.by_name:
        for other in model.by_name:
            both = path(model, one, other) is not None and path(model, other, one) is not None
            assert (place[one] == place[other]) == both
    assert all(place[one.target] <= place[one.source] for one in model.dependencies if one.is_hard)


def test_what_falls_and_what_degrades_is_told_apart_with_reasons() -> None:
    found = impact(SHOP, ["database"])
    assert found.falls == ("orders", "mail", "a", "shop")
    assert found.degrades == ("wiki",)
    assert found.by_tier == {1: 2, None: 2}
    assert found.by_product == {"sales": 2}
    assert shown(found.because["shop"]) == "shop → orders"
    assert impact(SHOP, ["mail"]).degrades == ("shop",)
    assert impact(SHOP, ["database", "b"]).falls == ("orders", "mail", "a", "shop", "wiki")


def test_what_is_needed_in_another_phase_is_not_missed() -> None:
    assert impact(SHOP, ["builder"]).falls == ()
    assert impact(SHOP, ["builder"], {Phase.BUILD}).falls == ("orders",)


def test_a_tree_holds_what_a_product_needs_and_says_what_others_need_too() -> None:
    found = tree(SHOP, ["shop", "orders"])
    assert found.members == ("shop", "orders", "database", "builder")
    assert found.shared == {"database": ("help",)}
    assert shown(found.path_to("builder")) == "orders → builder"
    assert "mail" in tree(SHOP, ["shop"], soft=True).members


def test_a_component_that_is_not_there_is_refused() -> None:
    for ask in (
        lambda: path(SHOP, "shop", "x"),
        lambda: impact(SHOP, ["x"]),
        lambda: tree(SHOP, ["x"]),
    ):
        with pytest.raises(ComponentNotFound):
            ask()
