"""The registry in every reach, on a real database."""

from __future__ import annotations

from typing import Any

import pytest

from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l00_kernel.errors import Denied, Invalid
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.registry import errors
from drystone.l50_orchestrator.registry.api import (
    EnvironmentSaid,
    RegistryApi,
    ServiceSaid,
    TargetSaid,
)
from drystone.testing.orchestrator import TableBook
from l50_orchestrator.registry.stand import ADA, MAX, ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINKS = {"runbook": "https://runbooks.example/orders"}


async def test_a_service_is_registered_shown_and_given_up(
    registry: RegistryApi, database: Database
) -> None:
    said = ServiceSaid("commerce", "Takes orders.", LINKS)
    made = await registry.register(ADA, service="orders", said=said)
    assert (made.service.team, made.service.by, made.service.links) == ("commerce", "ada", LINKS)
    assert await registry.show(MAX, service="orders") == made
    retired = await registry.retire(ADA, service="orders")
    assert retired.retired is not None
    assert (await registry.services(ADA)).items == []
    assert (await registry.services(ADA, retired=True)).items == [retired]
    again = await registry.register(ADA, service="orders", said=said)
    assert again.service.since == made.service.since
    noted = [(one.actor, one.action) for one in await TableBook.noted(database)]
    assert noted == [
        ("ada", "service.registered"),
        ("ada", "service.retired"),
        ("ada", "service.registered"),
    ]


async def test_what_is_said_again_changes_nothing_and_is_not_noted(
    registry: RegistryApi, database: Database
) -> None:
    said = ServiceSaid("commerce", "Takes orders.", LINKS)
    first = await registry.register(ADA, service="orders", said=said)
    assert await registry.register(ADA, service="orders", said=said) == first
    dev = EnvironmentSaid("dev")
    await registry.set_environment(ROOT, environment="dev", said=dev)
    await registry.set_environment(ROOT, environment="dev", said=dev)
    west = TargetSaid("platform", "https://west.example/")
    await registry.set_target(ROOT, target="west", said=west)
    await registry.set_target(ROOT, target="west", said=west)
    assert len(await TableBook.noted(database)) == 3


@pytest.mark.parametrize(
    ("name", "said", "error"),
    [
        ("Orders", ServiceSaid("commerce"), errors.NameRefused),
        ("admin", ServiceSaid("commerce"), errors.NameRefused),
        ("orders\x00", ServiceSaid("commerce"), errors.NameRefused),
        ("orders", ServiceSaid("commerce", "a\x1b[2J"), errors.RegistrationUnfit),
        ("orders", ServiceSaid("commerce", "x" * 5000), errors.RegistrationUnfit),
        ("orders", ServiceSaid("commerce", "", {"x": "javascript:alert(1)"}), None),
        ("orders", ServiceSaid("commerce", "", {"x": "https://a:b@c.example"}), None),
        ("orders", ServiceSaid("money"), errors.NotInTeam),
        ("orders", ServiceSaid("nobody\x00"), errors.NotInTeam),
    ],
)
async def test_what_cannot_be_registered_is_refused(
    registry: RegistryApi, name: str, said: ServiceSaid, error: type[Exception] | None
) -> None:
    with pytest.raises(error or errors.RegistrationUnfit):
        await registry.register(ADA, service=name, said=said)
    assert (await registry.services(ADA)).items == []


async def test_an_admin_registers_for_a_team_that_there_is(registry: RegistryApi) -> None:
    made = await registry.register(ROOT, service="orders", said=ServiceSaid("commerce"))
    assert made.service.team == "commerce"
    with pytest.raises(errors.TeamNotFound):
        await registry.register(ROOT, service="others", said=ServiceSaid("nobody"))


async def test_a_name_of_another_team_is_refused_and_says_whose_it_is(
    registry: RegistryApi,
) -> None:
    await registry.register(ADA, service="orders", said=ServiceSaid("commerce"))
    with pytest.raises(errors.NameTaken, match="'commerce'; it is free from"):
        await registry.register(MAX, service="orders", said=ServiceSaid("money"))
    with pytest.raises(errors.NameTooClose, match="taken for 'orders'"):
        await registry.register(MAX, service="or-ders", said=ServiceSaid("money"))
    made = await registry.register(
        Context(ROOT.caller), service="or-ders", said=ServiceSaid("money")
    )
    assert made.service.team == "money"


async def test_a_service_goes_to_another_team_when_both_want_it(registry: RegistryApi) -> None:
    await registry.register(ADA, service="orders", said=ServiceSaid("commerce"))
    with pytest.raises(errors.NothingOffered):
        await registry.take(MAX, service="orders")
    assert (await registry.offer(ADA, service="orders", team="money")).offered_to == "money"
    with pytest.raises(errors.NotInTeam, match="somebody of the team can"):
        await registry.take(ADA, service="orders")
    assert (await registry.withdraw_offer(ADA, service="orders")).offered_to == ""
    with pytest.raises(errors.NothingOffered):
        await registry.take(MAX, service="orders")
    await registry.offer(ADA, service="orders", team="money")
    taken = await registry.take(MAX, service="orders")
    assert (taken.service.team, taken.offered_to) == ("money", "")
    assert taken.service.by == "ada"
    with pytest.raises(errors.NothingOffered):
        await registry.take(MAX, service="orders")


