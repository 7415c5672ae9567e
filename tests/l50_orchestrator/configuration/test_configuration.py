"""Files are applied to a real registry: once, in order, by one at a time, and never more than was confirmed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.configuration import errors, store
from drystone.l50_orchestrator.configuration.api import Applied, ConfigurationApi
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.l50_orchestrator.ports import Actor
from drystone.testing.configured import TeamBlock, TeamsInMemory
from drystone.testing.orchestrator import TableBook
from l50_orchestrator.configuration.stand import ADA, OPENED, ROOT, Parts, applied, files, make

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEAMS = "teams:\n  commerce: [ada]\n  money: [max]\n"
PLACES = """
targets:
  west: {kind: platform, url: https://west.example/}
environments:
  prod: {type: prod, after: staging, target: west, region: eu-west, keep: 9}
  staging: {type: staging, after: dev}
  dev: {type: dev}
"""
SERVICES = """
services:
  orders: commerce
  payments: {team: money, links: {runbook: https://runbooks.example/payments}}
grants:
  all: {team: commerce, service: payments}
"""
ALL = (SERVICES, PLACES, TEAMS)


async def test_everything_is_applied_once_and_in_order(configuration: ConfigurationApi) -> None:
    plan = await configuration.plan(ROOT, files=files(*ALL))
    assert plan.words == ""
    said = await applied(configuration, *ALL)
    done = [one.step for one in said if one.step is not None]
    assert tuple(done) == plan.steps
    assert said[-1] == Applied("finished", 9, 9)
    names = [f"{step.kind}/{step.name}" for step in done]
    for first, then in [
        ("targets/west", "environments/prod"),
        ("environments/dev", "environments/staging"),
        ("environments/staging", "environments/prod"),
        ("teams/money", "services/payments"),
        ("services/payments", "grants/all"),
    ]:
        assert names.index(first) < names.index(then)
    assert await applied(configuration, *ALL) == [Applied("finished")]
    assert (await configuration.plan(ROOT, files=files(*ALL), prune=True)).steps == ()


async def test_what_is_in_no_file_stays_unless_its_removal_is_confirmed(
    configuration: ConfigurationApi,
) -> None:
    await applied(configuration, *ALL)
    fewer = ["teams: {commerce: [ada]}", "services: {orders: commerce}", "grants: {}"]
    assert await applied(configuration, *fewer) == [Applied("finished")]
    plan = await configuration.plan(ROOT, files=files(*fewer), prune=True)
    assert plan.words == "remove grants/all services/payments teams/money"
    with pytest.raises(errors.RemovalNotConfirmed, match=plan.words):
        await applied(configuration, *fewer, prune=True, confirm="yes")
    done = await applied(configuration, *fewer, prune=True, confirm=plan.words)
    gone = [f"{one.step.action} {one.step.kind}" for one in done if one.step is not None]
    assert gone == ["remove grants", "remove services", "remove teams"]
    assert (await configuration.plan(ROOT, files=files(*fewer), prune=True)).steps == ()


async def test_mistakes_of_all_files_are_refused_and_nothing_is_done(
    configuration: ConfigurationApi,
) -> None:
    with pytest.raises(errors.FilesRefused) as refusal:
        await applied(configuration, "services: {orders: {owner: commerce}}", "teams: {A: []}")
    assert "0.yaml:1:21: unknown key 'owner'" in refusal.value.message
    assert "1.yaml:1:9: " in refusal.value.message
    with pytest.raises(errors.FilesRefused) as refusal:
        await applied(configuration, "teams: {commerce: []}", "services:\n  orders: comerce\n")
    assert "1.yaml:2:11: services.orders.team: 'comerce' is none of" in refusal.value.message
    assert "did you mean 'commerce'?" in refusal.value.message
    assert (await configuration.plan(ROOT, files=files(TEAMS))).steps[0].action == "create"


async def test_who_may_not_change_a_thing_does_not_change_it_by_a_file(
    configuration: ConfigurationApi,
) -> None:
    with pytest.raises(errors.ApplyStopped, match=r"create environments/dev failed: ada may not"):
        await applied(configuration, "environments: {dev: {type: dev}}", ctx=ADA)
    plan = await configuration.plan(ROOT, files=files("environments: {dev: {type: dev}}"))
    assert len(plan.steps) == 1


async def test_a_failure_half_way_says_what_is_left_and_applying_again_goes_on(
    parts: Parts,
) -> None:
    parts.grants.refuses.add("all")
    later = "grants:\n  zeta: {team: money, unless: all, reason: x}\n"
    with pytest.raises(errors.ApplyStopped) as stop:
        await applied(parts.configuration, *ALL, later)
    assert "create grants/all failed: all is refused. 8 of 10 steps are done" in str(stop.value)
    assert "left: create grants/zeta" in str(stop.value)
    parts.grants.refuses.clear()
    done = await applied(parts.configuration, *ALL, later)
    assert [one.step.name for one in done if one.step is not None] == ["all", "zeta"]


async def test_what_is_used_is_not_removed_by_a_file(parts: Parts) -> None:
    await applied(parts.configuration, *ALL)
    async with parts.database.session() as session, session.transaction():
        actor = Actor("ada", "person", frozenset({"commerce"}))
        await parts.registry.claim(
            session, actor, "orders", team="commerce", tier=1, description="Takes orders."
        )
        await parts.registry.appeared(session, "orders", "prod")
    for text, why in [("environments: {}", "orders run"), ("services: {}", "runs in prod")]:
        plan = await parts.configuration.plan(ROOT, files=files(text, "grants: {}"), prune=True)
        with pytest.raises(errors.ApplyStopped, match=why):
            await applied(parts.configuration, text, "grants: {}", prune=True, confirm=plan.words)
    view = await parts.registry.show(ROOT, service="orders")
    assert view.service.description == "Takes orders."
    assert (await parts.configuration.plan(ROOT, files=files(SERVICES))).steps == tuple(
        step
        for step in (await parts.configuration.plan(ROOT, files=files(*ALL))).steps
        if step.kind in {"services", "grants"}
    )


async def test_a_service_of_another_team_goes_over_by_an_admin_alone(parts: Parts) -> None:
    await applied(parts.configuration, *ALL)
    moved = "services: {orders: money}"
    plan = await parts.configuration.plan(ROOT, files=files(moved))
    assert plan.steps[0].changes == ('team: "commerce" → "money"',)
    with pytest.raises(errors.ApplyStopped, match="may not"):
        await applied(parts.configuration, moved, ctx=ADA)
    await applied(parts.configuration, moved)
    noted = [(one.action, one.fields.get("team")) for one in await TableBook.noted(parts.database)]
    assert noted[-1] == ("service.assigned", "money")


class _Slow(TeamsInMemory):
    """Waits in each put until it may go on, and counts who is within."""

    def __init__(self) -> None:
        super().__init__({})
        self.within = self.most = 0
        self.go_on = asyncio.Event()
        self.is_within = asyncio.Event()

    @override
    async def put(self, ctx: Context, name: str, item: TeamBlock) -> None:
        self.within += 1
        self.most = max(self.most, self.within)
        self.is_within.set()
        await self.go_on.wait()
        await super().put(ctx, name, item)
        self.within -= 1


async def test_of_two_applies_at_once_one_waits_and_has_nothing_left_to_do(
    database: Database,
) -> None:
    slow = _Slow()
    one, other = Configuration(database, [slow]), Configuration(database, [slow])
    first = asyncio.create_task(applied(one, TEAMS))
    await slow.is_within.wait()
    second = other.apply(ROOT, files=files(TEAMS))
    assert await anext(second) == Applied("waiting")
    slow.go_on.set()
    assert [said async for said in second] == [Applied("finished")]
    assert len(await first) == 3
    assert slow.most == 1


async def test_who_waits_too_long_is_told(database: Database) -> None:
    slow = _Slow()
    first = asyncio.create_task(applied(Configuration(database, [slow]), TEAMS))
    await slow.is_within.wait()
    hasty = Configuration(database, [slow], patience=timedelta(milliseconds=50))
    with pytest.raises(errors.AppliedElsewhere):
        await applied(hasty, TEAMS)
    slow.go_on.set()
    await first


async def test_who_stops_listening_lets_the_next_one_in(database: Database) -> None:
    teams = TeamsInMemory({})
    configuration = Configuration(database, [teams])
    async with aclosing(configuration.apply(ROOT, files=files(TEAMS))) as stream:  # type: ignore[type-var]
        assert (await anext(stream)).number == 1
    assert len(teams.items) == 1
    assert [one.state for one in await applied(configuration, TEAMS)] == ["done", "finished"]


async def test_what_was_confirmed_is_removed_and_nothing_that_came_since(parts: Parts) -> None:
    await applied(parts.configuration, *ALL)
    wanted = [TEAMS, "grants: {}"]
    plan = await parts.configuration.plan(ROOT, files=files(*wanted), prune=True)
    await applied(parts.configuration, "grants: {new: {team: money, reason: x}}")
    with pytest.raises(errors.RemovalNotConfirmed, match="grants/new"):
        await applied(parts.configuration, *wanted, prune=True, confirm=plan.words)
    assert set(parts.grants.items) == {"all", "new"}


async def test_an_apply_whose_process_is_killed_keeps_nobody_waiting(database: Database) -> None:
    access = database.access
    where = (access.host, str(access.port), access.database, access.user, access.password)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("holder.py")),
        *where,
        stdout=asyncio.subprocess.PIPE,
        env=env,
    )
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"stuck\n"
        stream = make(*where).apply(ROOT, files=files(TEAMS))
        assert await anext(stream) == Applied("waiting")
        holder.send_signal(signal.SIGKILL)
        assert [one.state async for one in stream] == ["done", "done", "finished"]
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.wait()
        while OPENED:
            await OPENED.pop().close()


async def test_the_server_knows_every_statement(database: Database) -> None:
    for statement in (store.LOCK, store.TRY_LOCK):
        session = await database.open()
        try:
            await session.run_script(
                f"PREPARE one (integer) AS {statement.replace('%(space)s', '$1')}"
            )
        finally:
            await session.close()
