"""What is written about one service in one environment: its record, its releases and its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.api import HistoryEvent
from drystone.l25_deployer.local.owed import Owed
from drystone.l25_deployer.stacks.model import Eternal

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l25_deployer.local.documents import Documents
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
    from drystone.l25_deployer.stacks.model import EnvironmentStack, Stacks


class WrittenService:
    """A service as its documents tell, and the pen for them.

    What is about to happen is *saved*, on the disk first; what has happened is *noted*, on the disk as soon as
    that has room.

    Args:
        documents: Of every service of this home.
        clock: Dates the history.
        record: What is written about this one.
    """

    def __init__(self, documents: Documents, clock: Clock, record: ServiceRecord) -> None:
        self.documents = documents
        self.record = record
        self.owed = Owed()
        """What has happened and could not be written yet."""
        self.beside: dict[str, int] = {}
        """What runs for it beside the instances of its releases, such as jobs: the release by the id of the instance."""
        self._clock = clock
        self._releases: dict[int, ReleaseRecord] = {}

    @property
    def name(self) -> str:
        """The service as the edge and people call it."""
        return f"{self.record.service}.{self.record.environment}"

    def save(self, **changes: object) -> None:
        """Replace the record, on the disk first: for what is about to happen.

        Raises:
            DiskFull: Nothing has changed.
        """
        self.owed.settle()
        record = msgspec.structs.replace(self.record, **changes)
        self.documents.save_service(record)
        self.record = record

    def note(self, **changes: object) -> None:
        """Replace the record, on the disk as soon as that has room: for what has happened."""
        record = self.record = msgspec.structs.replace(self.record, **changes)
        self.owed.do(lambda: self.documents.save_service(record))

    def save_release(self, release: ReleaseRecord) -> ReleaseRecord:
        """Write a release, on the disk first, and hand it back.

        Raises:
            DiskFull: Nothing has changed.
        """
        self.owed.settle()
        self.documents.save_release(self.record, release)
        return self._remember(release)

    def note_release(self, release: ReleaseRecord) -> ReleaseRecord:
        """Write a release, on the disk as soon as that has room, and hand it back."""
        record = self.record
        self.owed.do(lambda: self.documents.save_release(record, release))
        return self._remember(release)

    def forget_release(self, number: int) -> None:
        """Remove a release's record, once no other record on the disk names it."""
        record = self.record
        self.owed.do(lambda: self.documents.remove_release(record, number))

    def _remember(self, release: ReleaseRecord) -> ReleaseRecord:
        self._releases[release.number] = release
        return release

    def release(self, number: int) -> ReleaseRecord:
        """Return a release of this service."""
        if number not in self._releases:
            self._releases[number] = self.documents.release(
                self.record.environment, self.record.service, number
            )
        return self._releases[number]

    def releases(self) -> list[ReleaseRecord]:
        """Return every release that has a record, as the disk has it."""
        return self.documents.releases(self.record.environment, self.record.service)

    def stack(self) -> EnvironmentStack | None:
        """Return the surroundings of the release that serves."""
        active = self.active_release()
        return active.stacks.environment if active else None

    def deployed(self) -> Stacks | None:
        """Return the stacks of the release that serves, with the resources that exist rather than those of its descriptor."""
        active = self.active_release()
        if active is None:
            return None
        return msgspec.structs.replace(active.stacks, eternal=Eternal(dict(self.record.eternal)))

    def active_release(self) -> ReleaseRecord | None:
        """Return the release that serves, if one does."""
        return None if self.record.active is None else self.release(self.record.active)

    def write_history(
        self,
        event: str,
        text: str,
        *,
        by: str = "platform",
        release: ReleaseRecord | None = None,
        seconds: float | None = None,
    ) -> None:
        """Append to the history, as soon as the disk has room."""
        record = self.record
        happened = HistoryEvent(
            self._clock.now(),
            by,
            event,
            text,
            release.number if release else None,
            release.version if release else None,
            seconds,
        )
        append = self.documents.append_history
        self.owed.do(lambda: append(record.environment, record.service, happened))

    def instance_ids(self) -> set[str]:
        """Return the ids of all instances that may run, as the records say."""
        record = self.record
        unfinished = record.operation.release if record.operation else None
        held = record.canary.release if record.canary else None
        numbers = {record.active, unfinished, held, *record.warm} - {None}
        return {
            one.id
            for release in self.releases()
            if release.number in numbers
            for one in release.instances
        } | set(self.beside)

    def artifact_folders(self) -> set[str]:
        """Return the names of the stored folders that the kept releases need."""
        return {name for release in self.releases() for name in release.artifact_folders()}
