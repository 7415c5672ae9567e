"""Environments: the base, changed; and where every value of the result was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.errors import Invalid
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l25_deployer.descriptor import Merged, read, resolve
from drystone.l25_deployer.descriptor.overlays import merged
from drystone.l25_deployer.descriptor.reading import DESCRIPTOR
from drystone.l25_deployer.descriptor.shapes import Free
from drystone.l25_deployer.errors import DescriptorRefused
from l25_deployer.descriptor.samples import HEAD, MINIMAL, ORDERS, damaged


def in_environment(text: str, environment: str, region: str | None = None) -> Merged:
    return resolve(read(text), environment, region)


def test_the_region_changes_the_environment_which_changes_the_base() -> None:
    local = in_environment(ORDERS, "local").descriptor
    prod = in_environment(ORDERS, "prod").descriptor
    west = in_environment(ORDERS, "prod", "eu-west").descriptor
    assert (local.scale.min, local.scale.max, local.deploy.strategy) == (1, 1, "cutover")
    assert (prod.scale.min, prod.scale.max, prod.deploy.strategy) == (4, 40, "progressive")
    assert (west.scale.min, west.scale.max) == (2, 40)


def test_an_environment_that_is_not_mentioned_is_the_base() -> None:
    reading = read(ORDERS)
    assert reading.descriptor is not None
    found = resolve(reading, "dev").descriptor
    assert found.scale == reading.descriptor.scale
    assert found.environments == {}


def test_mappings_merge_and_lists_replace_and_null_removes() -> None:
    text = MINIMAL + (
        "config: [a, b]\nenv: {A: 1, B: 2, C: 3}\nlayer: 3\n"
        "environments: {dev: {config: [c], env: {B: 20, C: null, D: 4}, layer: null}}\n"
    )
    found = in_environment(text, "dev").descriptor
    assert found.config == ("c",)
    assert found.env == {"A": "1", "B": "20", "D": "4"}
    assert found.layer is None


def test_a_short_form_merges_as_its_long_form() -> None:
    text = MINIMAL + (
        "health: /up\nscale: 3\ndependencies: {billing: hard}\nenvironments:\n"
        "  dev: {health: {interval: 1s}, scale: {max: 9}, dependencies: {billing: {timeout: 9s}}}\n"
        "  prod: {health: /ready}\n"
    )
    dev = in_environment(text, "dev").descriptor
    assert (dev.health.path, dev.health.interval.total_seconds()) == ("/up", 1)
    assert (dev.scale.min, dev.scale.max) == (3, 9)
    assert dev.dependencies["billing"].timeout.total_seconds() == 9
    assert in_environment(text, "prod").descriptor.health.path == "/ready"


def test_a_resource_may_be_of_another_type_in_one_environment() -> None:
    text = MINIMAL + (
        "resources: {store: {type: postgres, connections: 7}}\n"
        "environments: {dev: {resources: {store: {type: volume}}}}\n"
    )
    assert in_environment(text, "dev").descriptor.resources["store"].type_name == "volume"


def test_an_environment_may_run_something_else() -> None:
    text = HEAD + (
        "image: registry.example.com/orders:${version}\n"
        "environments: {local: {image: null, process: {command: [python, -m, orders]}}}\n"
    )
    assert in_environment(text, "local").descriptor.image is None
    assert in_environment(text, "prod").descriptor.process is None


def test_a_mistake_of_the_base_is_not_reported_again_for_its_environments() -> None:
    text = damaged(ORDERS, "attempts: 3", "attempts: three")
    assert len(read(text).problems) == 1


def test_a_mistake_that_only_the_merge_makes_is_shown_in_the_line_that_makes_it() -> None:
    text = MINIMAL + "scale: {min: 2, max: 10}\nenvironments:\n  prod:\n    scale: {min: 40}\n"
    (problem,) = read(text).problems
    assert problem.message == "environment 'prod': scale: max 10 is less than min 40"
    assert problem.line == 5  # the key that is too small stands in the base


def test_the_place_of_every_value_is_known() -> None:
    found = in_environment(ORDERS, "prod", "eu-west").positions

    def line(*path: str | int) -> int | None:
        origin = found.of(path)
        return origin.line if origin else None

    assert line("scale", "min") == ORDERS[: ORDERS.index("prod.eu-west:")].count("\n") + 1
    assert line("scale", "max") == ORDERS[: ORDERS.index("  prod:")].count("\n") + 2
    assert line("scale", "cpu") == ORDERS[: ORDERS.index("scale:")].count("\n") + 1
    assert line("stop") is None
    assert found.near(("stop", "drain")) is None
    assert found.near(("health", "interval")) == found.of(("health",))


@pytest.mark.parametrize(
    ("environment", "region"), [("Prod", None), ("a.b", None), ("prod", "EU"), ("", None)]
)
def test_names_of_environments_are_names(environment: str, region: str | None) -> None:
    with pytest.raises(Invalid, match="no name of a"):
        in_environment(MINIMAL, environment, region)


def test_a_descriptor_with_mistakes_has_no_environments() -> None:
    with pytest.raises(DescriptorRefused, match="unknown key 'teir'"):
        in_environment(MINIMAL + "teir: 1\n", "dev")


JSON = st.recursive(
    st.none() | st.integers(0, 9),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(
    base=st.dictionaries(st.sampled_from("abc"), JSON, max_size=3),
    change=st.dictionaries(st.sampled_from("abc"), JSON, max_size=3),
)
def test_merging_is_the_merge_of_the_plain_values(
    base: dict[str, object], change: dict[str, object]
) -> None:
    root = read_document(json.dumps({**base, "environments": {"e": change}}), "x", DESCRIPTOR).root
    assert root is not None
    assert plain(merged(root, Free(), "e", None)) == _expected(base, change)


def _expected(base: object, change: object) -> object:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _expected(base[key], value) if key in base else value
    return result
