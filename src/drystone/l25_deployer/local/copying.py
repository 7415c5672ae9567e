"""What looks after copies of the data, as seen by whoever changes or starts a service."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from drystone.l25_deployer.local.records import ServiceRecord


class Copying(abc.ABC):
    """Keeps a last copy of what is removed, and brings back what was to come back when the platform died."""

    @abc.abstractmethod
    async def keep_last(self, record: ServiceRecord, name: str, by: str) -> str | None:
        """Copy a resource that is about to be removed with its data.

        Returns:
            The id of the copy; None where resources of its type have no backup.

        Raises:
            PlatformError: It cannot be copied; nothing may be removed then.
        """

    @abc.abstractmethod
    async def bring_back(self, record: ServiceRecord, name: str) -> bool:
        """Finish a restore that was cut short, before anything of the service starts.

        Returns:
            Whether the resource holds something else now.

        Raises:
            PlatformError: It cannot be finished; the service may not start with half of its data.
        """

    @abc.abstractmethod
    def troubles(self, record: ServiceRecord) -> list[str]:
        """Say of which resources the last backup, or the last trial to restore one, failed."""

    @abc.abstractmethod
    def platform_troubles(self) -> list[str]:
        """Say what is wrong with backups of the whole platform, and with the history that databases want."""


class NoCopying(Copying):
    """Nobody keeps copies."""

    @override
    def platform_troubles(self) -> list[str]:
        return []

    @override
    def troubles(self, record: ServiceRecord) -> list[str]:
        return []

    @override
    async def keep_last(self, record: ServiceRecord, name: str, by: str) -> str | None:
        return None

    @override
    async def bring_back(self, record: ServiceRecord, name: str) -> bool:
        return False
