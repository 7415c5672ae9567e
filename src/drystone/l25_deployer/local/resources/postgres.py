"""Databases: one with a role of its own for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l25_deployer.local.resources.port import Credentials, Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Postgres

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.databases import Databases
    from drystone.l10_engines.supervision.supervisor import Supervisor

ENGINE = "postgres"


class PostgresDatabases(ResourceDriver[Postgres]):
    """Makes databases on the home's PostgreSQL server, which starts with the first of them.

    Args:
        supervisor: Keeps the server.
        databases: Makes databases on it.
        credentials: Makes up and keeps their passwords.
    """

    engine = ENGINE

    def __init__(
        self, supervisor: Supervisor, databases: Databases, credentials: Credentials
    ) -> None:
        self._supervisor = supervisor
        self._databases = databases
        self._credentials = credentials

    @override
    async def apply(self, owner: Owner, wanted: Postgres) -> dict[str, str]:
        await self._supervisor.ensure(ENGINE)
        access = await self._databases.provision(
            owner.name,
            connections=wanted.connections,
            password=self._credentials.get(owner),
            extensions=wanted.extensions,
        )
        return {
            "url": access.url(),
            "host": access.host,
            "port": str(access.port),
            "name": access.database,
            "user": access.user,
            "password": access.password,
        }

    @override
    async def remove(self, owner: Owner, wanted: Postgres) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._databases.drop(owner.name)
        self._credentials.forget(owner)

    @override
    async def suspend(self, owner: Owner) -> None:
        return
