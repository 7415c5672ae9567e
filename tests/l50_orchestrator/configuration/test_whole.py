"""Files say who there is, what they may do and what there is; and the real gate decides who may apply them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.errors import Denied
from drystone.l50_orchestrator.audit.store import Wanted, find
from drystone.l50_orchestrator.configuration import errors
from drystone.l50_orchestrator.configuration.api import Applied
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.ports import Action, Actor
from drystone.l50_orchestrator.registry.api import EnvironmentSaid, ServiceSaid
from drystone.l50_orchestrator.registry.errors import (
    EnvironmentUnfit,
    NameTaken,
    NameTooClose,
    NotInTeam,
)
from l50_orchestrator.configuration.stand import applied, files
from l50_orchestrator.configuration.whole import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWNER = Context(Caller("operator", frozenset({"admin"})))
ROOT, ADA, BOB, EVE, ZOE = (Context(Caller(n)) for n in ("root", "ada", "bob", "eve", "zoe"))

PEOPLE = "people: {root: '', ada: Ada L., bob: {called: Bob}, eve: {}, zoe: {}}"
TEAMS = """
teams:
  commerce: {description: Sells., maintainers: [ada], members: [bob, ada, bob]}
  money: [eve]
"""
GRANTS = """
grants:
  person:root: [{role: admin}]
  team:money: [{role: deployer, over: 'team:money'}]
  team:commerce:
    - {role: owner, over: service:orders, place: environment:dev}
    - {role: deployer, over: 'team:commerce', place: type:dev}
    - {role: viewer}
"""
PLACES = "environments: {dev: {type: dev}, prod: {type: prod, after: dev}}"
SERVICES = "services: {orders: commerce, payments: money}"
TODAY = datetime.now(UTC).date()
GUARDRAILS = f"""
policies:
  no-fridays:
    description: Nobody deploys what is called friday.
    team: commerce
    since: 2026-01-01
    types: [prod, staging]
    rego: |
      package drystone.no_fridays
      import rego.v1
      deny contains {{"text": "not this one"}} if input.service == "friday"
    cases:
      - {{name: another day, input: {{service: monday}}}}
      - {{name: that day, input: {{service: friday}}, deny: [not this one]}}
policy-modes:
  HOUSE: {{mode: warn, reason: we begin next year}}
freezes:
  new-year: {{start: 2027-12-20T18:00, end: 2028-01-03T08:00, zone: Europe/Berlin, reason: holidays, types: [prod]}}
exceptions:
  hotfix:
    {{policy: freeze/new-year, service: orders, environment: prod, reason: repairs, owner: ada, until: {TODAY + timedelta(30)}}}
  friday: {{policy: no-fridays, service: orders, type: prod, reason: tests, owner: ada, until: {TODAY + timedelta(30)}}}
