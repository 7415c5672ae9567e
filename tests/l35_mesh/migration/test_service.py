"""Migrations as the agent keeps them: records, the watch, and what the edge is told."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.errors import NotFound, PlatformError, Unavailable
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.proxy.edge_moves import WHOLE, Move
from drystone.l35_mesh.migration import service as watching
from drystone.l35_mesh.migration.api import Counted, DataSource, Target, Who
from drystone.l35_mesh.migration.comparers import Comparers
from drystone.l35_mesh.migration.errors import (
    IgnoredUnfit,
    MovesAlready,
    NoMigration,
    NotAtAnEnd,
    NothingCompared,
    ShareUnfit,
    TargetSilent,
    TargetUnfit,
)
from drystone.l35_mesh.migration.ground import Ground
from drystone.l35_mesh.migration.service import Migrations
from drystone.l35_mesh.migration.store import FILE, Store

ASKING = Context(Caller("tester"))
OWN_PORT = 8400


class Kept(Ground):
    """Remembers what it was told, and counts what a test says."""

    def __init__(self) -> None:
        self.deployed = {("dev", "orders")}
        self.noted: dict[tuple[str, str], Move | None] = {}
        self.current: dict[tuple[str, str], Move | None] = {}
        self.told: list[str] = []
        self.is_held = False
        self.counted = (Counted(0, 0), Counted(0, 0))
        self.is_silent = False

    @override
    def require(self, environment: str, service: str) -> None:
        if not self.is_deployed(environment, service):
            raise NotFound(f"no service {service}")

    @override
    def is_deployed(self, environment: str, service: str) -> bool:
        return (environment, service) in self.deployed

    @override
    def write_history(
        self, environment: str, service: str, event: str, text: str, *, by: str
    ) -> None:
        self.told.append(f"{by}: {text}")

    @override
    def note(self, environment: str, service: str, move: Move | None) -> None:
        self.noted[environment, service] = move

    @override
    async def publish(self) -> None:
        if self.is_silent:
            raise Unavailable("no proxy")
        self.current = dict(self.noted)

    @override
    async def outcomes(self, environment: str, service: str) -> tuple[Counted, Counted]:
        return self.counted

    @override
    def is_own(self, address: str, port: int) -> bool:
        return port == OWN_PORT

    @override
    async def data_source(self, environment: str, service: str, resource: str) -> DataSource:
        return DataSource("postgres", {"url": "postgresql://u:secret@h/d"})

    @override
    async def hold_data(
        self, environment: str, service: str, resource: str, *, is_held: bool
    ) -> bool:
        self.is_held = is_held
        return True

    @property
    def move(self) -> Move:
        """What the proxy does now."""
        found = self.current["dev", "orders"]
        assert found is not None
        return found


@pytest.fixture
def other() -> Iterator[int]:
    """The port of another side, at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def ground() -> Kept:
    return Kept()


@pytest.fixture
async def migrations(ground: Kept, tmp_path: Path) -> AsyncIterator[Migrations]:
    found = another(ground, tmp_path)
    yield found
    await found.stop_watching()


def another(ground: Kept, folder: Path) -> Migrations:
    """Return what an agent has that starts now."""
    sockets = Path(tempfile.gettempdir())
    comparers = Comparers(
        folder,
        outputs=folder,
        socket=lambda name: sockets / f"{os.getpid()}-{name}",
        environ=os.environ,
        log=NullLog(),
    )
    found = Migrations(
        Store(folder),
        ground,
        comparers,
        label="0123456789abcdef",
        clock=SystemClock(),
        log=NullLog(),
    )
    found.load()
    return found


async def begun(migrations: Migrations, port: int, percent: float = 0) -> None:
    target = Target(address=f"127.0.0.1:{port}")
    await migrations.start(ASKING, environment="dev", service="orders", target=target)
    if percent:
        await shared(migrations, percent)


