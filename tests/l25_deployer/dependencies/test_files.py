"""What descriptors do to dependencies together, before any of them is deployed."""

from __future__ import annotations

import pytest

from drystone.l25_deployer.api import DependencyFinding
from drystone.l25_deployer.dependencies.files import check_files
from drystone.l25_deployer.descriptor import read
from drystone.l90_assembly.own_services import platform_descriptors
from l25_deployer.dependencies.landscapes import TODAY


def found(*files: str) -> list[DependencyFinding]:
    readings = [read(text, file=f"{number}.yaml") for number, text in enumerate(files, 1)]
    assert [one.report() for one in readings] == [""] * len(files)
    return check_files(readings, platform_descriptors(), "dev", TODAY)


def service(name: str, needs: str, more: str = "") -> str:
    return (
        f"schema: 1\nservice: {name}\nowner: x\nprocess: {{command: [x]}}\n{more}\n"
        f"dependencies:\n  {needs}\n"
    )


def places(every: list[DependencyFinding]) -> list[tuple[str, bool, str | None, int | None]]:
    return [(one.rule, one.refuses, one.file, one.line) for one in every]


def test_a_circle_through_several_files_refuses_once_at_the_first_of_them() -> None:
    every = found(service("a", "b: hard"), service("b", "c: hard"), service("c", "a: hard"))

    assert places(every) == [("co-start", True, "1.yaml", 7)]
    assert [step.target for step in every[0].path] == ["dev/b", "dev/c", "dev/a"]


def test_a_circle_that_a_soft_dependency_closes_is_worth_knowing() -> None:
    soft = service("b", "a: {needs: soft, without: less}")

    assert places(found(service("a", "b: hard"), soft)) == [("soft-tangle", False, "2.yaml", 7)]


@pytest.mark.parametrize(("until", "refuses"), [("2026-11-22", False), ("2026-11-21", True)])
def test_an_accepted_circle_refuses_from_the_day_after_the_last_one(
    until: str, refuses: bool
) -> None:
    risk = f"{{needs: hard, accepted: {{by: ann, reason: soon, until: {until}}}}}"

    every = found(service("a", f"b: {risk}"), service("b", "a: hard"))

    assert [one.refuses for one in every if one.rule == "co-start"] == [refuses]
    assert [one.rule for one in every if one.rule == "accepted"] == ["accepted"] * refuses


def test_promises_and_layers_are_held_against_those_of_the_other_files() -> None:
    upper = "tier: 1\nlayer: 50\nplane: data\nregions: [eu, us]\nresilience: multi-region\nslo: {availability: 99.9%}"
    lower = "tier: 3\nlayer: 60\nplane: control\nregions: [eu]\nresilience: single-zone\navailability: 99%"

    every = found(service("a", "b: hard", upper), service("b", "none: hard", lower))

    refusing = {one.rule: one.refuses for one in every}
    told = ("tier", "plane", "region", "resilience", "slo")
    assert refusing == {"layer": True, **dict.fromkeys(told, False)}
    assert {(one.file, one.line) for one in every} == {("1.yaml", 12)}


def test_what_is_needed_and_described_nowhere_is_nobodys_finding() -> None:
    assert found(service("a", "b: hard")) == []


def test_each_environment_is_looked_at_and_what_is_the_same_in_several_is_told_once() -> None:
    both = service("a", "b: hard", "environments: {prod: {tier: 0}, stage: {layer: 50}}")
    other = service("b", "a: {needs: soft, without: less}", "tier: 3\nlayer: 60")

    every = found(both, other)

    assert [(one.rule, one.subject) for one in every] == [
        ("layer", "stage/a"),
        ("tier", "prod/a"),
        ("soft-tangle", "dev/b"),
    ]


def test_a_need_of_another_environment_leads_there() -> None:
    here = service("a", "b: {needs: hard, environment: prod}", "layer: 60")
    there = service("b", "none: hard", "layer: 50\nenvironments: {prod: {layer: 70}}")

    assert [(one.rule, one.path[0].target) for one in found(here, there)] == [("layer", "prod/b")]
