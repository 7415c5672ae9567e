"""Traffic migration of one machine: it stands on the deployer's services and the edge."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from msgspec import structs
from typing_extensions import override

from drystone.l10_engines.cache.server import CacheEngine
from drystone.l25_deployer.local.startup import Part
from drystone.l25_deployer.stacks.model import Bucket, Cache, Postgres
from drystone.l35_mesh.migration.api import Counted, DataKind, DataSource
from drystone.l35_mesh.migration.comparers import Comparers
from drystone.l35_mesh.migration.errors import NoData
from drystone.l35_mesh.migration.ground import Ground
from drystone.l35_mesh.migration.service import Migrations
from drystone.l35_mesh.migration.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.objects.server import ObjectsEngine
    from drystone.l10_engines.postgres.server import PostgresEngine
    from drystone.l10_engines.proxy.edge_moves import Move
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l25_deployer.local.services import Services

MIGRATION, LAYER = "migration", 35

_KINDS: dict[DataKind, type] = {"postgres": Postgres, "bucket": Bucket, "cache": Cache}
_MOVABLE = tuple(_KINDS.values())


class LocalGround(Ground):
    """The services of one home and its edge.

    Args:
        services: What is deployed.
        supervisor: Keeps the engines, those of caches among them.
        postgres: Holds their databases.
        objects: Holds their buckets.
    """

    def __init__(
        self,
        services: Services,
        supervisor: Supervisor,
        postgres: PostgresEngine,
        objects: ObjectsEngine,
    ) -> None:
        self._services = services
        self._supervisor = supervisor
        self._postgres = postgres
        self._objects = objects
        self._edge = services.machine.edge

    @override
    def require(self, environment: str, service: str) -> None:
        self._services.existing(environment, service)

    @override
    def is_deployed(self, environment: str, service: str) -> bool:
        if (environment, service) in self._services.unreadable:
            return True
        kept = self._services.find(environment, service)
        return kept is not None and kept.record.active is not None

    @override
    def write_history(
        self, environment: str, service: str, event: str, text: str, *, by: str
    ) -> None:
        self._services.existing(environment, service).write_history(event, text, by=by)

    @override
    def note(self, environment: str, service: str, move: Move | None) -> None:
        self._edge.note_move(f"{service}.{environment}", move)

    @override
    async def publish(self) -> None:
        await self._edge.publish()

    @override
    async def outcomes(self, environment: str, service: str) -> tuple[Counted, Counted]:
        here, there = await self._edge.outcomes(f"{service}.{environment}")
        return Counted(here.answered, here.failed), Counted(there.answered, there.failed)

    @override
    def is_own(self, address: str, port: int) -> bool:
        return port == self._services.machine.url_port and ipaddress.ip_address(address).is_loopback

    @override
    async def data_source(self, environment: str, service: str, resource: str) -> DataSource:
        record = self._services.existing(environment, service).record
        wanted = record.eternal.get(resource)
        kind = next((kind for kind, of in _KINDS.items() if isinstance(wanted, of)), None)
        if wanted is None or kind is None:
            held = [name for name, one in record.eternal.items() if isinstance(one, _MOVABLE)]
            raise NoData(
                f"{service} in {environment} has no data {resource!r} that can be moved; it has:"
                f" {', '.join(sorted(held)) or 'none'}"
            )
        found = await self._services.machine.provisioner.apply(record, resource, wanted)
        values = {key: value for (_, _, key), value in found.items()}
        if kind == "postgres":  # to follow changes is a matter for administrators
            admin = structs.replace(self._postgres.admin(), database=values["name"])
            values = {"url": admin.url()}
        return DataSource(kind, values)

    @override
    async def hold_data(
        self, environment: str, service: str, resource: str, *, is_held: bool
    ) -> bool:
        source = await self.data_source(environment, service, resource)
        if source.kind == "bucket":
            return await self._objects.hold(source.values["name"], is_held=is_held)
        record = self._services.existing(environment, service).record
        engine = self._supervisor[self._services.machine.provisioner.engine_of(record, resource)]
        if not isinstance(engine, CacheEngine):
            raise NoData(f"{resource} of {service} in {environment} is neither bucket nor cache")
        return await engine.hold(is_held=is_held)


def migrations_of(
    home: Home,
    services: Services,
    supervisor: Supervisor,
    postgres: PostgresEngine,
    objects: ObjectsEngine,
    *,
    clock: Clock,
    log: Log,
    environ: Mapping[str, str],
) -> Migrations:
    """Put traffic migration together, and tell the edge what the records say."""
    label = services.machine.label
    ground = LocalGround(services, supervisor, postgres, objects)
    comparers = Comparers(
        home.services, outputs=home.run, socket=home.socket, environ=environ, log=log
    )
    store = Store(home.services)
    found = Migrations(store, ground, comparers, label=label, clock=clock, log=log)
    found.load()
    return found


def migration_part(migrations: Migrations) -> Part:
    """Say how traffic migration comes up: from then on somebody watches over services that move."""

    async def start() -> str:
        migrations.start_watching()
        return ""

    return Part(MIGRATION, LAYER, start, migrations.stop)
