"""One service in one environment as the mesh has it: what it is to know of it, and what stands around its instances."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.errors import NetworkMissing, ReleaseNotFound
from drystone.l25_deployer.local.blueprints import groups_of
from drystone.l25_deployer.local.documents import UnreadableDocument
from drystone.l25_deployer.local.mesh import Address, Member
from drystone.l25_deployer.local.written_service import WrittenService
from drystone.l25_deployer.stacks.ways import WAY_IN

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.local.machine import Machine
    from drystone.l25_deployer.local.records import ServiceRecord
    from drystone.l25_deployer.local.running import RunningRelease

Values = dict[tuple[str, str, str], str]


class MeshedService(WrittenService):
    """A service among others.

    Args:
        machine: What every service of this home shares.
        record: What is written about this one.
    """

    def __init__(self, machine: Machine, record: ServiceRecord) -> None:
        super().__init__(machine.documents, machine.clock, record)
        self.machine = machine
        self.running: dict[int, RunningRelease] = {}
        self._seen: frozenset[str] = frozenset()
        """Instances that run and are not looked after yet."""
        self._values: Values = {}

    @property
    def network(self) -> Path | None:
        """The network of its instances; None for that of the host."""
        return self.machine.mesh.network(*self.record.key) if self.record.is_apart else None

    async def choose_network(self) -> None:
        """Decide whether the instances get a network of their own; while some run, theirs is that of all."""
        if not self.running and not self._seen:
            is_apart = await self.machine.mesh.lacks_network() is None
            if is_apart != self.record.is_apart:
                self.note(is_apart=is_apart)

    def required_network(self) -> Path | None:
        """Return the network in which instances start; None for that of the host.

        Raises:
            NetworkMissing: They are to have one of their own, and it is not there.
        """
        if self.record.is_apart and self.network is None:
            raise NetworkMissing(
                f"{self.name} has no network: its instances are to have one of their own, which could not be made"
            )
        return self.network

    def member(self) -> Member:
        """Return the service as a mesh needs to know it."""
        begun = self.record.operation.release if self.record.operation else None
        held = self.record.canary.release if self.record.canary else None
        numbers = dict.fromkeys((self.record.active, *self.running, *self.record.warm, begun, held))
        releases = []
        for number in filter(None, numbers):
            with suppress(ReleaseNotFound, UnreadableDocument):  # nothing of it can be started
                releases.append(self.release(number))
        declaring = [one for one in releases if one.state != "warm"]
        groups = [group for one in releases for group in groups_of(one).values()]
        return Member(
            environment=self.record.environment,
            service=self.record.service,
            surroundings=tuple(one.stacks.environment for one in declaring),
            ports=tuple(i.port for one in releases for i in one.instances if i.port is not None),
            runtimes=tuple(sorted({one.isolation for one in releases})),
            health=tuple(sorted({group.health.path for group in groups if group.health})),
            uses=self._addresses(),
            is_apart=self.record.is_apart,
            slots=tuple(sorted({one.slot for one in releases})) or (0,),
            is_tried=self.record.canary is not None,
        )

    def slot_beside(self, *, is_tried: bool) -> int:
        """Return at which addresses a new release calls: its own ones where it is tried, so that its calls can be told apart."""
        active = self.active_release()
        if not is_tried:
            return active.slot if active is not None else 0
        taken = self.member().slots
        return next(slot for slot in itertools.count() if slot not in taken)

    def _addresses(self) -> tuple[Address, ...] | None:
        """Return where the resources are; None before the engines were asked for all of them."""
        known = {name for space, name, _ in self._values if space == "resources"}
        if not self.record.eternal.keys() <= known:
            return None
        urls = [
            urlsplit(value)
            for (_, name, key), value in self._values.items()
            if key == "url" and not isinstance(self.record.eternal.get(name), WAY_IN)
        ]
        return tuple(sorted({Address(u.hostname, u.port) for u in urls if u.hostname and u.port}))

    def place_of(self, resource: str) -> tuple[str, int] | None:
        """Return host and port of a resource; None of one that is not reached by a URL, or not known yet."""
        if isinstance(self.record.eternal.get(resource), WAY_IN):
            return None
        url = urlsplit(self._values.get(("resources", resource, "url"), ""))
        return (url.hostname, url.port) if url.hostname and url.port else None

    async def surround(self) -> None:
        """Make what instances need around them, before they start: who may call whom, and the ways there.

        Raises:
            PlatformError: It cannot be made.
        """
        await self.machine.mesh.prepare([self.member()])
        await self.machine.edge.refresh()
        self.machine.mesh.require(self.name)
        await self.machine.mesh.settled()

    async def leave_mesh(self) -> None:
        """Take away what stood around a service that is gone; what cannot be taken away now, the next start does."""
        mesh, edge = self.machine.mesh, self.machine.edge
        try:
            await edge.refresh()
            await mesh.forget(*self.record.key)
        except PlatformError as e:
            self.machine.log.warning("surroundings are left", service=self.name, reason=str(e))
