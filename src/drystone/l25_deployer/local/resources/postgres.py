"""Databases: one with a role of its own for each resource."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.credentials import Credentials, password
from drystone.l25_deployer.local.resources.port import Deviations, Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Postgres

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.access import DatabaseAccess
    from drystone.l10_engines.postgres.comparing import Sum
    from drystone.l10_engines.postgres.databases import Databases
    from drystone.l10_engines.postgres.history import PointInTime
    from drystone.l10_engines.supervision.supervisor import Supervisor

ENGINE = "postgres"
_PASSWORD, _ROLE = "password", "role"
_FIRST, _SECOND = "first", "second"
FILE = "database.dump"
"""The only file of a copy, in the custom format of pg_dump."""


class PostgresDatabases(ResourceDriver[Postgres]):
    """Makes databases on the home's PostgreSQL server, which starts with the first of them.

    Args:
        supervisor: Keeps the server.
        databases: Makes databases on it.
        credentials: Makes up and keeps their passwords.
        history: Goes back to any moment; None for a server elsewhere, whose owner does that.
    """

    engine = ENGINE
    has_backup = True

    def __init__(
        self,
        supervisor: Supervisor,
        databases: Databases,
        credentials: Credentials,
        history: PointInTime | None = None,
    ) -> None:
        self._history = history
        self._supervisor = supervisor
        self._databases = databases
        self._credentials = credentials

    @override
    async def apply(self, owner: Owner, wanted: Postgres) -> dict[str, str]:
        await self._supervisor.ensure(ENGINE)
        coming = self._credentials.coming(owner)
        return await self._provision(owner, wanted, keeps_former=coming is not None)

    async def _provision(
        self, owner: Owner, wanted: Postgres, *, keeps_former: bool
    ) -> dict[str, str]:
        """Let the newest credential log in, and the former one, too, or no other."""
        former, role = self._credentials.get(owner), self._role(owner)
        coming = self._credentials.coming(owner) or {_PASSWORD: former, _ROLE: role}
        access = await self._databases.provision(
            owner.name,
            connections=wanted.connections,
            password=coming[_PASSWORD],
            extensions=wanted.extensions,
            is_second=coming[_ROLE] == _SECOND,
            other=former if keeps_former else None,
        )
        return {
            "url": access.url(),
            "host": access.host,
            "port": str(access.port),
            "name": access.database,
            "user": access.user,
            "password": access.password,
        }

    def _role(self, owner: Owner) -> str:
        return self._credentials.get(owner, _ROLE, lambda: _FIRST)

    @override
    def require_renewable(self, owner: Owner) -> None:
        return

    @override
    async def begin_renewal(self, owner: Owner, wanted: Postgres) -> None:
        other = _FIRST if self._role(owner) == _SECOND else _SECOND
        self._credentials.prepare(owner, {_PASSWORD: password, _ROLE: lambda: other})
        await self.apply(owner, wanted)

    @override
    async def end_renewal(self, owner: Owner, wanted: Postgres) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._provision(owner, wanted, keeps_former=False)
        self._credentials.settle(owner)

    @override
    async def withdraw_renewal(self, owner: Owner, wanted: Postgres) -> None:
        self._credentials.withdraw(owner)
        await self.apply(owner, wanted)

    @override
    async def deviations(self, owner: Owner, wanted: Postgres) -> Deviations:
        if self._credentials.coming(owner) is not None:
            return {}  # until the renewal has ended, both are right
        return await self._databases.differences(
            owner.name,
            connections=wanted.connections,
            password=self._credentials.get(owner),
            extensions=wanted.extensions,
            is_second=self._role(owner) == _SECOND,
        )

    @override
    async def remove(self, owner: Owner, wanted: Postgres) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._databases.drop(owner.name)
        self._credentials.forget(owner)

    @override
    async def suspend(self, owner: Owner) -> None:
        return

    @override
    async def room_for_copy(self, owner: Owner, wanted: Postgres) -> int:
        await self._supervisor.ensure(ENGINE)
        return await self._databases.size(owner.name)

    @override
    async def back_up(self, owner: Owner, wanted: Postgres, folder: Path) -> Copied:
        await self._supervisor.ensure(ENGINE)
        dumped = await self._databases.dump(owner.name, folder / FILE)
        return Copied(dumped.at, _measures(dumped.tables))

    @override
    async def lay_out(self, owner: Owner, wanted: Postgres, folder: Path) -> LaidOut:
        await self._supervisor.ensure(ENGINE)
        scratch = await self._databases.lay_out(owner.name, folder / FILE)
        return _Beside(self._databases, owner.name, scratch)

    @override
    async def keep_history(self, *, every: timedelta, keep: timedelta, now: datetime) -> None:
        if self._history is not None:
            await self._supervisor.ensure(ENGINE)
            await self._history.keep(every=every, keep=keep, now=now)

    @override
    async def end_history(self) -> None:
        if self._history is not None:
            self._history.stop()

    @override
    async def rewind(self, owner: Owner, wanted: Postgres, at: datetime, folder: Path) -> Copied:
        if self._history is None or not self._history.is_kept:
            return await super().rewind(owner, wanted, at, folder)
        await self._supervisor.ensure(ENGINE)
        dumped = await self._history.rewind(owner.name, at, folder / FILE)
        return Copied(dumped.at, _measures(dumped.tables))


class _Beside(LaidOut):
    """A database that is to take the place of another one."""

    def __init__(self, databases: Databases, name: str, scratch: DatabaseAccess) -> None:
        self._databases, self._name, self._scratch = databases, name, scratch

    @override
    async def holds(self) -> dict[str, Measure]:
        return _measures(await self._databases.measure(self._scratch))

    @override
    async def put_in_place(self) -> None:
        await self._databases.put_in_place(self._scratch, self._name)

    @override
    async def discard(self) -> None:
        await self._databases.discard(self._scratch)


def _measures(tables: dict[str, Sum]) -> dict[str, Measure]:
    return {name: Measure(one.rows, one.digest) for name, one in tables.items()}
