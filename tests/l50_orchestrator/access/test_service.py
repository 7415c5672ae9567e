"""People, teams, grants, tokens and broken glass on a real database, in every reach where another process can matter."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.errors import Denied, Invalid, NotFound, PlatformError, Unauthenticated
from drystone.l50_orchestrator.access import store
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.access.brief import FRESH
from drystone.l50_orchestrator.access.domain import OF_DEPLOYS, Grant, Role
from drystone.l50_orchestrator.access.errors import (
    CannotGive,
    GlassBroken,
    LastAdmin,
    NameUnfit,
    NoGlass,
    NoPerson,
    NotAllowed,
    NoTeam,
    NoToken,
    SaidUnfit,
    TeamInUse,
    TokenExpired,
    TokenMistyped,
    TokenOrphaned,
    TokenRevoked,
    TokenUnknown,
    TooManyTokens,
)
from drystone.l50_orchestrator.access.issuing import MOST_TOKENS
from drystone.l50_orchestrator.access.refusals import OF_ALL, OF_ONE, WINDOW, Bound
from drystone.l50_orchestrator.access.views import TokenSaid
from drystone.l50_orchestrator.audit.errors import SecretInEntry
from drystone.l50_orchestrator.audit.heads import Heads
from drystone.l50_orchestrator.audit.service import Audits, ChainedBook
from drystone.l50_orchestrator.ports import Action
from drystone.testing.reaches import REACHES, reach
from l50_orchestrator.access.ground import (
    ADA,
    BOB,
    EVE,
    PLATFORM,
    ROOT,
    ZOE,
    Ground,
    ctx,
    make,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMED = re.compile(r"%\((\w+)\)s")
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@pytest_asyncio.fixture(params=REACHES, loop_scope="session")
async def reached(request: pytest.FixtureRequest, ground: Ground) -> AsyncIterator[AccessApi]:
    where = msgspec.json.encode(ground.where).decode()
    # Here the ground closes what it made; a process of its own ends.
    maker = make if request.param == "alone" else ground.another
    async with reach(request.param, AccessApi, maker, where, ground.name) as api:
        yield api


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_the_server_prepares_every_statement(ground: Ground) -> None:
    texts = {
        n: t for n, t in vars(store).items() if n.isupper() and str(t).lstrip().startswith(VERBS)
    }
    assert len(texts) == 32
    async with ground.database.session() as session:
        for name, text in texts.items():
            numbers = {w: n for n, w in enumerate(dict.fromkeys(NAMED.findall(text)), 1)}
            plain = NAMED.sub("{}", text).format(*(f"${numbers[w]}" for w in NAMED.findall(text)))
            await session.run_script(f"PREPARE one_{name} AS {plain}")


# In every reach


async def test_a_team_is_made_joined_left_and_dissolved(reached: AccessApi) -> None:
    await reached.put_person(ROOT, name="max", called="Max Müller")
    made = await reached.put_team(ROOT, name="search", description="finds things")
    assert (made.members, made.by) == ((), "root")
    with pytest.raises(NoPerson):
        await reached.put_member(ROOT, team="search", person="nobody")
    with pytest.raises(NoTeam):
        await reached.put_member(ROOT, team="nowhere", person="max")
    joined = await reached.put_member(ROOT, team="search", person="max", is_maintainer=True)
    assert [(m.person, m.is_maintainer) for m in joined.members] == [("max", True)]
    me = await reached.me(ctx("max"))
    assert me.teams == ("search",)
    assert {(g.who, g.role, g.over) for g in me.grants} == {
        ("team:search", Role.DEPLOYER, "team:search"),
        ("maintainers:search", Role.OWNER, "team:search"),
    }
    left = await reached.remove_member(ctx("max"), team="search", person="max")
    assert left.members == ()
    await reached.remove_team(ROOT, name="search")
    assert [t.name for t in (await reached.teams(ROOT)).items] == ["commerce", "money"]
    grants = await reached.grants(ROOT, over="team:search")
    assert grants.items == []


async def test_lists_come_in_pages(reached: AccessApi) -> None:
    first = await reached.people(ROOT, most=3)
    assert [p.name for p in first.items] == ["ada", "bob", "eve"]
    second = await reached.people(ROOT, most=3, cursor=first.next)
    assert [p.name for p in second.items] == ["root", "zoe"]
    assert second.next is None
    grants = await reached.grants(ROOT, most=2)
    rest = await reached.grants(ROOT, cursor=grants.next)
    assert len({g.id for g in (*grants.items, *rest.items)}) == 5
    for call in (reached.people, reached.teams, reached.grants, reached.tokens):
        with pytest.raises(Invalid):
            await call(ROOT, most=0)
        with pytest.raises(Invalid):
            await call(ROOT, cursor="x")


async def test_a_role_is_given_asked_about_and_taken_back(reached: AccessApi) -> None:
    grant = Grant("person:zoe", Role.DEPLOYER, "service:orders", "type:dev")
    asked = await reached.can(ZOE, action=Action.DEPLOY, service="orders", environment="dev")
    assert not asked.allowed
    assert "takes the role deployer" in asked.why
    assert asked.who_can_grant == ("the maintainers of commerce", "root")
    given = await reached.grant(ADA, grant=grant)
    assert (given.grant, given.by) == (grant, "ada")
    assert (await reached.grant(ROOT, grant=grant)).by == "ada"
    for environment, allowed in (("dev", True), ("prod-eu", False), (None, False)):
        asked = await reached.can(
            ROOT, action=Action.DEPLOY, who="zoe", service="orders", environment=environment
        )
        assert asked.allowed is allowed
    await reached.revoke_grant(ADA, id=given.id)
    asked = await reached.can(ZOE, action=Action.DEPLOY, service="orders", environment="dev")
    assert not asked.allowed


async def test_a_token_is_shown_once_listed_and_revoked(reached: AccessApi) -> None:
    said = TokenSaid("builds", (Action.DEPLOY, Action.SEE), "deploy", "orders", "dev")
    made = await reached.make_token(ADA, said=said)
    assert made.token.startswith("dry_")
    assert made.token not in repr(made)
    actor = ctx(f"token:{made.view.id}")
    asked = await reached.can(actor, action=Action.DEPLOY, service="orders", environment="dev")
    assert asked.allowed
    (listed,) = (await reached.tokens(ADA, service="orders")).items
    assert listed == made.view
    assert listed.state == "good"
    assert made.token.encode() not in msgspec.json.encode(listed)
    revoked = await reached.revoke_token(ADA, id=made.view.id)
    assert revoked.state == "revoked"
    asked = await reached.can(ROOT, action=Action.SEE, who=actor.caller.name)
    assert (asked.allowed, asked.why) == (False, f"{actor.caller.name} was revoked")
    with pytest.raises(NoToken):
        await reached.revoke_token(ADA, id="nothing")


async def test_broken_glass_is_seen_and_ended(reached: AccessApi) -> None:
    made = await reached.break_glass(BOB, reason="prod is down and nobody answers")
    assert (await reached.me(BOB)).glass == made.number
    asked = await reached.can(BOB, action=Action.DESTROY, service="billing", environment="prod-eu")
    assert (asked.allowed, asked.why) == (True, "bob has broken the glass")
    (seen,) = await reached.glasses(EVE)
    assert (seen.person, seen.reason, seen.is_over) == ("bob", made.reason, False)
    with pytest.raises(GlassBroken):
        await reached.break_glass(BOB, reason="once more, it is nice")
    assert (await reached.end_glass(BOB, number=made.number)).is_over
    asked = await reached.can(BOB, action=Action.DESTROY, service="billing", environment="prod-eu")
    assert not asked.allowed
    with pytest.raises(NoGlass):
        await reached.end_glass(BOB, number=99)


# The gate


async def test_who_may_is_returned_with_teams(ground: Ground) -> None:
    actor = await ground.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")
    assert (actor.name, actor.kind, actor.teams) == ("bob", "person", frozenset({"commerce"}))
    actor = await ground.gate.require(PLATFORM, Action.ADMINISTER)
    assert (actor.name, actor.kind) == ("operator", "platform")


async def test_a_deployer_of_one_team_does_not_touch_the_service_of_another(
    ground: Ground,
) -> None:
    with pytest.raises(NotAllowed) as refused:
        await ground.gate.require(BOB, Action.DEPLOY, service="billing", environment="dev")
    assert str(refused.value) == (
        "bob may not deploy billing in dev: that takes the role deployer, and bob has no role there;"
        " the maintainers of money, root can give it"
    )
    ((actor, subject, fields),) = await ground.entries("access.refused")
    assert (actor, subject) == ("bob", "dev/billing")
    assert '"wanted":"deploy"' in fields


@pytest.mark.parametrize(
    "name",
    ["nobody", "dev/orders", "zoe", "\u043erders", "'; DROP TABLE access_person; --", "x" * 9000],
)
async def test_strangers_may_nothing(ground: Ground, name: str) -> None:
    for action in Action:
        with pytest.raises(Denied):
            await ground.gate.require(ctx(name), action, service="orders", environment="dev")
    assert len(await ground.entries("access.refused")) == OF_ONE


async def test_what_cannot_be_a_service_or_environment_is_refused_even_to_admins(
    ground: Ground,
) -> None:
    for name in ("\u043erders", "Orders", "a\x00", "a' OR '1'='1", "x" * 10_000_000):
        for place in ({"service": name}, {"environment": name}):
            with pytest.raises(NameUnfit) as refused:
                await ground.gate.require(ROOT, Action.SEE, **place)
            assert len(str(refused.value)) < 500


async def test_a_change_in_another_process_holds_within_a_second(ground: Ground) -> None:
    other, _ = ground.other()
    await ground.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")
    await other.remove_member(ADA, team="commerce", person="bob")
    await ground.clock.advance(FRESH)
    assert timedelta(seconds=1) > FRESH
    with pytest.raises(NotAllowed):
        await ground.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")


async def test_a_change_in_the_same_process_holds_at_once(ground: Ground) -> None:
    await ground.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")
    await ground.access.remove_person(ROOT, name="bob")
    with pytest.raises(NotAllowed):
        await ground.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")


async def test_without_a_database_everything_is_refused(ground: Ground) -> None:
    nowhere = msgspec.structs.replace(ground.where, port=9)
    lost = Ground(nowhere, ground.name)
    with pytest.raises(PlatformError):
        await lost.gate.require(BOB, Action.SEE, service="orders", environment="dev")
    with pytest.raises(PlatformError):
        await lost.gate.authenticate(bearer((await ground.token(ADA, Action.SEE)).token))


async def test_a_flood_of_refusals_is_bounded_and_counted(ground: Ground) -> None:
    # One after the other: how many are written does not depend on it, and a test should not flood its machine.
    for _ in range(OF_ONE + 30):
        with pytest.raises(NotAllowed):
            await ground.gate.require(ZOE, Action.DEPLOY, service="orders", environment="dev")
    assert len(await ground.entries("access.refused")) == OF_ONE
    await ground.clock.advance(WINDOW)
    with pytest.raises(NotAllowed):
        await ground.gate.require(ZOE, Action.DEPLOY, service="orders", environment="dev")
    assert await ground.entries("access.refused-more") == [
        ("platform", "audit/log", '{"count":30}')
    ]
    assert len(await ground.entries("access.refused")) == OF_ONE + 1


async def test_who_is_refused_while_holding_the_end_of_the_log_does_not_wait_for_itself(
    ground: Ground,
) -> None:
    async with asyncio.timeout(30), ground.database.session() as session, session.transaction():
        root = await ground.gate.require(ROOT, Action.SEE)
        await ChainedBook().note(session, root, "a.held", "platform")
        with pytest.raises(NotAllowed):
            await ground.gate.require(ZOE, Action.DEPLOY, service="orders", environment="dev")
    await ground.refusals.close()
    assert await ground.entries("access.refused") == []
    assert len(await ground.entries("access.refused-more")) == 1


async def test_what_was_only_counted_is_written_at_the_end(ground: Ground) -> None:
    for _ in range(OF_ONE + 1):
        with pytest.raises(NotAllowed):
            await ground.gate.require(ZOE, Action.PLAN, service="orders", environment="dev")
    await ground.refusals.close()
    ((_, _, fields),) = await ground.entries("access.refused-more")
    assert fields == '{"count":1}'


async def test_a_flood_of_names_takes_no_more_room_than_one_of_requests() -> None:
    bound = Bound()
    written = sum(bound.admit(f"nobody-{n}", timedelta(seconds=n / 1000)) for n in range(50_000))
    assert written == OF_ALL
    assert len(bound._written) == OF_ALL
    assert bound.over(WINDOW) == 50_000 - OF_ALL
    assert bound.over(2 * WINDOW) == 0


# Giving


async def test_an_owner_gives_what_an_owner_has_and_no_more(ground: Ground) -> None:
    await ground.access.grant(ADA, grant=Grant("person:zoe", Role.OWNER, "service:orders"))
    for grant in (
        Grant("person:zoe", Role.ADMIN, "service:orders"),
        Grant("person:zoe", Role.VIEWER, "service:billing"),
        Grant("person:zoe", Role.VIEWER),
        Grant("person:ada", Role.ADMIN),
    ):
        with pytest.raises(CannotGive):
            await ground.access.grant(ADA, grant=grant)
    with pytest.raises(CannotGive):
        await ground.access.grant(BOB, grant=Grant("person:zoe", Role.VIEWER, "service:orders"))


async def test_nobody_takes_back_what_they_could_not_give_but_everybody_gives_up_an_own_role(
    ground: Ground,
) -> None:
    over = "service:orders"
    admins = await ground.access.grant(ROOT, grant=Grant("person:zoe", Role.ADMIN, over))
    with pytest.raises(CannotGive):
        await ground.access.revoke_grant(ADA, id=admins.id)
    await ground.access.revoke_grant(ZOE, id=admins.id)
    await ground.access.revoke_grant(ROOT, id=admins.id)
    entries = await ground.entries("grant.revoked")
    assert [actor for actor, _, _ in entries] == ["zoe"]


async def test_a_grant_is_to_somebody_who_is_there(ground: Ground) -> None:
    for grant, error in (
        (Grant("person:nobody", Role.VIEWER), NoPerson),
        (Grant("team:nobody", Role.VIEWER), NoTeam),
        (Grant("person:zoe", Role.VIEWER, "team:nobody"), NoTeam),
    ):
        with pytest.raises(error):
            await ground.access.grant(ROOT, grant=grant)


async def test_only_maintainers_and_admins_say_who_is_in_a_team(ground: Ground) -> None:
    for who in (BOB, EVE, ZOE):
        with pytest.raises(NotAllowed):
            await ground.access.put_member(who, team="commerce", person="zoe")
        with pytest.raises(NotAllowed):
            await ground.access.remove_member(who, team="commerce", person="ada")
        with pytest.raises(NotAllowed):
            await ground.access.put_team(who, name="mine")
        with pytest.raises(NotAllowed):
            await ground.access.remove_person(who, name="root")
    await ground.access.put_member(ADA, team="commerce", person="zoe")
    await ground.access.put_team(ADA, name="commerce", description="sells")
    refused = await ground.entries("access.refused")
    assert len(refused) == 12


async def test_a_team_that_owns_services_is_not_dissolved(ground: Ground) -> None:
    with pytest.raises(TeamInUse, match="commerce owns 2 services"):
        await ground.access.remove_team(ROOT, name="commerce")


async def test_the_last_admin_cannot_be_removed_in_any_way(ground: Ground) -> None:
    (admin,) = (await ground.access.grants(ROOT, who="person:root")).items
    with pytest.raises(LastAdmin):
        await ground.access.revoke_grant(ROOT, id=admin.id)
    with pytest.raises(LastAdmin):
        await ground.access.remove_person(ROOT, name="root")
    await ground.access.put_team(ROOT, name="operators")
    await ground.access.put_member(ROOT, team="operators", person="ada", is_maintainer=True)
    await ground.access.grant(ROOT, grant=Grant("maintainers:operators", Role.ADMIN))
    await ground.access.revoke_grant(ROOT, id=admin.id)
    for attempt in (
        ground.access.remove_member(ADA, team="operators", person="ada"),
        ground.access.put_member(ADA, team="operators", person="ada", is_maintainer=False),
        ground.access.remove_team(ADA, name="operators"),
        ground.access.remove_person(PLATFORM, name="ada"),
    ):
        with pytest.raises(LastAdmin):
            await attempt
    assert (await ground.access.can(ADA, action=Action.ADMINISTER)).allowed


async def test_of_two_admins_who_remove_each_other_at_once_one_is_left(ground: Ground) -> None:
    for name in ("anna", "otto"):
        await ground.access.put_person(ROOT, name=name)
        await ground.access.grant(ROOT, grant=Grant(f"person:{name}", Role.ADMIN))
    await ground.access.remove_person(ROOT, name="root")
    one, two = ground.other()[0], ground.other()[0]
    ends = await asyncio.gather(
        one.remove_person(ctx("anna"), name="otto"),
        two.remove_person(ctx("otto"), name="anna"),
        return_exceptions=True,
    )
    assert sorted(isinstance(end, PlatformError) for end in ends) == [False, True]
    people = (await ground.access.people(PLATFORM)).items
    assert sorted(p.has_left for p in people if p.name in {"anna", "otto"}) == [False, True]


async def test_many_changes_at_once_on_few_connections_all_end(ground: Ground) -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(
                ground.access.grant(
                    ADA, grant=Grant("person:zoe", role, "service:orders", f"environment:{place}")
                )
                for role, place in product(
                    (Role.VIEWER, Role.DEPLOYER, Role.OWNER), ("dev", "staging")
                )
            ),
            *(ground.gate.require(BOB, Action.SEE) for _ in range(20)),
        )
    assert len((await ground.access.grants(ROOT, who="person:zoe")).items) == 6


async def test_what_did_not_change_is_not_noted(ground: Ground) -> None:
    for _ in range(2):
        await ground.access.put_person(ROOT, name="max")
        await ground.access.put_member(ROOT, team="money", person="max")
        await ground.access.grant(ROOT, grant=Grant("person:max", Role.VIEWER))
    added = [subject for _, subject, _ in await ground.entries("person.added")]
    assert added.count("person/max") == 1
    assert sum('"max"' in fields for _, _, fields in await ground.entries("team.joined")) == 1
    assert sum("person:max" in fields for _, _, fields in await ground.entries("grant.given")) == 1


# Tokens


async def test_a_token_proves_who_calls(ground: Ground) -> None:
    made = await ground.token(ADA, Action.SEE, Action.DEPLOY)
    caller = await ground.gate.authenticate(bearer(made.token))
    assert (caller.name, caller.roles) == (f"token:{made.view.id}", frozenset())
    actor = await ground.gate.require(
        Context(caller), Action.DEPLOY, service="orders", environment="dev"
    )
    assert (actor.kind, actor.behind, actor.teams) == ("token", "ada", frozenset({"commerce"}))
    (listed,) = (await ground.access.tokens(ADA, maker="ada")).items
    assert listed.used == ground.clock.now()


async def test_the_table_holds_no_token(ground: Ground) -> None:
    made = await ground.token(ADA, Action.SEE)
    rows = await ground.database.fetch("SELECT t::text FROM access_token t")
    assert made.token[4:] not in rows[0][0]
    (entry,) = await ground.entries("token.made")
    assert made.token[4:20] not in str(entry)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, Unauthenticated),
        ({"authorization": "Basic YTpi"}, Unauthenticated),
        ({"authorization": "Bearer"}, TokenMistyped),
        ({"authorization": "Bearer dry_x"}, TokenMistyped),
        ({"authorization": "Bearer ' OR 1=1 --"}, TokenMistyped),
        ({"authorization": "Bearer " + "x" * 1_000_000}, TokenMistyped),
    ],
)
async def test_what_is_no_token_is_told_so(
    ground: Ground, headers: dict[str, str], error: type[PlatformError]
) -> None:
    with pytest.raises(error):
        await ground.gate.authenticate(headers)


async def test_a_mistyped_token_an_unknown_one_and_a_revoked_one_are_told_apart(
    ground: Ground,
) -> None:
    from drystone.l50_orchestrator.access import secrets  # noqa: PLC0415

    made = await ground.token(ADA, Action.SEE)
    last = "0" if made.token[-1] != "0" else "1"
    with pytest.raises(TokenMistyped) as mistyped:
        await ground.gate.authenticate(bearer(made.token[:-1] + last))
    assert made.token[4:20] not in str(mistyped.value)
    with pytest.raises(TokenUnknown):
        await ground.gate.authenticate(bearer(secrets.make()))
    caller = await ground.gate.authenticate(bearer(made.token))
    await ground.access.revoke_token(ADA, id=made.view.id)
    with pytest.raises(TokenRevoked):
        await ground.gate.authenticate(bearer(made.token))
    with pytest.raises(TokenRevoked):
        await ground.gate.require(Context(caller), Action.SEE)


async def test_a_token_revoked_by_another_process_stops_within_a_second(ground: Ground) -> None:
    made = await ground.token(ADA, Action.SEE)
    other, gate = ground.other()
    await gate.require(Context(await gate.authenticate(bearer(made.token))), Action.SEE)
    await ground.access.revoke_token(ADA, id=made.view.id)
    await ground.clock.advance(FRESH)
    with pytest.raises(TokenRevoked):
        await gate.authenticate(bearer(made.token))
    assert isinstance(other, AccessApi)


async def test_a_token_that_has_ended_opens_nothing(ground: Ground) -> None:
    made = await ground.token(ADA, Action.SEE)
    caller = await ground.gate.authenticate(bearer(made.token))
    await ground.clock.advance(timedelta(days=90) - timedelta(milliseconds=100))
    await ground.gate.require(Context(caller), Action.SEE)
    await ground.clock.advance(
        timedelta(milliseconds=100)
    )  # what is believed for a while is no longer than this
    with pytest.raises(TokenExpired):
        await ground.gate.authenticate(bearer(made.token))
    with pytest.raises(TokenExpired):
        await ground.gate.require(Context(caller), Action.SEE)


async def test_a_deploy_token_is_of_no_use_for_another_service_or_outside_its_environment(
    ground: Ground,
) -> None:
    made = await ground.token(ADA, *OF_DEPLOYS, kind="deploy", service="orders", environment="dev")
    caller = Context(await ground.gate.authenticate(bearer(made.token)))
    await ground.gate.require(caller, Action.DEPLOY, service="orders", environment="dev")
    for service, environment in (
        ("orders", "prod-eu"),
        ("orders", None),
        ("stock", "dev"),
        ("billing", "dev"),
        (None, "dev"),
    ):
        with pytest.raises(NotAllowed):
            await ground.gate.require(
                caller, Action.DEPLOY, service=service, environment=environment
            )
    for action in set(Action) - OF_DEPLOYS:
        with pytest.raises(NotAllowed):
            await ground.gate.require(caller, action, service="orders", environment="dev")


async def test_a_token_of_somebody_who_left_the_team_does_what_its_maker_may_do_now(
    ground: Ground,
) -> None:
    made = await ground.token(
        ADA, Action.DEPLOY, kind="deploy", service="orders", environment="dev"
    )
    caller = Context(await ground.gate.authenticate(bearer(made.token)))
    await ground.access.remove_member(ROOT, team="commerce", person="ada")
    with pytest.raises(NotAllowed, match=r"ada, who made token:\w+, has no role there"):
        await ground.gate.require(caller, Action.DEPLOY, service="orders", environment="dev")


async def test_tokens_of_somebody_who_left_the_company_end_and_do_not_come_back(
    ground: Ground,
) -> None:
    made = await ground.token(ADA, Action.SEE)
    await ground.access.remove_person(ROOT, name="ada")
    with pytest.raises(TokenRevoked):
        await ground.gate.authenticate(bearer(made.token))
    again = await ground.access.put_person(ROOT, name="ada")
    assert (again.has_left, again.teams) == (False, ())
    with pytest.raises(TokenRevoked):
        await ground.gate.authenticate(bearer(made.token))


async def test_a_token_whose_maker_is_marked_as_gone_is_an_orphan(ground: Ground) -> None:
    made = await ground.token(ADA, Action.SEE)
    await ground.database.fetch("UPDATE access_person SET left_at = now() WHERE name = 'ada'")
    with pytest.raises(TokenOrphaned):
        await ground.gate.authenticate(bearer(made.token))


async def test_who_does_not_own_a_service_makes_no_deploy_token_for_it(ground: Ground) -> None:
    for who, service in ((BOB, "orders"), (ADA, "billing"), (ZOE, "orders")):
        with pytest.raises(NotAllowed):
            await ground.token(
                who, Action.DEPLOY, kind="deploy", service=service, environment="dev"
            )


async def test_a_token_makes_no_token_and_gives_no_role(ground: Ground) -> None:
    made = await ground.token(ROOT, *Action)
    caller = ctx(f"token:{made.view.id}")
    with pytest.raises(NotAllowed):
        await ground.token(caller, Action.SEE)
    with pytest.raises(CannotGive):
        await ground.access.grant(caller, grant=Grant("person:zoe", Role.VIEWER))
    with pytest.raises(NotAllowed):
        await ground.access.break_glass(caller, reason="there is an emergency")


async def test_the_platform_makes_tokens_on_behalf_of_people_alone(ground: Ground) -> None:
    said = TokenSaid("first", (Action.SEE,))
    with pytest.raises(NoPerson):
        await ground.access.make_token(PLATFORM, said=said)
    made = await ground.access.make_token(PLATFORM, said=msgspec.structs.replace(said, maker="ada"))
    assert made.view.maker == "ada"
    with pytest.raises(NotAllowed):
        await ground.access.make_token(BOB, said=msgspec.structs.replace(said, maker="ada"))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (TokenSaid("", (Action.SEE,)), SaidUnfit),
        (TokenSaid("a\nb", (Action.SEE,)), SaidUnfit),
        (TokenSaid("x", ()), SaidUnfit),
        (TokenSaid("x", (Action.SEE,), lasts=timedelta()), SaidUnfit),
        (TokenSaid("x", (Action.SEE,), lasts=timedelta(days=367)), SaidUnfit),
        (TokenSaid("x", (Action.DEPLOY,), "deploy", "orders"), SaidUnfit),
        (TokenSaid("x", (Action.APPROVE,), "deploy", "orders", "dev"), SaidUnfit),
        (TokenSaid("x", (Action.GRANT,), "service"), SaidUnfit),
        (TokenSaid("x", (Action.SEE,), service="\u043erders"), NameUnfit),
        (TokenSaid("dry_" + "x" * 49, (Action.SEE,)), SecretInEntry),
    ],
)
async def test_what_cannot_be_a_token_is_refused(
    ground: Ground, said: TokenSaid, error: type[PlatformError]
) -> None:
    with pytest.raises(error):
        await ground.access.make_token(ADA, said=said)
    assert (await ground.access.tokens(ROOT)).items == []


async def test_tokens_are_shown_and_revoked_by_those_whom_they_concern(ground: Ground) -> None:
    made = await ground.token(BOB, Action.SEE)
    for who in (EVE, ADA, ZOE):
        with pytest.raises(NotAllowed):
            await ground.access.tokens(who, maker="bob")
        with pytest.raises(Denied):
            await ground.access.revoke_token(who, id=made.view.id)
    with pytest.raises(NotAllowed):
        await ground.access.tokens(EVE, service="orders")
    assert len((await ground.access.tokens(BOB, maker="bob")).items) == 1
    # Whoever found it may revoke it with nothing but itself.
    await ground.access.revoke_token(ctx(f"token:{made.view.id}"), id=made.view.id)


async def test_ten_thousand_tokens_are_listed_in_pages_and_found(ground: Ground) -> None:
    made = await ground.token(ADA, Action.SEE)
    await ground.database.fetch(
        "INSERT INTO access_token (id, digest, label, kind, maker, scopes, since, expires)"
        " SELECT 'n' || n, sha256(n::text::bytea), 'x', 'personal', 'bob', '{see}', %(at)s, %(at)s + interval '1 day'"
        " FROM generate_series(1, 10000) AS n",
        at=ground.clock.now(),
    )
    cursor, count = None, 0
    while True:
        page = await ground.access.tokens(ROOT, cursor=cursor, most=1000)
        count += len(page.items)
        cursor = page.next
        if cursor is None:
            break
    assert count == 10_001
    assert (await ground.gate.authenticate(bearer(made.token))).name == f"token:{made.view.id}"
    with pytest.raises(TooManyTokens, match=str(10_000)):
        await ground.token(BOB, Action.SEE)
    assert MOST_TOKENS < 10_000


# Broken glass


async def test_broken_glass_ends_by_itself_and_marks_every_entry(ground: Ground) -> None:
    lasts = timedelta(minutes=10)
    made = await ground.access.break_glass(BOB, reason="the database is full", lasts=lasts)
    assert [one.person for one in await ground.access.broken()] == ["bob"]
    actor = await ground.gate.require(BOB, Action.DESTROY, service="billing", environment="prod-eu")
    assert actor.glass == made.number
    await ground.clock.advance(lasts)
    with pytest.raises(NotAllowed):
        await ground.gate.require(BOB, Action.DESTROY, service="billing", environment="prod-eu")
    assert await ground.access.broken() == []
    assert (await ground.gate.require(BOB, Action.SEE)).glass == 0
    assert len(await ground.entries("glass.broken")) == 1


async def test_what_broken_glass_gives_does_not_outlive_it(ground: Ground) -> None:
    await ground.access.break_glass(BOB, reason="the database is full")
    with pytest.raises(CannotGive):
        await ground.access.grant(BOB, grant=Grant("person:bob", Role.ADMIN))
    for attempt in (
        ground.access.put_person(BOB, name="mallory"),
        ground.access.put_member(BOB, team="money", person="bob"),
        ground.access.remove_person(BOB, name="root"),
        ground.token(BOB, Action.DEPLOY, kind="deploy", service="billing", environment="dev"),
    ):
        with pytest.raises(NotAllowed):
            await attempt
    refused = await find_glasses(ground)
    assert refused == {1}


async def find_glasses(ground: Ground) -> set[int]:
    rows = await ground.database.fetch(
        "SELECT DISTINCT glass FROM audit_entry WHERE action = 'access.refused'"
    )
    return {row[0] for row in rows}


async def test_with_broken_glass_a_token_of_somebody_else_can_be_revoked(ground: Ground) -> None:
    made = await ground.token(EVE, Action.SEE)
    await ground.access.break_glass(BOB, reason="a token was published")
    revoked = await ground.access.revoke_token(BOB, id=made.view.id)
    assert revoked.state == "revoked"


@pytest.mark.parametrize(
    ("who", "reason", "lasts", "error"),
    [
        (BOB, "short", timedelta(hours=1), SaidUnfit),
        (BOB, " " * 50, timedelta(hours=1), SaidUnfit),
        (BOB, "x" * 501, timedelta(hours=1), SaidUnfit),
        (BOB, "the database is full", timedelta(hours=1, seconds=1), SaidUnfit),
        (BOB, "the database is full", timedelta(), SaidUnfit),
        (ZOE, "the database is full", timedelta(hours=1), NotAllowed),
        (ctx("nobody"), "the database is full", timedelta(hours=1), NotAllowed),
        (PLATFORM, "the database is full", timedelta(hours=1), NotAllowed),
    ],
)
async def test_not_everybody_breaks_the_glass_for_any_reason(
    ground: Ground, who: Context, reason: str, lasts: timedelta, error: type[PlatformError]
) -> None:
    with pytest.raises(error):
        await ground.access.break_glass(who, reason=reason, lasts=lasts)
    assert await ground.access.glasses(ROOT) == []


async def test_only_oneself_and_admins_end_broken_glass(ground: Ground) -> None:
    made = await ground.access.break_glass(BOB, reason="the database is full")
    with pytest.raises(NotAllowed):
        await ground.access.end_glass(EVE, number=made.number)
    ended = await ground.access.end_glass(ROOT, number=made.number)
    assert (ended.is_over, ended.ended_by) == (True, "root")
    assert (await ground.access.end_glass(BOB, number=made.number)).ended_by == "root"
    assert len(await ground.entries("glass.ended")) == 1


# Asking


async def test_what_others_may_do_is_told_to_admins_and_their_maintainers(ground: Ground) -> None:
    for who, allowed in ((ROOT, True), (ADA, True), (EVE, False), (ZOE, False)):
        if allowed:
            await ground.access.can(who, action=Action.SEE, who="bob")
        else:
            with pytest.raises(NotAllowed):
                await ground.access.can(who, action=Action.SEE, who="bob")
    with pytest.raises(NotFound):
        await ground.access.can(ROOT, action=Action.SEE, who="nobody")
    with pytest.raises(NameUnfit):
        await ground.access.can(ROOT, action=Action.SEE, who="' OR 1=1")


async def test_a_team_that_registered_nothing_yet_may_deploy_its_first_service(
    ground: Ground,
) -> None:
    for who, allowed in ((BOB, True), (ZOE, False)):
        asked = await ground.access.can(
            who, action=Action.DEPLOY, service="brand-new", environment="dev"
        )
        assert asked.allowed is allowed
    asked = await ground.access.can(
        BOB, action=Action.DESTROY, service="brand-new", environment="dev"
    )
    assert not asked.allowed


async def test_of_an_environment_that_is_not_there_only_admins_of_all_decide(
    ground: Ground,
) -> None:
    for who, allowed in ((ADA, False), (ROOT, True)):
        asked = await ground.access.can(
            who, action=Action.AUDIT, service="orders", environment="team"
        )
        assert asked.allowed is allowed


async def test_the_socket_is_the_platform_unless_a_token_is_sent(ground: Ground) -> None:
    authenticate = ground.gate.by_socket("operator")
    assert await authenticate({}) == PLATFORM.caller
    made = await ground.token(ADA, Action.SEE)
    assert (await authenticate(bearer(made.token))).name == f"token:{made.view.id}"
    with pytest.raises(TokenMistyped):
        await authenticate({"authorization": "Bearer x"})


async def test_the_log_shows_owners_what_was_done_to_their_service_and_no_more(
    ground: Ground, tmp_path: Path
) -> None:
    book = ChainedBook()
    audits = Audits(
        ground.database,
        gate=ground.gate,
        book=book,
        heads=Heads(tmp_path / "audit-heads"),
        clock=ground.clock,
    )
    made = await ground.access.break_glass(BOB, reason="the database is full")
    actor = await ground.gate.require(BOB, Action.DEPLOY, service="orders", environment="prod-eu")
    async with ground.database.session() as session, session.transaction():
        await book.note(session, actor, "release.deployed", "prod-eu/orders", release=3)
    await ground.access.end_glass(BOB, number=made.number)
    (entry,) = (await audits.entries(ADA, subject="prod-eu/orders")).items
    assert (entry.actor, entry.glass) == ("bob", made.number)
    for who, subject in (
        (BOB, "prod-eu/orders"),
        (EVE, "prod-eu/orders"),
        (ADA, "prod-eu/billing"),
        (ADA, "team/commerce"),
        (ADA, None),
    ):
        with pytest.raises(NotAllowed):
            await audits.entries(who, subject=subject)
    assert (await audits.verify(ROOT)).is_whole