async def shared(migrations: Migrations, percent: float, **more: object) -> None:
    await migrations.share(ASKING, environment="dev", service="orders", percent=percent, **more)  # type: ignore[arg-type]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_a_share_a_rule_and_a_cookie_reach_the_edge_and_the_next_agent(
    migrations: Migrations, ground: Kept, other: int, tmp_path: Path
) -> None:
    await begun(migrations, other)
    assert ground.move.share == 0
    await shared(migrations, 12.5, who=[Who("x-a", "b")], sticky="cookie:c")
    await shared(migrations, 25)
    assert ground.move.share == WHOLE // 4
    assert [rule.header for rule in ground.move.rules] == ["x-a"]
    assert ground.move.sticky is not None
    later = Kept()
    another(later, tmp_path)
    assert later.noted == ground.current
    await shared(migrations, 25, who=[], sticky="")
    assert not ground.move.rules
    assert not ground.move.sticky


async def test_going_back_takes_every_request_and_the_history_tells(
    migrations: Migrations, ground: Kept, other: int
) -> None:
    await begun(migrations, other, 50)
    await shared(migrations, 50, who=[Who("x-a", "b")])
    view = await migrations.back(ASKING, environment="dev", service="orders")
    assert (view.share, view.who, ground.move.share, ground.move.rules) == (0, [], 0, ())
    assert ground.told[-1] == "tester: everything is answered here again"


async def test_finishing_needs_one_side_to_have_everything(
    migrations: Migrations, ground: Kept, other: int, tmp_path: Path
) -> None:
    await begun(migrations, other, 50)
    with pytest.raises(NotAtAnEnd, match="50 %"):
        await migrations.finish(ASKING, environment="dev", service="orders")
    await shared(migrations, 100)
    assert ground.move.has_fallback
    view = await migrations.finish(ASKING, environment="dev", service="orders")
    assert view.state == "moved"
    assert not ground.move.has_fallback
    await migrations.back(ASKING, environment="dev", service="orders")
    await migrations.finish(ASKING, environment="dev", service="orders")
    assert ground.current["dev", "orders"] is None
    assert not list(tmp_path.rglob(FILE))
    with pytest.raises(NoMigration):
        await migrations.show(ASKING, environment="dev", service="orders")


