"""What stands between services: the deployer says what there is, and a mesh decides who reaches whom, and how.

The deployer works without one. Then each service has one port at which every other reaches it, and nobody is asked
who they are.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l10_engines.proxy.edge import internal_listener
from drystone.l25_deployer.stacks.model import EnvironmentStack

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge import EdgeService
    from drystone.l10_engines.proxy.envoy import Envoy
    from drystone.l10_engines.proxy.snapshot import Snapshot
    from drystone.l25_deployer.local.ports import PortBook

LOOPBACK = "127.0.0.1"


def call_port(environment: str, service: str, callee: str, slot: int = 0) -> str:
    """Name the port at which a service calls another one, for the book of ports."""
    name = f"{service}.{environment}>{callee}"
    return f"{name}#{slot}" if slot else name


def limits_port(environment: str, service: str) -> str:
    """Name the port at which a service asks about limits of its own, for the book of ports."""
    return f"{service}.{environment}>limits"


class Address(msgspec.Struct, frozen=True, order=True):
    """Where something listens.

    Attributes:
        host: A name or an IP address.
        port: TCP port.
    """

    host: str
    port: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A service as a mesh needs to know it.

    Attributes:
        environment: Where it is deployed.
        service: Its name.
        surroundings: What each of its releases declares that serves, did so a moment ago or is about to, the one that serves
            first. One that is kept warm declares nothing.
        ports: Where its instances listen.
        runtimes: Where they run.
        health: Paths at which they are asked whether they are well.
        uses: Where its resources are; None while nobody has asked the engines in this life of the platform.
        is_apart: Whether its instances have a network of their own.
        slots: At which of its addresses for the same dependency its releases call that one.
        is_tried: Whether a release of it is tried, so that calls that fail are to be written down.
    """

    environment: str
    service: str
    surroundings: tuple[EnvironmentStack, ...]
    ports: tuple[int, ...] = ()
    runtimes: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    uses: tuple[Address, ...] | None = None
    is_apart: bool = False
    slots: tuple[int, ...] = (0,)
    is_tried: bool = False

    @property
    def name(self) -> str:
        """The service as the edge and people call it."""
        return f"{self.service}.{self.environment}"


class Mesh(abc.ABC):
    """Decides how services reach each other and everything else."""

    @property
    @abc.abstractmethod
    def tells_callers_apart(self) -> bool:
        """Whether it is counted at each address by itself what becomes of the calls that are made there."""

    @abc.abstractmethod
    def address(self, environment: str, service: str, callee: str, slot: int = 0) -> Address:
        """Return where a service reaches another one; it stays the same, whether that one is deployed or not.

        Args:
            environment: Where the one who calls is deployed.
            service: Its name.
            callee: Whom it calls, as ``<service>.<environment>``.
            slot: Which of several addresses that lead there, so that releases can be told apart by where they call.
        """

    @abc.abstractmethod
    def limits_address(self, environment: str, service: str) -> Address:
        """Return where a service asks about limits of its own; it stays the same.

        Without a mesh nobody answers there.
        """

    @abc.abstractmethod
    def own_port(self, service: str) -> int | None:
        """Return the port at which anybody on this machine reaches a service, if there is one."""

    @abc.abstractmethod
    async def lacks_network(self) -> str | None:
        """Say why services cannot have networks of their own here, and what to do; None where they can."""

    @abc.abstractmethod
    async def prepare(self, services: Iterable[Member]) -> None:
        """Make what the instances of services need around them before they start. Idempotent.

        Raises:
            PlatformError: It cannot be made.
        """

    @abc.abstractmethod
    async def settled(self) -> None:
        """Return when those parts of the platform run that services ask by what was published last, or cannot be brought to."""

    @abc.abstractmethod
    def network(self, environment: str, service: str) -> Path | None:
        """Return the network that instances of a service join; None for that of the host."""

    @abc.abstractmethod
    async def publish(
        self,
        edge: Snapshot,
        services: Sequence[EdgeService],
        members: Sequence[Member],
        lead: Callable[[Snapshot], Awaitable[object]],
    ) -> bool:
        """Bring about everything that stands between services, and return when it is so.

        Args:
            edge: What the edge needs.
            services: What the edge was made of.
            members: Every service of this home.
            lead: Gives the proxy of the host its configuration, and returns when it does so.

        Returns:
            Whether every proxy beside that one follows, too; :meth:`require` says of which service it does not.

        Raises:
            PlatformError: Those of ``lead``.
        """

    @abc.abstractmethod
    def require(self, service: str) -> None:
        """Return if what stands before a service is what was published last.

        Args:
            service: As ``<service>.<environment>``.

        Raises:
            PlatformError: The proxy that the service has of its own does not follow.
        """

    @property
    @abc.abstractmethod
    def own_proxies(self) -> Mapping[str, Envoy]:
        """The proxies that services have of their own, by ``<service>.<environment>``."""

    @abc.abstractmethod
    def problems(self, service: str, refused: Mapping[str, str]) -> list[str]:
        """Say why something of a service cannot be reached.

        Args:
            service: As ``<service>.<environment>``.
            refused: By their names, why the proxy could not open listeners.
        """

    @abc.abstractmethod
    async def forget(self, environment: str, service: str) -> None:
        """Take away what only a service needed that is gone. Idempotent."""


class NoMesh(Mesh):
    """One loopback port for each service, the same for whoever calls it.

    Args:
        ports: Promises them.
    """

    def __init__(self, ports: PortBook) -> None:
        self._ports = ports

    @property
    @override
    def tells_callers_apart(self) -> bool:
        return False

    @override
    def address(self, environment: str, service: str, callee: str, slot: int = 0) -> Address:
        return Address(LOOPBACK, self._ports.internal(callee))

    @override
    def limits_address(self, environment: str, service: str) -> Address:
        return Address(LOOPBACK, self._ports.internal(limits_port(environment, service)))

    @override
    def own_port(self, service: str) -> int | None:
        return self._ports.known(service)

    @override
    async def lacks_network(self) -> str | None:
        return "nothing stands between services"

    @override
    async def prepare(self, services: Iterable[Member]) -> None:
        return

    @override
    async def settled(self) -> None:
        return

    @override
    def network(self, environment: str, service: str) -> Path | None:
        return None

    @override
    async def publish(
        self,
        edge: Snapshot,
        services: Sequence[EdgeService],
        members: Sequence[Member],
        lead: Callable[[Snapshot], Awaitable[object]],
    ) -> bool:
        await lead(edge)
        return True

    @override
    def require(self, service: str) -> None:
        return

    @property
    @override
    def own_proxies(self) -> Mapping[str, Envoy]:
        return {}

    @override
    def problems(self, service: str, refused: Mapping[str, str]) -> list[str]:
        why, port = refused.get(internal_listener(service)), self._ports.known(service)
        if why is None or port is None:
            return []
        return [
            f"other services cannot reach it: {why}; end the program that has port {port}, and the platform takes it"
        ]

    @override
    async def forget(self, environment: str, service: str) -> None:
        return
