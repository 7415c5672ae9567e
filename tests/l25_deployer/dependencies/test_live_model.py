"""The live platform as a model: what services declare, and what the platform really does for them."""

from __future__ import annotations

from datetime import date

import pytest

from drystone.l05_graph.findings import Rules, Severity
from drystone.l05_graph.forms.survey import read
from drystone.l05_graph.forms.survey_text import dump
from drystone.l05_graph.model import Dependency, Model, checked
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.rules import check
from drystone.l05_graph.words import Kind, Phase, Strength
from drystone.l25_deployer.dependencies.live_model import own_part, part_of
from drystone.l25_deployer.dependencies.model import AFTER_A_STOP, model_of, name_of, waves
from drystone.l25_deployer.descriptor import read as read_descriptor
from drystone.l25_deployer.descriptor import resolve
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l90_assembly.own_services import platform_descriptors
from drystone.l90_assembly.own_services import recovery_order as own_order

TODAY = date(2026, 11, 22)
BEFORE = {Phase.DEPLOY, Phase.START, Phase.RECOVERY}


def service(name: str, more: str = "", environment: str = "dev") -> Stacks:
    text = f"schema: 1\nservice: {name}\nowner: shops\nprocess: {{command: [x]}}\n{more}"
    return compile_stacks(resolve(read_descriptor(text, file="x"), environment), version="1")


def live(*services: Stacks, elsewhere: tuple[str, ...] = ()) -> Model:
    own = own_part(platform_descriptors(), elsewhere)
    parts = [part_of(one, cache_elsewhere="cache" in elsewhere) for one in services]
    return model_of([own, *parts])


def needs(model: Model, name: str) -> dict[str, Dependency]:
    return {one.target: one for one in model.needs.get(name, ())}


def test_the_platform_by_itself_breaks_no_rule() -> None:
    model = live()

    assert {one.name for one in model.components} == {
        f"platform/{one.service}" for one in platform_descriptors()
    }
    assert {one.kind for one in model.components} == {Kind.PLATFORM}
    assert not [f for f in check(model, Rules(), TODAY) if f.severity is Severity.ERROR]


def test_every_service_is_carried_by_the_platform_and_no_team_can_change_that() -> None:
    found = needs(live(service("shop")), "dev/shop")

    assert found.keys() == {"platform/deployer", "platform/proxy"}
    assert set(found["platform/deployer"].at) == BEFORE | {Phase.BUILD}
    assert set(found["platform/proxy"].at) == {Phase.DEPLOY, Phase.RUN}
    assert all(one.is_hard and not one.can_change for one in found.values())


@pytest.mark.parametrize(
    ("kind", "engine"), [("postgres", "platform/postgres"), ("bucket", "platform/objects")]
)
def test_data_needs_the_engine_that_holds_it_once(kind: str, engine: str) -> None:
    more = f"resources: {{one: {{type: {kind}}}, two: {{type: {kind}}}}}"

    found = needs(live(service("shop", more)), "dev/shop")

    assert found.keys() == {"platform/deployer", "platform/proxy", engine}
    assert set(found[engine].at) == {Phase.DEPLOY, Phase.START, Phase.RUN}
    assert found[engine].strength is Strength.HARD


def test_a_volume_is_a_folder_and_needs_no_engine() -> None:
    found = needs(live(service("shop", "resources: {files: {type: volume}}")), "dev/shop")

    assert found.keys() == {"platform/deployer", "platform/proxy"}


def test_each_cache_is_a_component_of_its_own_that_falls_alone() -> None:
    model = live(service("shop", "resources: {a: {type: cache}, b: {type: cache}}"))

    caches = [one for one in model.components if one.kind is Kind.DATA]
    assert [(one.name, one.owner) for one in caches] == [
        ("dev/shop/a", "shops"),
        ("dev/shop/b", "shops"),
    ]
    assert needs(model, "dev/shop").keys() >= {"dev/shop/a", "dev/shop/b"}
    assert set(needs(model, "dev/shop/a")["platform/deployer"].at) == BEFORE


def test_an_engine_that_somebody_else_runs_is_external() -> None:
    more = "resources: {db: {type: postgres}, a: {type: cache}, b: {type: cache}}"

    model = live(service("shop", more), elsewhere=("postgres", "cache"))

    external = {one.name for one in model.components if one.kind is Kind.EXTERNAL}
    assert external == {"platform/postgres", "platform/cache"}
    assert needs(model, "dev/shop").keys() >= external
    assert model.by_name["platform/postgres"].owner is None


def test_what_is_needed_and_not_deployed_is_external() -> None:
    model = live(service("shop", "dependencies: {users: {needs: soft, without: less}}"))

    assert model.by_name["dev/users"].kind is Kind.EXTERNAL
    assert needs(model, "dev/shop")["dev/users"].strength is Strength.SOFT


def test_services_of_two_environments_are_two_components() -> None:
    there = "dependencies: {shop: {needs: hard, environment: prod}}"

    model = live(service("shop", environment="prod"), service("front", there))

    assert needs(model, "dev/front").keys() >= {"prod/shop"}
    assert model.by_name["prod/shop"].kind is Kind.SERVICE


def test_the_survey_of_the_live_platform_is_read_as_the_same_model() -> None:
    more = (
        "tier: 1\nlayer: 40\nresources: {db: {type: postgres}, c: {type: cache}}\n"
        "dependencies: {users: hard, mail: {needs: soft, without: 'mails wait: a day', at: [build]}}"
    )
    model = live(service("shop", more), service("users"))

    again = read(dump(model))

    assert again.digest == model.digest


def test_up_follows_the_order_of_the_survey() -> None:
    """Caches come up with their services, and what is not deployed holds nobody up."""
    services = [
        service("front", "dependencies: {shop: hard, mail: hard, news: hard}"),
        service("shop", "dependencies: {users: {needs: hard, at: [start]}}"),
        service("users", "resources: {db: {type: postgres}, sessions: {type: cache}}"),
        service("mail", "dependencies: {users: {needs: hard, at: [deploy]}}"),
    ]
    model = read(dump(live(*services)))
    kept = {one.name for one in model.components if one.kind in {Kind.PLATFORM, Kind.SERVICE}}
    alone = checked(
        [one for one in model.components if one.name in kept],
        [one for one in model.dependencies if {one.source, one.target} <= kept],
    )

    told = recovery_order(alone, at=AFTER_A_STOP).waves

    def of(kind: Kind) -> list[set[str]]:
        parts = [{name for name in wave if alone.by_name[name].kind is kind} for wave in told]
        return [wave for wave in parts if wave]

    own = own_order(platform_descriptors())
    assert [{f"platform/{name}" for name in wave} for wave in own] == of(Kind.PLATFORM)
    stacks = {(one.environment.name, one.environment.service): one.environment for one in services}
    followed = [{name_of(key) for key in wave} for wave in waves(stacks)]
    assert followed == of(Kind.SERVICE) == [{"dev/users", "dev/mail"}, {"dev/shop"}, {"dev/front"}]