async def test_a_side_that_fails_is_left_until_somebody_says_otherwise(
    migrations: Migrations, ground: Kept, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", watching.LOOK_EVERY / 100)
    await begun(migrations, other, 50)
    migrations.start_watching()
    ground.counted = (Counted(100, 0), Counted(100, 0))
    await asyncio.sleep(0)
    await until(lambda: migrations._windows["dev", "orders"]._last == ground.counted)
    ground.counted = (Counted(200, 0), Counted(150, 50))
    await until(lambda: ground.move.share == 0)
    view = await migrations.show(ASKING, environment="dev", service="orders")
    assert view.state == "back"
    assert "50 of 100 requests failed" in view.reason
    assert ground.told[-1].startswith("platform: everything is answered here: 50 of 100")
    await shared(migrations, 10)
    assert ground.move.share == WHOLE // 10


async def test_a_mistake_of_both_sides_moves_nothing(
    migrations: Migrations, ground: Kept, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", watching.LOOK_EVERY / 100)
    await begun(migrations, other, 50)
    migrations.start_watching()
    window = migrations._windows["dev", "orders"]
    for step in range(1, 5):
        ground.counted = (Counted(0, 50 * step), Counted(0, 50 * step))
        await until(lambda: window._last == ground.counted)
    assert ground.move.share == WHOLE // 2


async def test_a_service_that_is_gone_takes_its_migration_along(
    migrations: Migrations,
    ground: Kept,
    other: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", watching.LOOK_EVERY / 100)
    await begun(migrations, other, 50)
    migrations.start_watching()
    ground.deployed.clear()
    await until(lambda: not list(tmp_path.rglob(FILE)))
    await until(lambda: ground.noted["dev", "orders"] is None)
    assert await migrations.migrations(ASKING) == []


async def test_a_proxy_that_does_not_answer_is_told_later(
    migrations: Migrations, ground: Kept, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", watching.LOOK_EVERY / 100)
    await begun(migrations, other)
    ground.is_silent = True
    with pytest.raises(Unavailable):
        await shared(migrations, 50)
    migrations.start_watching()
    await until(lambda: bool(migrations._troubles))
    ground.is_silent = False
    await until(lambda: ground.move.share == WHOLE // 2)


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (f"127.0.0.1:{OWN_PORT}", TargetUnfit),
        ("127.0.0.1:1", TargetSilent),
        ("no-such-name.invalid:80", TargetUnfit),
        ("nonsense", TargetUnfit),
    ],
)
async def test_a_target_that_cannot_be_is_refused_and_nothing_is_written(
    migrations: Migrations, tmp_path: Path, address: str, error: type[PlatformError]
) -> None:
    with pytest.raises(error):
        await migrations.start(
            ASKING, environment="dev", service="orders", target=Target(address=address)
        )
    assert not list(tmp_path.rglob(FILE))


async def test_a_service_moves_to_one_place_at_a_time(migrations: Migrations, other: int) -> None:
    await begun(migrations, other)
    await begun(migrations, other)  # the same again changes nothing
    with socket.create_server(("127.0.0.1", 0)) as third, pytest.raises(MovesAlready):
        await begun(migrations, third.getsockname()[1])


async def test_a_share_to_a_side_that_is_silent_is_refused(
    migrations: Migrations, ground: Kept
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await begun(migrations, listening.getsockname()[1])
    with pytest.raises(TargetSilent):
        await shared(migrations, 1)
    with pytest.raises(ShareUnfit):
        await shared(migrations, 101)
    assert ground.move.share == 0


async def test_a_record_that_cannot_be_read_is_left_alone(
    migrations: Migrations, other: int, tmp_path: Path
) -> None:
    await begun(migrations, other, 50)
    (path,) = tmp_path.rglob(FILE)
    path.write_bytes(path.read_bytes()[:40])
    later = Kept()
    found = another(later, tmp_path)
    assert later.noted == {}
    assert await found.migrations(ASKING) == []
    assert path.exists()


def test_no_representation_holds_a_secret() -> None:
    source = DataSource("postgres", {"url": "postgresql://u:secret@h/d"})
    assert "secret" not in repr(source)
    assert msgspec.json.decode(msgspec.json.encode(source), type=DataSource) == source


async def test_comparing_begins_anew_goes_on_with_the_next_agent_and_ends_with_the_move(
    migrations: Migrations, ground: Kept, other: int, tmp_path: Path
) -> None:
    where: Any = {"environment": "dev", "service": "orders"}
    await begun(migrations, other)
    with pytest.raises(NothingCompared):
        await migrations.compared(ASKING, **where)
    view = await migrations.mirror(ASKING, **where, percent=12.5, ignored=["/at", "Vary"])
    assert (view.compared, view.ignored) == (12.5, ["/at", "Vary"])
    assert ground.move.mirror is not None
    assert ground.move.mirror.share == WHOLE // 8
    assert ground.move.mirror.copies.is_socket()
    counted = await migrations.compared(ASKING, **where)
    await migrations.mirror(ASKING, **where, percent=50)  # goes on counting
    assert await migrations.compared(ASKING, **where) == counted
    await migrations.stop_watching()
    assert not ground.move.mirror.copies.exists()
    after = another(ground, tmp_path)
    await ground.publish()
    assert ground.move.mirror.share == WHOLE // 2
    assert (await after.show(ASKING, **where)).ignored == ["/at", "Vary"]
    await after.mirror(ASKING, **where, percent=0)
    assert ground.move.mirror is None
    assert await after.compared(ASKING, **where) == counted
    await after.mirror(ASKING, **where, percent=1)
    assert (await after.compared(ASKING, **where)).since > counted.since
    await after.finish(ASKING, **where)
    assert list(tmp_path.glob("*/*/*")) == []
    await after.stop_watching()


async def test_what_cannot_be_ignored_is_refused(migrations: Migrations, other: int) -> None:
    await begun(migrations, other)
    for bad in (["a b"], ["/x"] * 33):
        with pytest.raises(IgnoredUnfit):
            await migrations.mirror(
                ASKING, environment="dev", service="orders", percent=1, ignored=bad
            )
