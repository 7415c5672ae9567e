"""Operations on services that run: allowed, written down, and then carried out in the name of who asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.errors import Denied
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l25_deployer.api import ExecOutput, HistoryEvent, Progress
from drystone.l25_deployer.operations.api import Forwarding, OperationsApi
from drystone.l25_deployer.stacks.sizes import ServiceSize
from drystone.l50_orchestrator.operating.service import Operated
from drystone.l50_orchestrator.ports import Gate
from drystone.l50_orchestrator.registry.api import EnvironmentSaid
from drystone.l50_orchestrator.registry.service import PlatformRegistry
from drystone.testing.conformance.engines import short_home
from drystone.testing.orchestrator import AllowAll, Noted, RefuseAll, TableBook, TheseTeams
from l85_surfaces.cli.small_platform import SmallPlatform

ADA = Context(Caller("ada", frozenset({"team/commerce"})))
ROOT = Context(Caller("root", frozenset({"admin"})))
NOW = datetime.fromisoformat("2026-05-04T10:00Z")
AT: dict[str, Any] = {"environment": "prod", "service": "orders"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Hands(OperationsApi):
    """Notes what it is asked for, and by whom."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []

    @override
    async def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "scale", instances))
        yield Progress(NOW, "done", "info", "scaled")

    @override
    async def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        self.asked.append((ctx.caller.name, "restart", group))
        yield Progress(NOW, "done", "info", "restarted")

    @override
    async def events(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        last: int = 20,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[HistoryEvent]:
        raise NotImplementedError
        yield

    @override
    async def sizes(self, ctx: Context) -> list[ServiceSize]:
        raise NotImplementedError

    @override
    async def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        self.asked.append((ctx.caller.name, "forward", to))
        yield Forwarding("127.0.0.1:1", "db:5432")


class Runner(SmallPlatform):
    """Runs what it is asked for."""

    @override
    async def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        yield ExecOutput(f"{ctx.caller.name}: {' '.join(command)}", 0)


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
        self.hands = Hands()
        self.registry = PlatformRegistry(
            database,
            gate=AllowAll(),
            book=TableBook(),
            teams=TheseTeams("commerce"),
            clock=ManualClock(),
        )

    def operated(self, gate: Gate) -> Operated:
        return Operated(
            self.database,
            gate=gate,
            book=TableBook(),
            registry=self.registry,
            deployer=Runner(),
            operations=self.hands,
        )

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


def every(api: Operated, ctx: Context) -> list[AsyncIterator[object]]:
    return [
        api.scale(ctx, **AT, instances=3),
        api.restart(ctx, **AT),
        api.execute(ctx, **AT, command=["psql", "--password=secret"]),
        api.forward(ctx, **AT, to="db"),
    ]


async def test_who_may_is_written_down_and_then_obeyed(stand: Stand) -> None:
    said = [[one async for one in stream] for stream in every(stand.operated(AllowAll()), ADA)]
    assert [len(one) for one in said] == [1, 1, 1, 1]
    assert said[2] == [ExecOutput("ada: psql --password=secret", 0)]
    assert stand.hands.asked == [
        ("ada", "scale", 3),
        ("ada", "restart", None),
        ("ada", "forward", "db"),
    ]
    noted = await stand.noted()
    assert [(one.actor, one.action, one.subject) for one in noted] == [
        ("ada", f"service.{verb}", "prod/orders")
        for verb in ("scale", "restart", "exec", "forward")
    ]
    assert "secret" not in str(noted)


async def test_who_may_not_is_refused_before_anything_is_done(stand: Stand) -> None:
    for stream in every(stand.operated(RefuseAll()), ADA):
        with pytest.raises(Denied):
            await anext(stream)
    assert (stand.hands.asked, await stand.noted()) == ([], [])
