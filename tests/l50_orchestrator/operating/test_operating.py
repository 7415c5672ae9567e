"""Operations on services that run: allowed, written down, and then carried out in the name of who asked."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import Api, Caller, Context
from drystone.l00_kernel.contract.declaration import calls_of
from drystone.l00_kernel.errors import Denied, Invalid, Unavailable
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l25_deployer.api import ExecOutput
from drystone.l50_orchestrator.access import domain
from drystone.l50_orchestrator.access.domain import Grant, Question, Role, Standing
from drystone.l50_orchestrator.operating.allowing import Allowing, Streams
from drystone.l50_orchestrator.operating.api import (
    EnteringApi,
    JobbingApi,
    KeepingApi,
    OperatingApi,
    WatchingApi,
)
from drystone.l50_orchestrator.operating.errors import OperatedElsewhere, TooManyStreams
from drystone.l50_orchestrator.operating.jobs import Jobbed
from drystone.l50_orchestrator.operating.keeping import Kept
from drystone.l50_orchestrator.operating.service import Entered, Operated
from drystone.l50_orchestrator.operating.watching import Watched
from drystone.l50_orchestrator.ports import Action, Actor, Gate
from drystone.l50_orchestrator.registry.api import EnvironmentSaid, TargetSaid
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.testing.conformance.engines import short_home
from drystone.testing.orchestrator import (
    AllowAll,
    Noted,
    RefuseAll,
    TableBook,
    TheseTeams,
    actor_of,
)
from l50_orchestrator.operating.hands import NOW, Bench, Eyes, Hands, Runner, Shelf
from l85_surfaces.cli.small_platform import Deployed

ADA = Context(Caller("ada", frozenset({"team/commerce"})))
ROOT = Context(Caller("root", frozenset({"admin"})))
AT: dict[str, Any] = {"environment": "prod", "service": "orders"}
PERMISSIONS = Path(__file__).with_name("permissions.txt")
CONTRACTS: tuple[type[Api], ...] = (
    WatchingApi,
    OperatingApi,
    KeepingApi,
    JobbingApi,
    EnteringApi,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class As(Gate):
    """Somebody who has one role over the service, and what that allows."""

    def __init__(self, role: Role | None) -> None:
        grants = () if role is None else (Grant("person:ada", role, "service:orders"),)
        self.standing = Standing("ada", "person", grants=grants)

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        asked = Question(action, service, "commerce", environment, environment)
        decision = domain.decide(self.standing, asked, NOW)
        if not decision.allowed:
            raise Denied(decision.why)
        return actor_of(ctx)


class Changing(AllowAll):
    """Allows until somebody takes the right away, or the database."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        if self.error is not None:
            raise self.error
        return actor_of(ctx)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database() -> AsyncIterator[Database]:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        try:
            await engine.start()
            access = await provision(
                engine.admin(), "orchestrator", connections=20, password="not so secret"
            )
            database = Database(access, "orchestrator", most=4)
            try:
                await TableBook.prepare(database)
                yield database
            finally:
                await database.close()
        finally:
            await engine.stop()


