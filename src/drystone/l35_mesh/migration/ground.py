"""What migrations stand on: the deployer's services and the edge, as far as a migration needs them."""

from __future__ import annotations

import abc

from drystone.l10_engines.proxy.edge_moves import Move
from drystone.l35_mesh.migration.api import Counted, DataSource


class Ground(abc.ABC):
    """Services that are deployed, and the proxy in front of them."""

    @abc.abstractmethod
    def require(self, environment: str, service: str) -> None:
        """Make sure that a service is deployed.

        Raises:
            PlatformError: It is not; the message says where it is.
        """

    @abc.abstractmethod
    def is_deployed(self, environment: str, service: str) -> bool:
        """Tell whether a release of a service serves, or its records cannot be read."""

    @abc.abstractmethod
    def write_history(
        self, environment: str, service: str, event: str, text: str, *, by: str
    ) -> None:
        """Add a line to the history of a service, as soon as the disk has room."""

    @abc.abstractmethod
    def note(self, environment: str, service: str, move: Move | None) -> None:
        """Take note of what :meth:`publish` is to bring about."""

    @abc.abstractmethod
    async def publish(self) -> None:
        """Make the proxy do what was noted; nothing happens when it does already.

        Raises:
            PlatformError: It cannot, or does not answer; it is tried again.
        """

    @abc.abstractmethod
    async def outcomes(self, environment: str, service: str) -> tuple[Counted, Counted]:
        """Return what the proxy has counted since it runs: at this side and at the other.

        Raises:
            PlatformError: It does not answer.
        """

    @abc.abstractmethod
    def is_own(self, address: str, port: int) -> bool:
        """Tell whether this platform itself listens there for everybody."""

    @abc.abstractmethod
    async def data_source(self, environment: str, service: str, resource: str) -> DataSource:
        """Return how the data of a resource is reached by whoever administers its engine, which is started.

        Raises:
            PlatformError: There is no such resource, or its engine does not work.
        """

    @abc.abstractmethod
    async def hold_data(
        self, environment: str, service: str, resource: str, *, is_held: bool
    ) -> bool:
        """Let a service read a resource and not write to it, or let it write again; tell whether it is so.

        Raises:
            PlatformError: There is no such resource, or its engine does not work.
        """
