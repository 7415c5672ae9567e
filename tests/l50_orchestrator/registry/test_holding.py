"""Names are held by those who use them: claims of deploys, lapses, look-alikes, and many at once."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import pytest

from drystone.l00_kernel.errors import Conflict, Denied
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.registry import errors, store
from drystone.l50_orchestrator.registry.api import EnvironmentSaid, ServiceSaid, TargetSaid
from drystone.l50_orchestrator.registry.looked_up import RegisteredPlaces
from drystone.l50_orchestrator.registry.names import MOST_UNUSED
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.testing.orchestrator import RefuseAll, TableBook, TheseTeams
from l50_orchestrator.registry.stand import ADA, MAX, ROOT, Stand

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMED = re.compile(r"%\((\w+)\)s")
ADA_HERSELF = Actor("ada", "person", frozenset({"commerce"}))
TOKEN = Actor("token:1", "token", frozenset(), "ada")


async def test_the_first_deploy_registers_and_later_ones_bring_its_words(stand: Stand) -> None:
    await stand.claim(ADA, "orders", "commerce", 2, "Takes orders.")
    await stand.claim(ADA, "orders", "commerce", 2, "Takes orders.")
    changed = await stand.claim_as(TOKEN, "orders", "commerce", 1, "Takes orders\nand more.")
    assert (changed.tier, changed.description) == (1, "Takes orders\nand more.")
    assert await stand.registry.service("orders") == changed
    actions = [(one.actor, one.action) for one in await stand.noted()]
    assert actions == [("ada", "service.registered"), ("token:1", "service.described")]


async def test_a_deploy_registers_for_nobody_elses_team(stand: Stand) -> None:
    for actor in (TOKEN, Actor("max", "person", frozenset({"money"}))):
        with pytest.raises(errors.NotInTeam, match="not in the team 'commerce'"):
            await stand.claim_as(actor, "orders", "commerce")
    with pytest.raises(errors.TeamNotFound):
        await stand.claim_as(Actor("x", "person", frozenset({"gone"})), "orders", "gone")
    with pytest.raises(errors.NameRefused):
        await stand.claim(ADA, "www", "commerce")
    assert await stand.registry.service("orders") is None
    await stand.claim_as(Actor("platform", "platform"), "orders", "commerce")


async def test_a_deploy_of_another_team_is_refused(stand: Stand) -> None:
    await stand.claim(ADA, "orders", "commerce")
    with pytest.raises(errors.NameTaken, match="belongs to the team 'commerce'"):
        await stand.claim(MAX, "orders", "money")
    with pytest.raises(errors.NameTooClose):
        await stand.claim(MAX, "ord-ers", "money")


async def test_one_letter_from_a_critical_service_needs_an_admin(stand: Stand) -> None:
    await stand.claim(ADA, "payments", "commerce", 0)
    with pytest.raises(errors.NameTooClose, match="'payment' can be taken for 'payments'"):
        await stand.register(MAX, "payment", "money")
    await stand.register(ADA, "payment", "commerce")  # the team's own
    await stand.register(ROOT, "paymentss", "money")


async def test_a_name_that_never_ran_lapses(stand: Stand) -> None:
    await stand.register(ADA, "orders", "commerce")
    await stand.pass_days(89.9)
    await stand.register(ADA, "orders", "commerce")  # prolongs nothing
    await stand.registry.retire(ADA, service="orders")
    await stand.register(ADA, "orders", "commerce")
    with pytest.raises(errors.NameTaken):
        await stand.register(MAX, "orders", "money")
    await stand.pass_days(0.1)
    assert (await stand.register(MAX, "orders", "money")).service.team == "money"
    with pytest.raises(errors.NameTaken):
        await stand.claim(ADA, "orders", "commerce")


async def test_a_lapsed_name_is_held_against_nobody(stand: Stand) -> None:
    await stand.claim(ADA, "payments", "commerce", 0)
    await stand.pass_days(90)
    await stand.register(MAX, "paymentz", "money")


async def test_a_service_that_runs_never_lapses(stand: Stand) -> None:
    await stand.environment("dev")
    await stand.deployed(ADA, "orders", "commerce")
    await stand.pass_days(1000)
    with pytest.raises(errors.NameTaken, match="belongs to the team 'commerce'; choose"):
        await stand.register(MAX, "orders", "money")


async def test_the_name_of_a_destroyed_service_stays_for_ninety_days(stand: Stand) -> None:
    await stand.environment("dev")
    await stand.environment("prod", EnvironmentSaid("prod"))
    await stand.deployed(ADA, "orders", "commerce")
    await stand.run("orders", "prod")
    await stand.end("orders", "dev")
    await stand.pass_days(1000)
    with pytest.raises(errors.NameTaken):
        await stand.register(MAX, "orders", "money")
    await stand.end("orders", "prod")
    await stand.end("orders", "prod")
    await stand.pass_days(89)
    with pytest.raises(errors.NameTaken, match="it is free from"):
        await stand.register(MAX, "orders", "money")
    await stand.pass_days(1)
    taken = await stand.register(MAX, "orders", "money")
    assert (taken.service.team, taken.environments, taken.service.tier) == ("money", (), None)
    assert taken.free_from is not None  # what ran before was another team's


async def test_who_runs_again_is_retired_no_more(stand: Stand) -> None:
    await stand.environment("dev")
    await stand.deployed(ADA, "orders", "commerce")
    await stand.end("orders")
    await stand.registry.retire(ADA, service="orders")
    with pytest.raises(errors.ServiceNotRegistered):
        await stand.run("orders")
    await stand.deployed(ADA, "orders", "commerce")
    view = await stand.registry.show(ADA, service="orders")
    assert (view.retired, view.environments, view.free_from) == (None, ("dev",), None)


async def test_a_service_that_runs_is_not_retired(stand: Stand) -> None:
    await stand.environment("dev")
    await stand.deployed(ADA, "orders", "commerce")
    with pytest.raises(errors.ServiceInUse, match="runs in dev"):
        await stand.registry.retire(ADA, service="orders")


async def test_an_environment_that_is_used_stays_where_it_is(stand: Stand) -> None:
    await stand.environment("dev")
    await stand.deployed(ADA, "orders", "commerce")
    registry = stand.registry
    with pytest.raises(errors.EnvironmentInUse, match="orders runs there"):
        await registry.remove_environment(ROOT, environment="dev")
    west = TargetSaid("platform", "https://west.example")
    await registry.set_target(ROOT, target="west", said=west)
    for said in (EnvironmentSaid("prod"), EnvironmentSaid("dev", target="west")):
        with pytest.raises(errors.EnvironmentInUse, match="orders runs; make another"):
            await registry.set_environment(ROOT, environment="dev", said=said)
    await registry.set_environment(ROOT, environment="dev", said=EnvironmentSaid("dev", keep=9))
    await stand.end("orders")
    await registry.remove_environment(ROOT, environment="dev")
    with pytest.raises(errors.EnvironmentNotFound):
        await stand.run("orders")


async def test_a_target_that_is_used_keeps_its_kind_and_may_move(database: Database) -> None:
    registry = PlatformRegistry(
        database,
        gate=RefuseAll(),
        book=TableBook(),
        teams=TheseTeams(),
        simulated_allowed=True,
    )
    grounds, root = registry._grounds, Actor("root", "person")
    await grounds.set_target(root, "west", TargetSaid("platform", "https://a.example"))
    await grounds.set_environment(root, "dev", EnvironmentSaid("dev", target="west"))
    with pytest.raises(errors.TargetInUse, match="dev is bound to it"):
        await grounds.set_target(root, "west", TargetSaid("simulated"))
    moved = await grounds.set_target(root, "west", TargetSaid("platform", "https://b.example"))
    assert (moved.url, moved.environments) == ("https://b.example", ("dev",))


async def test_an_environment_that_there_is_not_is_told_with_those_that_there_are(
    stand: Stand,
) -> None:
    with pytest.raises(errors.EnvironmentNotFound, match="an admin makes the first"):
        await stand.registry.environment("prod")
    await stand.environment("prod", EnvironmentSaid("prod"))
    with pytest.raises(errors.EnvironmentNotFound, match="did you mean 'prod'"):
        await stand.registry.environment("pord")
    with pytest.raises(errors.EnvironmentNotFound, match="there are: prod"):
        await stand.registry.environment("x\x00")


async def test_the_gate_learns_whose_a_service_is_and_what_an_environment_is(
    stand: Stand,
) -> None:
    places = RegisteredPlaces(stand.database, stand.clock)
    assert await places.owned_by("commerce") == 0
    await stand.register(ADA, "orders", "commerce")
    assert [await places.owned_by(team) for team in ("commerce", "money", "\x00")] == [1, 0, 0]
    await stand.registry.retire(ADA, service="orders")
    assert await places.owned_by("commerce") == 0
    await stand.environment("prod", EnvironmentSaid("prod"))
    assert await places.team_of("orders") == "commerce"
    assert await places.type_of("prod") == "prod"
    assert [one.name for one in await stand.registry.every_environment()] == ["prod"]
    await stand.register(ADA, "others", "commerce")
    assert await places.owned_by("commerce") == 1
    await stand.pass_days(90)
    assert await places.team_of("orders") is None
    for unknown in ("x", "", "\x00", "' OR true --"):
        assert await places.owned_by(unknown) == 0
        assert await places.team_of(unknown) is None
        assert await places.type_of(unknown) is None


async def test_a_team_hoards_no_names(stand: Stand) -> None:
    await stand.environment("dev")
    for number in range(MOST_UNUSED):
        await stand.register(ADA, f"svc-{number}", "commerce")
    with pytest.raises(errors.TooManyUnused, match="20 services that never ran"):
        await stand.register(ADA, "one-more", "commerce")
    with pytest.raises(errors.TooManyUnused):
        await stand.claim(ADA, "one-more", "commerce")
    await stand.register(MAX, "one-more", "money")
    await stand.register(ROOT, "two-more", "commerce")
    await stand.deployed(ADA, "svc-0", "commerce")
    await stand.registry.retire(ADA, service="svc-1")
    await stand.register(ADA, "three-more", "commerce")


async def test_nobody_gets_past_the_bound_by_asking_many_times_at_once(stand: Stand) -> None:
    asked = (stand.register(ADA, f"svc-{n}", "commerce") for n in range(MOST_UNUSED + 10))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, errors.TooManyUnused)]
    assert len(refused) == 10
    assert len((await stand.registry.services(ADA)).items) == MOST_UNUSED


async def test_of_two_who_want_a_name_at_once_one_gets_it(stand: Stand) -> None:
    for number in range(10):
        name, alike = f"svc-{number}x", f"svc{number}x"
        answers = await asyncio.gather(
            stand.register(ADA, name, "commerce"),
            stand.claim(MAX, name, "money"),
            stand.register(MAX, alike, "money"),
            stand.claim(ADA, alike, "commerce"),
            return_exceptions=True,
        )
        found = (await stand.registry.services(ADA, search=f"{number}x")).items
        assert len({one.service.team for one in found}) == 1
        assert all(isinstance(one, Denied) for one in answers if isinstance(one, Exception))


async def test_an_environment_is_not_removed_while_a_release_appears_there(stand: Stand) -> None:
    for number in range(10):
        await stand.environment("dev")
        await stand.claim(ADA, f"svc-{number}", "commerce")
        outcomes = await asyncio.gather(
            stand.run(f"svc-{number}"),
            stand.registry.remove_environment(ROOT, environment="dev"),
            return_exceptions=True,
        )
        failed = [one for one in outcomes if isinstance(one, Exception)]
        assert len(failed) == 1
        assert isinstance(failed[0], (errors.EnvironmentInUse, errors.EnvironmentNotFound))
        await stand.end(f"svc-{number}")


async def test_two_who_change_environments_at_once_close_no_circle(stand: Stand) -> None:
    for _ in range(10):
        await stand.environment("one")
        await stand.environment("two")
        outcomes = await asyncio.gather(
            stand.environment("one", EnvironmentSaid("dev", after="two")),
            stand.environment("two", EnvironmentSaid("dev", after="one")),
            return_exceptions=True,
        )
        assert [type(one) for one in outcomes if one is not None] == [errors.EnvironmentUnfit]
        found = await stand.registry.environments(ADA)
        last = next(one.environment.name for one in found if one.environment.after)
        await stand.registry.remove_environment(ROOT, environment=last)


async def test_an_offer_ends_by_itself_and_with_its_service(stand: Stand) -> None:
    await stand.register(ADA, "orders", "commerce")
    await stand.registry.offer(ADA, service="orders", team="money")
    await stand.pass_days(14)
    with pytest.raises(errors.NothingOffered):
        await stand.registry.take(MAX, service="orders")
    await stand.registry.offer(ADA, service="orders", team="money")
    await stand.registry.retire(ADA, service="orders")
    await stand.register(ADA, "orders", "commerce")
    with pytest.raises(errors.NothingOffered):
        await stand.registry.take(MAX, service="orders")


async def test_of_two_who_take_at_once_one_does(stand: Stand) -> None:
    await stand.register(ADA, "orders", "commerce")
    await stand.registry.offer(ADA, service="orders", team="money")
    outcomes = await asyncio.gather(
        *(stand.registry.take(MAX, service="orders") for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, errors.NothingOffered) for one in outcomes) == 3


async def test_a_claim_whose_deploy_fails_leaves_nothing(stand: Stand) -> None:
    async with stand.database.session() as session:
        with suppress(Conflict):
            async with session.transaction():
                await stand.registry.claim(
                    session, ADA_HERSELF, "orders", team="commerce", tier=1, description=""
                )
                raise Conflict
    assert await stand.registry.service("orders") is None
    assert await stand.noted() == []


async def test_who_may_nothing_changes_and_sees_nothing(database: Database) -> None:
    registry = PlatformRegistry(
        database, gate=RefuseAll(), book=TableBook(), teams=TheseTeams("commerce")
    )
    said = ServiceSaid("commerce")
    asked = [
        registry.services(ADA),
        registry.all_services(ADA),
        registry.show(ADA, service="x"),
        registry.register(ADA, service="x", said=said),
        registry.offer(ADA, service="x", team="money"),
        registry.withdraw_offer(ADA, service="x"),
        registry.take(ADA, service="x"),
        registry.assign(ADA, service="x", team="money"),
        registry.retire(ADA, service="x"),
        registry.environments(ADA),
        registry.set_environment(ADA, environment="x", said=EnvironmentSaid("dev")),
        registry.remove_environment(ADA, environment="x"),
        registry.targets(ADA),
        registry.set_target(ADA, target="x", said=TargetSaid("here")),
        registry.remove_target(ADA, target="x"),
    ]
    for one in asked:
        with pytest.raises(Denied):
            await one
    assert await TableBook.noted(database) == []


async def test_the_server_knows_every_statement(database: Database) -> None:
    texts = {
        name: text
        for name, text in vars(store).items()
        if name.isupper() and isinstance(text, str) and name != "PART"
    }
    assert len(texts) > 30
    session = await database.open()
    try:
        for name, text in texts.items():
            words = NAMED.findall(text)
            numbers = {word: n for n, word in enumerate(dict.fromkeys(words), 1)}
            plain = NAMED.sub("{}", text).format(*(f"${numbers[word]}" for word in words))
            await session.run_script(f"PREPARE one_{name} AS {plain}")
    finally:
        await session.close()