class Stand:
    """The operations over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.hands, self.runner = Hands(), Runner()
        self.runner.services_now["prod", "orders"] = Deployed("orders", "prod", ["1.0"], 1)
        self.streams = Streams(of_one=2, of_all=3)
        self.registry = PlatformRegistry(
            database,
            gate=AllowAll(),
            book=TableBook(),
            teams=TheseTeams("commerce"),
            clock=ManualClock(),
        )

    def apis(self, gate: Gate) -> Mapping[type[Api], Any]:
        allowing = Allowing(
            self.database,
            gate=gate,
            book=TableBook(),
            registry=self.registry,
            streams=self.streams,
        )
        both: dict[str, Any] = {"deployer": self.runner, "operations": self.hands}
        return {
            WatchingApi: Watched(allowing, **both, observed=Eyes()),
            OperatingApi: Operated(allowing, **both),
            KeepingApi: Kept(allowing, Shelf(self.hands.asked)),
            JobbingApi: Jobbed(allowing, Bench(self.hands.asked)),
            EnteringApi: Entered(allowing, **both),
        }

    async def said(self, gate: Gate, contract: type[Api], name: str, **more: Any) -> list[Any]:
        """Make a call and return all that it says."""
        method = getattr(self.apis(gate)[contract], name)
        given: dict[str, Any] = {"command": ["psql", "--password=secret"], "resource": "db"}
        given |= {"job": "report", "run": "r1", "arguments": ["--password=secret"], **AT, **more}
        takes = inspect.signature(method).parameters
        answer = method(ADA, **{key: value for key, value in given.items() if key in takes})
        if inspect.isawaitable(answer):
            return [await answer]
        return [one async for one in answer]

    async def noted(self) -> list[Noted]:
        every = await TableBook.noted(self.database)
        return [one for one in every if one.action.startswith("service.")]


@pytest_asyncio.fixture(loop_scope="module")
async def stand(database: Database) -> Stand:
    stand = Stand(database)
    await stand.registry.prepare()
    await database.fetch("TRUNCATE noted")
    await stand.registry.set_environment(ROOT, environment="prod", said=EnvironmentSaid("prod"))
    return stand


def every() -> list[tuple[type[Api], str]]:
    return [(contract, one.name) for contract in CONTRACTS for one in calls_of(contract)]


async def test_who_may_is_written_down_and_then_obeyed(stand: Stand) -> None:
    stand.runner.aborting["prod", "orders"] = asyncio.Event()
    said = {name: await stand.said(AllowAll(), contract, name) for contract, name in every()}
    assert all(len(one) == 1 for one in said.values())
    assert said["execute"] == [ExecOutput("ada: psql --password=secret", 0)]
    assert stand.hands.asked == [
        ("ada", "scale", None),
        ("ada", "restart", None),
        ("ada", "rotate", "db"),
        ("ada", "backup", "db"),
        ("ada", "restore", ("db", None, None, None)),
        ("ada", "restore-test", "db"),
        ("ada", "run", "report"),
        ("ada", "stop", "r1"),
        ("ada", "forward", None),
    ]
    noted = await stand.noted()
    assert [(one.actor, one.action, one.subject) for one in noted] == [
        ("ada", f"service.{verb}", "prod/orders")
        for verb in [
            "scale",
            "restart",
            "rotate",
            "abort",
            "backup",
            "restore",
            "restore-test",
            "job-run",
            "job-stop",
            "exec",
            "forward",
        ]
    ]
    assert "secret" not in str(noted)
    assert stand.streams.count == 0


async def test_who_may_not_is_refused_before_anything_is_done(stand: Stand) -> None:
    for contract, name in every():
        with pytest.raises(Denied):
            await stand.said(RefuseAll(), contract, name)
    assert (stand.hands.asked, await stand.noted(), stand.streams.count) == ([], [], 0)


async def test_each_call_takes_the_role_that_was_read(stand: Stand, golden: Any) -> None:
    stand.runner.aborting["prod", "orders"] = asyncio.Event()
    roles = (None, *Role)
    heads = [role.value if role else "nobody" for role in roles]
    lines = [" " * 26 + "".join(f"{one:10}" for one in heads)]
    for contract, name in every():
        line = f"{contract.name + '.' + name:26}"
        for role in roles:
            try:
                await stand.said(As(role), contract, name)
            except Denied:
                line += f"{'.':10}"
            else:
                line += f"{'yes':10}"
        lines.append(line)
    golden(PERMISSIONS, "\n".join(one.rstrip() for one in lines) + "\n")


async def test_an_environment_of_another_platform_is_operated_there(stand: Stand) -> None:
    await stand.registry.set_target(
        ROOT, target="berlin", said=TargetSaid("platform", "https://berlin.test/")
    )
    far = EnvironmentSaid("prod", target="berlin")
    await stand.registry.set_environment(ROOT, environment="far", said=far)
    for contract, name in every():
        if "service" in inspect.signature(getattr(contract, name)).parameters:
            with pytest.raises(OperatedElsewhere, match="berlin"):
                await stand.said(AllowAll(), contract, name, environment="far")
    assert stand.hands.asked == []


async def test_a_status_for_somebody_elsewhere_tells_nothing_of_the_machine(stand: Stand) -> None:
    (whole,) = await stand.said(AllowAll(), WatchingApi, "status")
    assert (whole.home, whole.agent_pid) == ("", 0)
    assert {(one.pid, one.address) for one in whole.engines} == {(None, "")}
    assert "/home" not in str(whole)


async def test_where_backups_lie_is_told_to_the_owner_of_the_home_alone(stand: Stand) -> None:
    kept = stand.apis(AllowAll())[KeepingApi]
    for ctx, folder in ((ADA, ""), (ROOT, "/home/b")):
        (found,) = await kept.backups(ctx, **AT)
        assert [one.folder for one in found.backups] == [folder]


@pytest.mark.parametrize("name", ["logs", "events"])
@pytest.mark.parametrize("number", [-1, 10**7])
async def test_a_number_of_lines_that_there_cannot_be_is_refused(
    stand: Stand, name: str, number: int
) -> None:
    with pytest.raises(Invalid, match="ask for"):
        await stand.said(AllowAll(), WatchingApi, name, lines=number, last=number)


async def test_a_stream_ends_when_its_reader_may_read_it_no_more(stand: Stand) -> None:
    gate = Changing()
    lines = stand.apis(gate)[WatchingApi].logs(ADA, **AT, follow=True)
    assert (await anext(lines)).text == "hello"
    waiting = asyncio.ensure_future(anext(lines))
    gate.error = Unavailable("the database is away")
    done, _ = await asyncio.wait((waiting,), timeout=0.7)
    assert not done
    gate.error = Denied("ada is nothing there")
    with pytest.raises(Denied):
        await asyncio.wait_for(waiting, 5)
    assert (stand.runner.reading, stand.streams.count) == (0, 0)


async def test_whoever_leaves_frees_what_was_read(stand: Stand) -> None:
    lines = stand.apis(AllowAll())[WatchingApi].logs(ADA, **AT, follow=True)
    await anext(lines)
    assert (stand.runner.reading, stand.streams.count) == (1, 1)
    await lines.aclose()
    assert (stand.runner.reading, stand.streams.count) == (0, 0)


async def test_streams_are_bounded_for_one_and_for_all(stand: Stand) -> None:
    api = stand.apis(AllowAll())[WatchingApi]
    bob, eve = (Context(Caller(name)) for name in ("bob", "eve"))
    read = [api.logs(ctx, **AT, follow=True) for ctx in (ADA, ADA, bob)]
    try:
        for one in read:
            await anext(one)
        for ctx in (ADA, eve):
            with pytest.raises(TooManyStreams):
                await anext(api.logs(ctx, **AT))
    finally:
        for one in read:
            await one.aclose()
    assert [one.text async for one in api.logs(eve, **AT)] == ["hello"]
    assert stand.streams.count == 0
