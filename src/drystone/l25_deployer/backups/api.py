"""What backups promise: copies that are whole or not there, proven by restoring them, and a way back to one of them.

Copies are made and proven by the agent alone, on a schedule that the descriptor sets or when somebody asks; they need nothing above the
deployer. Data in use is replaced only by what was compared before with what was backed up.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l25_deployer.backups import errors
from drystone.l25_deployer.words import Progress


class TrialView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trial to restore a backup.

    Attributes:
        backup: Its id.
        at: When.
        seconds: How long it took.
        compared: How many tables, or other parts, were compared.
        counted: How many rows, objects or files they have together.
        differences: In what they differ from what was backed up; empty when the backup is proven.
    """

    backup: str
    at: datetime
    seconds: float
    compared: int
    counted: int
    differences: list[str] = []


class BackupView(msgspec.Struct, frozen=True, kw_only=True):
    """One backup.

    Attributes:
        id: By which it is named.
        at: The moment of which the data is.
        release: Number of the release that served then; None when none did.
        reason: ``asked``, ``scheduled``, ``before-restore``, ``final`` or ``platform``.
        by: Who asked.
        size: Bytes of its files.
        seconds: How long it took.
        parts: How many tables, or other parts, it has.
        counted: How many rows, objects or files they have together.
        folder: Where it lies.
        proven: When it was last restored in a trial and nothing differed.
    """

    id: str
    at: datetime
    release: int | None
    reason: str
    by: str
    size: int
    seconds: float
    parts: int
    counted: int
    folder: str
    proven: datetime | None = None


class ResourceBackups(msgspec.Struct, frozen=True, kw_only=True):
    """The backups of one resource.

    Attributes:
        resource: Its name.
        type: Its type; empty for one that is gone.
        every: Seconds between two backups; None where none are made by themselves.
        keep: Seconds that one is kept.
        restore_test: Seconds between two trials to restore one.
        backups: The latest first.
        trials: The latest first.
        trouble: Why the last attempt failed; empty when it did not.
        unreadable: Backups that cannot be read, and why.
    """

    resource: str
    type: str
    every: float | None = None
    keep: float | None = None
    restore_test: float | None = None
    backups: list[BackupView] = []
    trials: list[TrialView] = []
    trouble: str = ""
    unreadable: list[str] = []


class PlannedBackups(msgspec.Struct, frozen=True, kw_only=True):
    """How the whole platform is backed up by itself.

    Attributes:
        every: Seconds between two backups; None where nothing is planned.
        keep: Seconds that one is kept; the latest stays.
        folder: Where they lie.
        by: Who planned it.
        count: How many backups of this platform lie there, others among them.
        latest: The moment of the newest of these.
        troubles: What is wrong, a sentence each.
    """

    every: float | None = None
    keep: float | None = None
    folder: str = ""
    by: str = ""
    count: int = 0
    latest: datetime | None = None
    troubles: list[str] = []


class BackupsApi(Api):
    """Make backups, prove them and bring them back."""

    name: ClassVar[str] = "backups"
    errors = (
        errors.NoSuchBackup,
        errors.NothingToBackUp,
        errors.BackupDamaged,
        errors.BackupUnknown,
        errors.BackupWrong,
        errors.RestoreNotConfirmed,
        errors.BackupSealed,
        errors.KeysDamaged,
        errors.PlanUnfit,
        DiskFull,
    )

    @call("GET", "/v1/backups/{environment}/{service}")
    @abc.abstractmethod
    async def backups(
        self, ctx: Context, *, environment: str, service: str
    ) -> list[ResourceBackups]:
        """List the backups of a service, also of resources that are gone.

        Raises:
            NothingToBackUp: There is no such service, and no backup of it.
        """

    @call("POST", "/v1/backups/{environment}/{service}")
    @abc.abstractmethod
    def take(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        """Make a backup of one resource, or of each that has backups; whoever leaves ends it.

        Raises:
            NothingToBackUp: There is no such resource.
            NoBackup: Resources of its type have none.
            DiskFull: There is too little room; nothing is left of the attempt.
        """

    @call("POST", "/v1/platform-backups")
    @abc.abstractmethod
    def take_whole(self, ctx: Context, *, folder: str | None = None) -> AsyncIterator[Progress]:
        """Make a backup of the whole platform; whoever leaves ends it.

        Args:
            ctx: Who asks.
            folder: Absolute path of the folder in which it is to lie; the platform's own when omitted.

        Raises:
            DiskFull: There is too little room; nothing is left of the attempt.
        """

    @call("GET", "/v1/platform-backups/plan")
    @abc.abstractmethod
    async def planned_whole(self, ctx: Context) -> PlannedBackups:
        """Tell how the whole platform is backed up by itself.

        Raises:
            PlanUnfit: What was written cannot be read.
        """

    @call("PUT", "/v1/platform-backups/plan")
    @abc.abstractmethod
    async def plan_whole(
        self, ctx: Context, *, every: float, keep: float, folder: str | None = None
    ) -> PlannedBackups:
        """Plan backups of the whole platform, in the place of an earlier plan; the first is made within minutes.

        Args:
            ctx: Who asks.
            every: Seconds between two, 600 at least.
            keep: Seconds that one is kept; the latest stays.
            folder: Absolute path of the folder in which they are to lie, which is made; the platform's own when omitted.

        Raises:
            PlanUnfit: It cannot be so.
        """

    @call("DELETE", "/v1/platform-backups/plan")
    @abc.abstractmethod
    async def end_whole_plan(self, ctx: Context) -> None:
        """Plan no more backups of the platform; those that there are stay."""

    @call("POST", "/v1/backups/{environment}/{service}/{resource}/restore")
    @abc.abstractmethod
    def restore(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
        at: datetime | None = None,
        confirm: str | None = None,
        keeps_before: bool = True,
    ) -> AsyncIterator[Progress]:
        """Put a backup in the place of the data in use.

        What is in use is backed up first. The service stands still meanwhile, but for the time that it takes to lay the
        backup out and to compare it. A death in between is finished by the next agent before the service starts.

        Args:
            ctx: Who asks.
            environment: Where the service is deployed.
            service: Its name.
            resource: The resource.
            backup: Which one; the latest when omitted.
            at: In place of a backup: the moment as of which the data comes back.
            confirm: The resource's name again.
            keeps_before: Whether what is in use is backed up first; it stays as it is where that fails.

        Raises:
            RestoreNotConfirmed: ``confirm`` is not the resource's name.
            NoSuchBackup: There is no such backup, or both a backup and a moment are named.
            NoBackup: The resource cannot go back to any moment.
            BackupDamaged: A file of it is not what was written; nothing was changed.
            BackupSealed: The key that opens it is not here; nothing was changed.
            BackupWrong: It does not give back what it was made of; nothing was changed.
        """

    @call("POST", "/v1/backups/{environment}/{service}/{resource}/test")
    @abc.abstractmethod
    def prove(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        resource: str,
        backup: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Restore a backup into a scratch place, compare all of it, and keep what was found.

        Args:
            ctx: Who asks.
            environment: Where the service is deployed.
            service: Its name.
            resource: The resource.
            backup: Which one; the latest when omitted.

        Raises:
            NoSuchBackup: There is no such backup.
            BackupWrong: It does not give back what it was made of, or is damaged.
        """
