"""What the local driver asks of a resource type."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Generic, TypeAlias, TypeVar

import msgspec

from drystone.l25_deployer.errors import NotRenewable
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, NoBackup
from drystone.l25_deployer.stacks.model import Resource

R = TypeVar("R", bound=Resource)


class Owner(msgspec.Struct, frozen=True):
    """Whose resource it is.

    Attributes:
        environment: Where the service is deployed.
        service: Its name.
        resource: The resource's name in the descriptor.
    """

    environment: str
    service: str
    resource: str

    @property
    def path(self) -> str:
        """Environment, service and resource as a relative path."""
        return f"{self.environment}/{self.service}/{self.resource}"

    @property
    def name(self) -> str:
        """Environment, service and resource in one name; no two owners share one."""
        return f"{self.environment}.{self.service}.{self.resource}"


Deviations: TypeAlias = Mapping[str, tuple[str | None, str | None]]
"""What should be and what is, by what it is called; None for nothing."""


class ResourceDriver(abc.ABC, Generic[R]):
    """Makes resources of one type exist, and go.

    Attributes:
        engine: What holds them, for people.
        has_backup: Whether :meth:`back_up` and :meth:`lay_out` are there.
        lies_in_home: Whether all of it lies with the records of the home, and is copied with these.
    """

    engine: ClassVar[str]
    has_backup: ClassVar[bool] = False
    lies_in_home: ClassVar[bool] = False

    def backs_up(self, wanted: R) -> bool:
        """Tell whether there is anything of this resource to back up; a driver of several types knows them apart."""
        return self.has_backup

    def engine_of(self, owner: Owner) -> str:
        """Name the engine that holds this resource, as its supervisor calls it."""
        return self.engine

    @abc.abstractmethod
    async def apply(self, owner: Owner, wanted: R) -> dict[str, str]:
        """Make the resource exist with these settings and return what a service may refer to, by key.

        Idempotent; starts the engine if it does not run. The values hold credentials: they go into the
        service's environment and nowhere else.

        Raises:
            PlatformError: The engine does not work, or cannot give what is asked.
        """

    @abc.abstractmethod
    async def remove(self, owner: Owner, wanted: R) -> None:
        """Remove the resource and its data. Idempotent; resumes a removal that was cut short."""

    @abc.abstractmethod
    async def suspend(self, owner: Owner) -> None:
        """The platform stops: end what runs for this resource alone. Data stays."""

    async def add_version(self, owner: Owner, wanted: R) -> bool:
        """Let the resource, if it is a key, encrypt with a new version from now on; tell whether it is one.

        Raises:
            PlatformError: The engine does not work.
        """
        return False

    def require_renewable(self, owner: Owner) -> None:
        """Make sure that there is a credential that the platform can replace.

        Raises:
            NotRenewable: There is none, or it is somebody else's to replace.
        """
        raise NotRenewable(
            f"'{owner.resource}' of {owner.service} in {owner.environment} has no credential that could be replaced"
        )

    async def begin_renewal(self, owner: Owner, wanted: R) -> None:
        """Make another credential up that opens the resource beside the one in use; :meth:`apply` returns it from now on.

        Idempotent: what was begun is gone on with.

        Raises:
            PlatformError: The engine does not work; the one in use opens the resource as before.
        """

    async def end_renewal(self, owner: Owner, wanted: R) -> None:
        """Let the former credential open nothing any more. Idempotent; nothing to do where no other one was begun.

        Raises:
            PlatformError: The engine does not work; both open the resource.
        """

    async def withdraw_renewal(self, owner: Owner, wanted: R) -> None:
        """Let the credential that was begun open nothing, and the one in use be the only one. Idempotent.

        Raises:
            PlatformError: The engine does not work; both open the resource.
        """

    async def take_over(self, owner: Owner, wanted: R) -> None:
        """Values of the service's resources have changed: what runs for this resource alone works with the new ones from now on.

        Raises:
            PlatformError: Something still works with the former ones.
        """

    async def deviations(self, owner: Owner, wanted: R) -> Deviations:
        """Return in what the engine has the resource otherwise than :meth:`apply` makes it, and change nothing.

        That somebody changed it behind the platform's back is found so; the data is not looked at. Starts no engine. Nothing differs
        where nobody can tell, as for a type that does not override this.

        Raises:
            PlatformError: The engine does not work.
        """
        return {}

    async def room_for_copy(self, owner: Owner, wanted: R) -> int:
        """Return the most bytes that a copy of the resource may take; starts the engine if it does not run.

        Raises:
            NoBackup: See :meth:`back_up`.
            PlatformError: The engine does not work.
        """
        raise self._no_backup(owner)

    async def back_up(self, owner: Owner, wanted: R, folder: Path) -> Copied:
        """Copy the data into files of an empty folder, without disturbing whoever uses it.

        Raises:
            NoBackup: Resources of this type have none; a type that has overrides these methods.
            PlatformError: The engine does not work, or there is no room.
        """
        raise self._no_backup(owner)

    async def lay_out(self, owner: Owner, wanted: R, folder: Path) -> LaidOut:
        """Make data of the files of a backup, beside what is in use, which stays as it is.

        What an earlier attempt left is removed first. The resource exists.

        Raises:
            NoBackup: See :meth:`back_up`.
            PlatformError: The engine does not work, or cannot read the files.
        """
        raise self._no_backup(owner)

    async def keep_history(self, *, every: timedelta, keep: timedelta, now: datetime) -> None:
        """Keep what is needed to go back to any moment, from the next copy on; called again and again.

        Args:
            every: Time between two copies of the whole engine.
            keep: How far back a moment may lie.
            now: The time.

        Raises:
            PlatformError: The engine does not work.
        """

    async def end_history(self) -> None:
        """Nobody wants to go back to any moment: keep no more of what is needed for that. Idempotent."""

    async def rewind(self, owner: Owner, wanted: R, at: datetime, folder: Path) -> Copied:
        """Copy the data as it was at a moment, as :meth:`back_up` copies what it is now.

        Raises:
            NoBackup: Resources of this type, or of this engine, cannot go back to any moment.
            PlatformError: The engine does not work, or the moment is out of reach.
        """
        raise NoBackup(
            f"'{owner.resource}' of {owner.service} in {owner.environment} cannot go back to any moment, only to one of"
            f" its backups: `drystone backups {owner.service} --env {owner.environment}`"
        )

    def _no_backup(self, owner: Owner) -> NoBackup:
        return NoBackup(
            f"'{owner.resource}' of {owner.service} in {owner.environment} has no backup: what {self.engine} holds"
            " for it is made anew when it is lost; keep what must not be lost in a database, a bucket or a volume"
        )