""".replace("HOUSE", house_policies()[0].name)
ALL = (GUARDRAILS, SERVICES, GRANTS, PLACES, TEAMS, PEOPLE)


async def test_everything_is_applied_once(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    assert await applied(whole.configuration, *ALL, ctx=OWNER) == [Applied("finished")]
    other = TEAMS.replace("members: [bob, ada, bob]", "members: [bob]")
    assert (await whole.configuration.plan(ROOT, files=files(other))).steps == ()


async def test_what_is_not_in_the_files_goes_when_it_is_confirmed(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    fewer = (
        "people: {root: '', ada: ''}",
        "teams: {commerce: {maintainers: [ada]}}",
        "grants: {person:root: [{role: admin}], team:commerce: [{role: viewer}]}",
        PLACES,
        "services: {orders: commerce}",
        "policies: {}\npolicy-modes: {}\nexceptions: {}\nfreezes: {}",
    )
    plan = await whole.configuration.plan(ROOT, files=files(*fewer), prune=True)
    await applied(whole.configuration, *fewer, prune=True, confirm=plan.words, ctx=ROOT)
    after = await whole.configuration.plan(ROOT, files=files(*fewer), prune=True)
    assert after.steps == ()
    with pytest.raises(Denied):
        await whole.registry.services(EVE)


async def test_an_exception_in_a_file_counts_when_somebody_else_allows_it(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    asked = (await whole.guardrails.exceptions(ROOT)).items
    assert [(one.name, one.state) for one in asked] == [("friday", "asked"), ("hotfix", "asked")]
    await whole.guardrails.allow_exception(ROOT, name="friday", said=asked[0].said)
    assert await applied(whole.configuration, *ALL, ctx=OWNER) == [Applied("finished")]
    assert (await whole.guardrails.exceptions(ROOT)).items[0].state == "counts"


async def test_a_policy_that_fails_its_cases_stops_the_apply(whole: Whole) -> None:
    wrong = GUARDRAILS.replace("{service: friday}", "{service: sunday}")
    with pytest.raises(
        errors.ApplyStopped, match=r"(?s)create policies/no-fridays failed: .*that day"
    ):
        await applied(whole.configuration, wrong, *ALL[1:], ctx=OWNER)
    await applied(whole.configuration, *ALL, ctx=OWNER)


async def test_the_last_admin_stays_whatever_the_files_say(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    with pytest.raises(errors.ApplyStopped, match="nobody would be left"):
        await applied(
            whole.configuration,
            "grants: {person:root: [{role: viewer}]}",
            ctx=ROOT,
        )
    handed_over = "grants: {person:root: [{role: viewer}], person:zoe: [{role: admin}]}"
    await applied(whole.configuration, handed_over, ctx=ROOT)
    assert (await whole.configuration.plan(ZOE, files=files(handed_over))).steps == ()


async def test_who_is_no_admin_changes_no_more_by_a_file_than_by_hand(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    await applied(whole.configuration, TEAMS.replace("Sells.", "Sells more."), ctx=ADA)
    for text in (
        "people: {mallory: ''}",
        "grants: {person:ada: [{role: admin}]}",
        "environments: {dev: {type: dev, keep: 9}}",
        "services: {payments: commerce}",
        "teams: {money: [ada, eve]}",
        "freezes: {ever: {start: 2027-01-01T00:00, end: 2027-01-02T00:00, reason: rest}}",
        "policy-modes: {required-owner: {mode: 'off', reason: rest}}",
    ):
        with pytest.raises(errors.ApplyStopped):
            await applied(whole.configuration, text, ctx=ADA)
        with pytest.raises(Denied):
            await applied(whole.configuration, text, ctx=Context(Caller("nobody")))


async def test_mistakes_about_people_and_roles_have_their_places(whole: Whole) -> None:
    with pytest.raises(errors.FilesRefused) as refusal:
        await applied(whole.configuration, TEAMS.replace("[eve]", "[eve, adda]"), PEOPLE, ctx=OWNER)
    assert "0.yaml:4:10: teams.money.members: 'adda' is none of the people" in str(refusal.value)
    wrong = (
        "grants:\n  ada: [{role: boss}]\n  team:x: [{role: viewer, over: orders}]\n  team:y: []\n"
    )
    with pytest.raises(errors.FilesRefused) as refusal:
        await applied(whole.configuration, wrong, ctx=OWNER)
    for place in ("0.yaml:2:3", "0.yaml:2:16", "0.yaml:3:33", "0.yaml:4:11"):
        assert place in str(refusal.value)
    with pytest.raises(errors.FilesRefused, match="'x' is none of the teams"):
        await applied(whole.configuration, "grants: {team:x: [{role: viewer}]}", ctx=OWNER)


async def test_members_register_for_their_own_team_alone(whole: Whole) -> None:
    await applied(whole.configuration, PLACES, TEAMS, PEOPLE, ctx=OWNER)
    registry = whole.registry
    await registry.register(BOB, service="orders", said=ServiceSaid("commerce"))
    with pytest.raises(NotInTeam):
        await registry.register(EVE, service="stock", said=ServiceSaid("commerce"))
    with pytest.raises(NameTaken):
        await registry.register(EVE, service="orders", said=ServiceSaid("money"))
    with pytest.raises(NameTooClose):
        await registry.register(EVE, service="or-ders", said=ServiceSaid("money"))
    with pytest.raises(Denied):
        await registry.register(ZOE, service="stock", said=ServiceSaid("commerce"))
    with pytest.raises(Denied):
        await registry.offer(EVE, service="orders", team="money")
    await registry.offer(OWNER, service="orders", team="money")
    with pytest.raises(NotInTeam):
        await registry.take(BOB, service="orders")
    assert (await registry.take(EVE, service="orders")).service.team == "money"


UP, DOWN = ("staging", "prod", "prod"), ("dev", "dev", "staging")


async def test_the_types_of_a_whole_chain_change_in_one_apply(whole: Whole) -> None:
    def chain(types: tuple[str, ...]) -> str:
        names = ("first", "second", "third")
        said = [
            f"{name}: {{type: {type_}{f', after: {before}' if before else ''}}}"
            for name, type_, before in zip(names, types, ("", *names), strict=False)
        ]
        return f"environments: {{{', '.join(said)}}}"

    for types in (("dev", "staging", "prod"), UP, DOWN, UP, ("local", "prod", "prod"), DOWN):
        await applied(whole.configuration, chain(types), ctx=OWNER)
        there = {one.name: one.type for one in await whole.registry.every_environment()}
        assert tuple(there[name] for name in ("first", "second", "third")) == types


async def test_roles_over_a_service_end_when_it_goes_to_another_team(whole: Whole) -> None:
    everything = GRANTS + "  person:zoe: [{role: viewer, over: service:payments}]\n"
    await applied(whole.configuration, SERVICES, everything, PLACES, TEAMS, PEOPLE, ctx=OWNER)
    await whole.registry.assign(OWNER, service="orders", team="money")
    left = await whole.access.grants(OWNER)
    assert [one for one in left.items if one.grant.over == "service:orders"] == []
    assert [one for one in left.items if one.grant.over == "service:payments"]
    entries = await find(whole.database, Wanted(action="grant.revoked"), 10)
    told = [one.actor for one in entries if "service:orders" in one.fields]
    assert told == ["operator"]


async def test_the_first_environments_are_all_made_or_none(whole: Whole) -> None:
    said = {
        "dev": EnvironmentSaid("dev"),
        "staging": EnvironmentSaid("staging", after="dev"),
        "prod": EnvironmentSaid("prod", after="staging"),
    }
    platform = Actor("operator", "platform")
    torn = {**said, "prod": EnvironmentSaid("prod", after="nowhere")}
    with pytest.raises(EnvironmentUnfit):
        await whole.registry.begin(platform, torn)
    assert await whole.registry.every_environment() == []
    await asyncio.gather(*(whole.registry.begin(platform, said) for _ in range(3)))
    assert {one.name for one in await whole.registry.every_environment()} == set(said)
    await whole.registry.remove_environment(OWNER, environment="prod")
    await whole.registry.begin(platform, said)
    assert len(await whole.registry.every_environment()) == 2


async def test_who_could_approve_is_known_by_person_and_by_team(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    names = ("commerce", "money", "ada", "zoe", "nobody")
    able = await whole.gate.who_may(Action.APPROVE, names, service="orders", environment="dev")
    assert able == frozenset({"commerce", "ada"})


async def test_an_admin_in_no_team_is_told_how_the_first_deploy_is_made(whole: Whole) -> None:
    await applied(whole.configuration, *ALL, ctx=OWNER)
    actor = await whole.gate.require(ROOT, Action.DEPLOY, service="fresh", environment="dev")
    async with whole.database.session() as session, session.transaction():
        with pytest.raises(NotInTeam, match="registry register fresh --team commerce"):
            await whole.registry.claim(
                session, actor, "fresh", team="commerce", tier=3, description=""
            )
    await whole.registry.register(ROOT, service="fresh", said=ServiceSaid("commerce"))
    async with whole.database.session() as session, session.transaction():
        kept = await whole.registry.claim(
            session, actor, "fresh", team="commerce", tier=2, description=""
        )
    assert (kept.team, kept.tier) == ("commerce", 2)
