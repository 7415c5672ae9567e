from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ports import NullLog
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.backups.api import BackupsApi
from drystone.l25_deployer.backups.copyist import Copyist
from drystone.l25_deployer.backups.store import DRAFT, BackupStore
from drystone.l25_deployer.local.provisioning import Provisioner
from drystone.l25_deployer.local.records import ServiceRecord
from drystone.l25_deployer.local.resources.copies import Copied
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.resources.volume import Volumes
from drystone.l25_deployer.stacks.model import Volume
from faults.disks import Ballast, small_disk
from l25_deployer.agents import agent_at, start_agent, until_it_listens
from l25_deployer.backups.small_copies import Kept, told
from l25_deployer.small_platform import (
    ASKING,
    deploy,
    descriptor,
    folder_of,
    short_folder,
)

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

MORE = "resources: {state: {type: volume}}"
MINE = {"environment": "dev", "service": "greeter"}
MEBIBYTE = 1024**2


@asynccontextmanager
async def reached(home: Path) -> AsyncIterator[tuple[DeployerApi, BackupsApi]]:
    socket = Home(home).agent_socket
    async with connect(DeployerApi, uds=socket) as api, connect(BackupsApi, uds=socket) as copies:
        async for _ in api.startup(ASKING):
            pass
        yield api, copies


@pytest.mark.parametrize(
    ("act", "point", "content"),
    [
        pytest.param("take", "backup.parts.written", "second", marks=pytest.mark.slow),
        pytest.param("take", "backup.folder.named", "second", marks=pytest.mark.slow),
        pytest.param("restore", "backup.service.stopped", "second", marks=pytest.mark.slow),
        pytest.param("restore", "backup.return.written", "first"),
        pytest.param("restore", "backup.data.in-place", "first", marks=pytest.mark.slow),
        pytest.param("destroy", "backup.parts.written", None, marks=pytest.mark.slow),
        pytest.param("destroy", "backup.folder.named", None, marks=pytest.mark.slow),
    ],
)
async def test_an_agent_that_dies_leaves_the_data_old_or_new_and_the_next_one_goes_on(
    act: str, point: str, content: str | None
) -> None:
    with short_folder() as folder:
        home, port = folder / "h", free_port()
        note = home / "volumes/dev/greeter/state/note"
        with agent_at(home, port):
            async with reached(home) as (api, copies):
                await deploy(api, descriptor(more=MORE), folder_of(folder / "greeter"))
                note.write_text("first")
                await told(copies.take(ASKING, **MINE))
                note.write_text("second")
        agent = start_agent(home, port, {"DRYSTONE_FAULT": f"{point}:kill"})
        until_it_listens(agent, home)
        async with reached(home) as (api, copies):
            asked = {
                "take": lambda: copies.take(ASKING, **MINE),
                "restore": lambda: copies.restore(
                    ASKING,
                    environment="dev",
                    service="greeter",
                    resource="state",
                    confirm="state",
                ),
                "destroy": lambda: api.destroy(
                    ASKING, environment="dev", service="greeter", confirm=["state"]
                ),
            }
            with suppress(PlatformError):
                await told(asked[act]())
        assert agent.wait(30) == -signal.SIGKILL

        with agent_at(home, port):
            async with reached(home) as (api, copies):
                found = await copies.backups(ASKING, **MINE)
                assert found[0].unreadable == []
                assert not list((home / "backups").rglob(f"{DRAFT}*"))
                assert not list((home / "returning").rglob("*.json"))
                reasons = [one.reason for one in found[0].backups]
                if content is None:
                    assert not note.exists()
                    assert "final" in reasons
                    return
                assert note.read_text() == content
                if content == "first":
                    assert "before-restore" in reasons
                view = await api.show(ASKING, **MINE)
                assert view.summary.state == "serving"
                async for _ in api.stop(ASKING):
                    pass


class Crowded(Volumes):
    """Volumes next to whose copies somebody else fills the disk."""

    def __init__(self, root: Path, ballast: Ballast) -> None:
        super().__init__(root)
        self._ballast = ballast

    @override
    async def back_up(self, owner: Owner, wanted: Volume, folder: Path) -> Copied:
        self._ballast.fill()
        return await super().back_up(owner, wanted, folder)


async def test_a_disk_that_gets_full_ends_the_backup_and_leaves_nothing_of_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "disk").mkdir()
    live = tmp_path / "volumes/dev/shop/state"
    live.mkdir(parents=True)
    (live / "large").write_bytes(b"x" * 4 * MEBIBYTE)
    record = ServiceRecord("shop", "dev", eternal={"state": Volume()})
    with small_disk(tmp_path / "disk", 64 * MEBIBYTE) as disk:
        ballast = Ballast(disk)
        volumes = Crowded(tmp_path / "volumes", ballast)
        copyist = Copyist(
            BackupStore(disk / "backups"),
            home=tmp_path,
            provisioner=Provisioner({Volume: volumes}),
            clock=SystemClock(),
            log=NullLog(),
        )

        with pytest.raises(DiskFull):
            await copyist.take(record, "state", reason="asked", by="me")

        assert [
            p.name for p in (disk / "backups").rglob("*") if p.is_file() and p.stat().st_size
        ] == []
        assert "full" in copyist.troubles(record)[0]
        assert (live / "large").stat().st_size == 4 * MEBIBYTE
        with pytest.raises(DiskFull, match="may take"):  # now it is known beforehand
            await copyist.take(record, "state", reason="asked", by="me")


async def test_two_backups_at_once_among_writers_and_changes_of_tables_are_both_whole(
    kept: Kept,
) -> None:
    await kept.run(
        "DROP TABLE IF EXISTS orders CASCADE; CREATE TABLE orders (id serial, note text)"
    )
    over = asyncio.Event()

    async def write() -> int:
        n = 0
        while not over.is_set():
            await kept.run("INSERT INTO orders (note) VALUES ('one'), ('two')")
            await kept.run(
                "ALTER TABLE orders ADD COLUMN extra int; ALTER TABLE orders DROP COLUMN extra"
            )
            n += 1
        return n

    writing = asyncio.create_task(write())
    try:
        made = await asyncio.gather(*(kept.take("db") for _ in range(2)))
    finally:
        over.set()
        assert await writing > 0

    ids = {told_one[-1].text.split()[-1] for told_one in made}
    assert len(ids) == 2
    for one in ids:
        assert (await kept.prove("db", one))[-1].step == "done"
