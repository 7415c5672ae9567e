"""The networks of services, and what listens inside them for what the services declared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l10_engines.networks.kernel import has_ipv6, own_addresses
from drystone.l25_deployer.local.mesh import Address
from drystone.l35_mesh.sidecar import model
from drystone.l35_mesh.sidecar.ways import BEYOND, BORDER, CATCHER, Ways, ways_of

if TYPE_CHECKING:
    from drystone.l10_engines.networks.driver import Networks
    from drystone.l25_deployer.local.mesh import Member

AT_ONCE = 8
"""How many networks are made at the same time."""


class Surrounded(msgspec.Struct, frozen=True, dict=True):
    """What is around one service. What follows from it is made once: it is asked for with every change of any service.

    Attributes:
        caller: The service, such as ``desk.dev``.
        network: File of its network.
        ways: What it reaches.
        beyond: File of the network in which it is seen where names lead; None where none is declared.
        own: Addresses of this machine.
    """

    caller: str
    network: Path
    ways: Ways
    beyond: Path | None = None
    own: tuple[str, ...] = ()

    @cached_property
    def egresses(self) -> tuple[model.Egress, ...]:
        """Its ways out, but those to other services."""
        return self.ways.egresses(self.network, self.beyond)

    @cached_property
    def border(self) -> model.Border | None:
        """What those of its ways pass that lead to names; None where there are none."""
        if self.beyond is None:
            return None
        return model.Border(
            caller=self.caller,
            listen=model.Address(BORDER, network=self.beyond, more=_more()),
            ways=tuple(way for way in self.egresses if way.through is not None),
            private=self.ways.private,
            own=self.own,
        )

    @cached_property
    def catcher(self) -> model.Catcher:
        """The end of everything else."""
        listen = model.Address(CATCHER, network=self.network, more=_more())
        return model.Catcher(caller=self.caller, listen=listen)

    @cached_property
    def resolver(self) -> model.Resolver:
        """The answers to its questions for names."""
        return self.ways.resolver(self.network, *_more())


class Around:
    """Makes the networks of services and knows what is around each.

    Where the resources of a service are is written down: an agent that has just started has not asked the engines, and the
    service that goes on meanwhile needs them.

    Args:
        networks: Makes networks.
        memory: File for where resources are.
        edge: Port of the edge.
        given: Addresses of the platform that every service may reach, such as that of the key repository.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        memory: Path,
        edge: int,
        given: Callable[[], Iterable[Address]] = tuple,
    ) -> None:
        self._networks = networks
        self._memory = memory
        self._edge = edge
        self._given = given
        self._uses: dict[str, tuple[Address, ...]] | None = None
        self._around: dict[str, Surrounded] = {}

    async def lacking(self) -> str | None:
        """Say why there are no networks here; None where there are."""
        return await self._networks.available()

    def of(self, service: str) -> Surrounded | None:
        """Return what is around a service, if it has a network that was made in this life of the platform."""
        return self._around.get(service)

    def network(self, service: str) -> Path | None:
        """Return the file of a service's network."""
        found = self._around.get(service)
        return found.network if found else None

    async def prepare(self, services: Iterable[tuple[Member, Collection[int]]]) -> None:
        """Make the networks of those services that are to have one, each with its ways; adopt those that are there.

        Args:
            services: Each with the ports at which somebody listens inside.

        Raises:
            PlatformError: One cannot be made; the others are.
        """
        apart = [(member, ports) for member, ports in services if member.is_apart]
        self._remember(member for member, _ in apart)
        turn = asyncio.Semaphore(AT_ONCE)

        async def make(member: Member, ports: Collection[int]) -> None:
            async with turn:
                await self._make(member, ports)

        done = await asyncio.gather(*(make(*one) for one in apart), return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure

    async def _make(self, member: Member, ports: Collection[int]) -> None:
        ways = ways_of(member, (*self._known().get(member.name, ()), *self._given()))
        network = await self._networks.ensure(member.name, ways.rules(ports, self._edge))
        found = Surrounded(member.name, network.path, ways)
        if ways.outside:
            beyond = await self._networks.ensure(_beyond(member.name), BEYOND)
            found = replace(found, beyond=beyond.path, own=own_addresses())
        self._around[member.name] = found

    async def forget(self, service: str) -> None:
        """Remove the network of a service that is gone."""
        self._around.pop(service, None)
        if self._known().pop(service, None) is not None:
            self._write()
        await self._networks.remove(service)
        await self._networks.remove(_beyond(service))

    async def end(self) -> None:
        """Remove every network of this home; what they were for is made again with the next start."""
        self._around.clear()
        for name in self._networks.names():
            await self._networks.remove(name)
        self._networks.leave()

    def _known(self) -> dict[str, tuple[Address, ...]]:
        if self._uses is None:
            kind = dict[str, tuple[Address, ...]]
            self._uses = {}
            with suppress(msgspec.DecodeError):  # the engines are asked again, a little later
                self._uses = msgspec.json.decode(read_if_exists(self._memory) or b"{}", type=kind)
        return self._uses

    def _remember(self, members: Iterable[Member]) -> None:
        known, changed = self._known(), False
        for member in members:
            if member.uses is not None and known.get(member.name, ()) != member.uses:
                known[member.name] = member.uses
                changed = True
        if changed:
            self._write()

    def _write(self) -> None:
        write_atomically(self._memory, msgspec.json.encode(self._known()))


def _beyond(service: str) -> str:
    """Name the network in which it is seen where the names lead that a service declares; no service is called like this."""
    return f"{service}.beyond"


def _more() -> tuple[str, ...]:
    return ("::1",) if has_ipv6() else ()
