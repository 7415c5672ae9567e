"""Backups of one machine: they stand on the deployer's services and on the engines that hold the platform's own tables."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists
from drystone.l25_deployer.backups.copyist import Copyist
from drystone.l25_deployer.backups.domain import Manifest, new_id
from drystone.l25_deployer.backups.errors import BackupWrong
from drystone.l25_deployer.backups.returning import Return, pending_file
from drystone.l25_deployer.backups.schedule import Schedule
from drystone.l25_deployer.backups.seals import Seals
from drystone.l25_deployer.backups.service import Backups
from drystone.l25_deployer.backups.store import (
    BackupStore,
    drafted,
    publish,
    read_manifest,
)
from drystone.l25_deployer.backups.whole import OwnTables, WholeBackups
from drystone.l25_deployer.backups.whole_domain import TABLES
from drystone.l25_deployer.backups.whole_schedule import WholeSchedule
from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Measure, differences
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.stacks.model import Bucket, Postgres

if TYPE_CHECKING:
    from datetime import datetime

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.postgres.access import DatabaseAccess
    from drystone.l10_engines.postgres.comparing import Sum
    from drystone.l10_engines.postgres.server import PostgresEngine
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l25_deployer.local.provisioning import Provisioner
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.operating import Operating

_FILE = "database.dump"
_SCRATCH = "drystone_platform_restoring"
_OWNER = Owner(*TABLES)


class PlatformTables(OwnTables):
    """The database that the platform's own services share.

    Args:
        home: Whose.
        postgres: Holds it.
        supervisor: Keeps that.
        secret: File with the password of its role, which is there as soon as the database is.
        clock: The time.
    """

    def __init__(
        self,
        home: Home,
        postgres: PostgresEngine,
        supervisor: Supervisor,
        *,
        secret: Path,
        clock: Clock,
    ) -> None:
        self._home, self._postgres, self._supervisor = home, postgres, supervisor
        self._secret, self._clock = secret, clock

    @override
    async def back_up(self, place: Path) -> Manifest | None:
        if not self._secret.exists():
            return None
        # They load the client of PostgreSQL, which an agent without an orchestrator does without.
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415
        from drystone.l10_engines.postgres.schemas import DATABASE  # noqa: PLC0415

        await self._supervisor.ensure(self._postgres.name)
        access = structs.replace(self._postgres.admin(), database=DATABASE)
        seals = Seals(self._home.path)
        async with drafted(place) as draft:
            with seals.staged() as plain:
                dumped = await dumps.dump(access, plain / _FILE)
                said = self._described(dumped.at)
                sealing = asyncio.to_thread(
                    seals.seal, plain, draft, said, _measures(dumped.tables), self._clock.now()
                )
                manifest = await finished(sealing)
            await asyncio.to_thread(publish, draft, place, manifest)
        return manifest

    def _described(self, at: datetime) -> Manifest:
        return Manifest(
            id=new_id(self._clock.now()),
            type="tables",
            environment=_OWNER.environment,
            service=_OWNER.service,
            resource=_OWNER.resource,
            reason="platform",
            by="platform",
            at=at,
        )


async def bring_tables_back(home: Home, admin: DatabaseAccess, role: str) -> None:
    """Let the platform's own tables come back from a backup, where that was decided, before anybody uses them.

    Args:
        home: Whose.
        admin: A role that may make databases.
        role: The role that owns the tables; it exists.

    Raises:
        BackupDamaged: The backup is not what was written.
        BackupWrong: It does not give back what it was made of.
        Unavailable: The server does not answer.
    """
    pending = pending_file(home.path, _OWNER)
    written = read_if_exists(pending)
    if written is None:
        return
    from drystone.l10_engines.postgres import dumps  # noqa: PLC0415
    from drystone.l10_engines.postgres.schemas import DATABASE  # noqa: PLC0415

    folder = home.path / msgspec.json.decode(written, type=Return).backup
    manifest = read_manifest(folder)
    seals = Seals(home.path)
    holds = await asyncio.to_thread(seals.holds, manifest, folder)
    async with seals.opened(folder, manifest) as plain:
        scratch = await dumps.lay_out(admin, _SCRATCH, plain / _FILE, role=role)
    found = differences(holds, _measures(await dumps.measure(scratch)))
    if found:
        raise BackupWrong(f"{folder} does not give back what it was made of: {'; '.join(found)}")
    await dumps.put_in_place(admin, scratch.database, DATABASE)
    pending.unlink()


def _measures(tables: dict[str, Sum]) -> dict[str, Measure]:
    return {name: Measure(one.rows, one.digest) for name, one in tables.items()}


async def copyist_of(
    home: Home, settings: Settings, provisioner: Provisioner, clock: Clock, log: Log
) -> Copyist:
    """Return what makes backups of single resources; what an earlier one has left unfinished is gone."""
    store = BackupStore(settings.backups.folder or home.path / "backups")
    await asyncio.to_thread(store.clean)
    copyist = Copyist(
        store,
        home=home.path,
        provisioner=provisioner,
        clock=clock,
        log=log,
        places={name: Path(folder) for name, folder in settings.backups.places.items()},
    )
    await asyncio.to_thread(copyist.seals.clean)
    return copyist


def backups_of(
    home: Home,
    settings: Settings,
    *,
    services: Services,
    copyist: Copyist,
    operating: Operating,
    tables: OwnTables,
    log: Log,
) -> tuple[Backups, Schedule]:
    """Return what answers whoever asks for backups, and what makes them when they are due."""
    elsewhere: dict[type, str] = {}
    if settings.postgres.url:
        elsewhere[Postgres] = "PostgreSQL"
    if settings.objects.endpoint:
        elsewhere[Bucket] = "the object store"
    whole = WholeBackups(
        home=home.path,
        services=services,
        copyist=copyist,
        tables=tables,
        elsewhere=elsewhere,
        states={"aws": home.engines / "aws" / "data" / "state.sqlite"},
    )
    backups = Backups(services=services, copyist=copyist, operating=operating, whole=whole)
    planned = WholeSchedule(whole, copyist, log=log)
    return backups, Schedule(services=services, copyist=copyist, log=log, whole=planned)