async def test_only_an_admin_gives_a_service_away_unasked(registry: RegistryApi) -> None:
    await registry.register(ADA, service="orders", said=ServiceSaid("commerce"))
    with pytest.raises(Denied):
        await registry.assign(ADA, service="orders", team="money")
    assert (await registry.assign(ROOT, service="orders", team="money")).service.team == "money"
    with pytest.raises(errors.TeamNotFound):
        await registry.assign(ROOT, service="orders", team="nobody")


async def test_pages_hold_every_service_once(registry: RegistryApi) -> None:
    names = [f"svc-{number}" for number in range(7)]
    for name in names:
        await registry.register(ADA, service=name, said=ServiceSaid("commerce"))
    seen, cursor, pages = [], None, 0
    while cursor is not None or not pages:
        page = await registry.services(ADA, limit=3, cursor=cursor)
        seen += [one.service.name for one in page.items]
        cursor, pages = page.next, pages + 1
    assert (seen, pages) == (names, 3)


async def test_services_are_found_by_team_tier_and_words(registry: RegistryApi) -> None:
    await registry.register(ADA, service="orders", said=ServiceSaid("commerce", "Takes ÄPFEL"))
    await registry.register(MAX, service="payments", said=ServiceSaid("money", "100%_sure"))

    async def found(**by: Any) -> list[str]:
        page = await registry.services(ADA, **by)
        return [one.service.name for one in page.items]

    assert await found(team="money") == ["payments"]
    assert await found(search="äpf") == ["orders"]
    assert await found(search="ORD") == ["orders"]
    assert await found(search="%_") == ["payments"]
    assert await found(search="%") == ["payments"]
    assert await found(tier=0) == []
    assert await found(search="' OR true --") == []
    hostiles: list[dict[str, Any]]
    hostiles = [{"search": "\x00"}, {"tier": 9}, {"limit": 0}, {"cursor": "x"}]
    for hostile in hostiles:
        with pytest.raises(Invalid):
            await found(**hostile)


async def test_a_service_that_there_is_not_is_told_with_what_was_meant(
    registry: RegistryApi,
) -> None:
    await registry.register(ADA, service="orders", said=ServiceSaid("commerce"))
    with pytest.raises(errors.ServiceNotRegistered, match="did you mean 'orders'"):
        await registry.show(ADA, service="ordres")
    for hostile in ("\x00", "a/b", "x" * 5000, "' OR true --"):
        with pytest.raises(errors.ServiceNotRegistered):
            await registry.show(ADA, service=hostile)


async def test_environments_and_targets_are_made_changed_and_removed(
    registry: RegistryApi,
) -> None:
    west = TargetSaid("platform", "https://west.example/")
    await registry.set_target(ROOT, target="west", said=west)
    await registry.set_environment(ROOT, environment="dev", said=EnvironmentSaid("dev"))
    prod = EnvironmentSaid("prod", "eu-west", "west", "dev", 9)
    made = await registry.set_environment(ROOT, environment="prod", said=prod)
    assert (made.environment.name, made.environment.after, made.services) == ("prod", "dev", 0)
    assert [one.environment.name for one in await registry.environments(ADA)] == ["dev", "prod"]
    assert [(t.name, t.environments) for t in await registry.targets(ADA)] == [
        ("here", ("dev",)),
        ("west", ("prod",)),
    ]
    with pytest.raises(errors.TargetInUse, match="prod is bound to it"):
        await registry.remove_target(ROOT, target="west")
    with pytest.raises(errors.EnvironmentInUse, match="after it comes prod"):
        await registry.remove_environment(ROOT, environment="dev")
    with pytest.raises(errors.TargetUnfit, match="tests alone"):
        await registry.set_target(ROOT, target="sim", said=TargetSaid("simulated"))
    with pytest.raises(errors.TargetUnfit, match="platform itself"):
        await registry.remove_target(ROOT, target="here")
    await registry.remove_environment(ROOT, environment="prod")
    await registry.remove_environment(ROOT, environment="dev")
    await registry.remove_target(ROOT, target="west")
    assert await registry.environments(ADA) == []
    assert [target.name for target in await registry.targets(ADA)] == ["here"]


async def test_only_admins_change_environments_and_targets(registry: RegistryApi) -> None:
    dev = EnvironmentSaid("dev")
    for ctx in (ADA, Context(ANONYMOUS)):
        with pytest.raises(Denied):
            await registry.set_environment(ctx, environment="dev", said=dev)
        with pytest.raises(Denied):
            await registry.remove_environment(ctx, environment="dev")
        with pytest.raises(Denied):
            await registry.set_target(ctx, target="x", said=TargetSaid("here"))
        with pytest.raises(Denied):
            await registry.remove_target(ctx, target="x")
    assert await registry.environments(ROOT) == []


async def test_names_of_places_that_cannot_be_are_refused(registry: RegistryApi) -> None:
    for hostile in ("Dev", "a/b", "\x00", "x" * 500, "'; --"):
        with pytest.raises(errors.EnvironmentUnfit):
            await registry.set_environment(ROOT, environment=hostile, said=EnvironmentSaid("dev"))
        with pytest.raises(errors.TargetUnfit):
            await registry.set_target(ROOT, target=hostile, said=TargetSaid("here"))
        await registry.remove_environment(ROOT, environment=hostile)
        await registry.remove_target(ROOT, target=hostile)
