"""A service that keeps data, on a whole platform in a throw-away home."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psycopg

from drystone.l25_deployer.api import Progress
from drystone.l25_deployer.backups.api import BackupsApi, ResourceBackups
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.small_platform import ASKING, deploy, descriptor, folder_of

RESOURCES = "resources: {db: {type: postgres, connections: 9, backup: {every: 30d}}}"


class Kept(msgspec.Struct, frozen=True):
    """A platform with one service of this name that keeps data.

    Attributes:
        whole: The platform.
        api: Its backups, in whatever reach.
        service: The service.
    """

    whole: Standalone
    api: BackupsApi
    service: str

    async def value(self, resource: str, key: str) -> str:
        """Return what the service is told about a resource of its own."""
        record = self.whole.services.existing("dev", self.service).record
        provisioner = self.whole.services.machine.provisioner
        values = await provisioner.apply(record, resource, record.eternal[resource])
        return values["resources", resource, key]

    async def run(self, statement: str) -> list[tuple[object, ...]]:
        """Execute a statement in the service's database, as the service."""
        url = await self.value("db", "url")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            done = await connection.execute(statement.encode())
            return list(await done.fetchall()) if done.description else []

    async def table(self) -> str:
        """Return a digest of every row of the table ``orders``."""
        rows = await self.run("SELECT o::text FROM orders o ORDER BY 1")
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    async def take(self, resource: str | None = None) -> list[Progress]:
        return await told(
            self.api.take(ASKING, environment="dev", service=self.service, resource=resource)
        )

    async def restore(
        self,
        resource: str,
        backup: str | None = None,
        *,
        confirm: str | None = None,
        keeps_before: bool = True,
    ) -> list[Progress]:
        stream = self.api.restore(
            ASKING,
            environment="dev",
            service=self.service,
            resource=resource,
            backup=backup,
            confirm=resource if confirm is None else confirm,
            keeps_before=keeps_before,
        )
        return await told(stream)

    async def prove(self, resource: str, backup: str | None = None) -> list[Progress]:
        stream = self.api.prove(
            ASKING, environment="dev", service=self.service, resource=resource, backup=backup
        )
        return await told(stream)

    async def backups(self, resource: str) -> ResourceBackups:
        """Return what there is of one resource."""
        found = await self.api.backups(ASKING, environment="dev", service=self.service)
        return next(one for one in found if one.resource == resource)


async def told(stream: AsyncIterator[Progress]) -> list[Progress]:
    """Read a stream to its end."""
    return [progress async for progress in stream]


async def deployed(
    whole: Standalone, folder: Path, service: str, more: str = RESOURCES
) -> list[Progress]:
    """Deploy a service that keeps data."""
    return await deploy(whole.deployer, descriptor(service, more=more), folder_of(folder))
