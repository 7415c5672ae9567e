"""Backstage."""

from __future__ import annotations

import pytest

from drystone.l05_graph.ingest.backstage import OF_COMPONENTS, Ref, parse
from drystone.l05_graph.ingest.source import Declared
from drystone.l05_graph.words import Phase, Plane, Strength
from l05_graph.ingest.reading import needs, read, skips


def entity(name: str, spec: str = "{}", kind: str = "Component", more: str = "") -> str:
    return (
        f"---\napiVersion: backstage.io/v1alpha1\nkind: {kind}\n"
        f"metadata: {{name: {name}, {more}}}\nspec: {spec}\n"
    )


def catalogue(*entities: str) -> Declared:
    return read("backstage", "".join(entities))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("orders", Ref("component", "default", "orders")),
        ("Resource:db", Ref("resource", "default", "db")),
        ("shop/orders", Ref("component", "shop", "orders")),
        ("API:shop/orders", Ref("api", "shop", "orders")),
    ],
)
def test_a_reference_says_kind_namespace_and_name_or_leaves_them_out(
    written: str, meant: Ref
) -> None:
    assert parse(written, "component") == meant


def test_a_reference_may_be_written_as_a_mapping() -> None:
    found = catalogue(
        entity("user", "{dependsOn: [{kind: Resource, namespace: shop, name: db}, {name: x}, {}]}"),
        entity("db", kind="Resource", more="namespace: shop"),
        entity("x"),
    )
    assert [line.split(" (")[0] for line in needs(found)] == [
        "user → resource:shop/db",
        "user → x",
    ]
    assert "names no component, resource or API" in skips(found)[0]


def test_several_providers_of_an_api_are_a_choice() -> None:
    found = catalogue(
        entity("user", "{consumesApis: [API:orders]}"),
        entity("one", "{providesApis: [orders]}"),
        entity("two", "{providesApis: [orders]}"),
        entity("orders", kind="API"),
    )
    assert [group.name for group in found.model.groups] == ["one | two"]
    assert not found.notes


def test_an_api_that_nobody_provides_is_external() -> None:
    found = catalogue(entity("user", "{consumesApis: [orders]}"))
    assert found.model.component("api:orders").note == "nobody is said to provide it"
    assert found.notes == ("1:5: the API 'api:orders' is declared nowhere",)


def test_names_are_found_without_regard_to_case() -> None:
    found = catalogue(entity("Orders"), entity("user", "{dependsOn: ['component:orders']}"))
    assert needs(found) == ["user → Orders (unknown, at run, other)"]


def test_annotations_say_what_the_catalogue_does_not() -> None:
    said = "annotations: {drystone.dev/strength: soft, drystone.dev/strength.b: hard,"
    said += " drystone.dev/phase.b: 'start,run', drystone.dev/plane: data, drystone.dev/slo: 99.9%,"
    said += " drystone.dev/recovery: 90m, drystone.dev/risk.b: auth, other.dev/x: y}"
    found = catalogue(entity("a", "{dependsOn: [b, c]}", more=said), entity("b"), entity("c"))
    b, c = found.model.needs["a"]
    assert (b.strength, b.at, b.risk) == (Strength.HARD, (Phase.START, Phase.RUN), "auth")
    assert (c.strength, c.at) == (Strength.SOFT, (Phase.RUN,))
    a = found.model.component("a")
    assert (a.plane, a.slo, a.recovery is not None) == (Plane.DATA, 0.999, True)
    assert not found.skips


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (
            "drystone.dev/tear: 1",
            "the annotation 'drystone.dev/tear' is unknown; did you mean drystone.dev/tier?",
        ),
        ("drystone.dev/tier: high", "drystone.dev/tier: expected a whole number, got 'high'"),
        (
            "drystone.dev/tier: -1",
            "an annotation will not do: a: tier is -1; the most important is 0",
        ),
        ("drystone.dev/owner.b: x", "the annotation 'drystone.dev/owner.b' is unknown"),
    ],
)
def test_an_annotation_that_will_not_do_is_told(annotation: str, told: str) -> None:
    found = catalogue(entity("a", more=f"annotations: {{{annotation}}}"))
    assert told in skips(found)[0]
    assert found.model.component("a").tier is None


def test_every_attribute_of_one_value_has_an_annotation() -> None:
    assert {"tier", "layer", "plane", "regions", "slo", "recovery"} <= {*OF_COMPONENTS}


def test_an_entity_that_is_there_twice_and_one_of_another_kind_are_told() -> None:
    found = catalogue(
        entity("a"), entity("A", "{owner: x}"), entity("u", kind="User"), "---\na: 1\n"
    )
    assert sorted(skips(found)) == [
        "1 times: 'A' is already at 1:2; that counts (1:7)",
        "1 times: a 'user' is no part of a dependency model (1:12)",
        "1 times: no Backstage entity: no 'apiVersion: backstage.io/…' (1:17)",
    ]
