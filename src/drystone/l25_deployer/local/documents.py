"""Read and write the records of services; one writer, the agent.

On the disk a release names its folders relative to the home, which may be moved; in memory their paths are absolute.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from drystone.l00_kernel.atomic import append_lines, read_lines, write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.reserve import Reserve
from drystone.l00_kernel.shortage import needs_room
from drystone.l25_deployer.api import HistoryEvent
from drystone.l25_deployer.errors import ReleaseNotFound, ServiceNotFound
from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
from drystone.l25_deployer.local.tally import Tally
from drystone.l25_deployer.local.users import Users

LINE_BEGUN = FaultPoint(
    "history.line.begun", "a line is about to be added to a history", writes=True
)
LINE_WRITTEN = FaultPoint("history.line.written", "a line was added to a history")
RELEASE_REMOVED = FaultPoint("prune.release.removed", "the record of an old release is gone")

TALLY, USERS = "tally.json", "users.json"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_T = TypeVar("_T")


class UnreadableDocument(PlatformError):
    """A document of the home cannot be read; it was damaged or written by a newer version."""


class Documents:
    """The records under ``services/`` of a home.

    Whatever writes raises ``DiskFull`` once the disk is full and its reserve used up too.

    Args:
        root: The folder; it exists, and its parent is the home.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = root.parent
        self.reserve = Reserve(root / ".reserve")

    def services(self) -> list[tuple[str, str]]:
        """List environment and service of every record, sorted."""
        return sorted(
            (path.parent.parent.name, path.parent.name)
            for path in self._root.glob("*/*/service.json")
        )

    def service(self, environment: str, service: str) -> ServiceRecord:
        """Return the record of a service.

        Raises:
            ServiceNotFound: There is none.
            UnreadableDocument: It is damaged.
        """
        path = self._folder(environment, service) / "service.json"
        try:
            return _decode(path, ServiceRecord)
        except FileNotFoundError:
            raise ServiceNotFound(
                f"no service '{service}' in environment '{environment}';"
                " `drystone services` lists what there is",
                service=service,
                environment=environment,
            ) from None

    def save_service(self, record: ServiceRecord) -> None:
        """Replace the record of a service."""
        folder = self._folder(record.environment, record.service)
        self._store(folder / "service.json", _encode(record))

    def release(self, environment: str, service: str, number: int) -> ReleaseRecord:
        """Return one release.

        Raises:
            ReleaseNotFound: It is not kept, or never was.
            UnreadableDocument: It is damaged.
        """
        try:
            written = _decode(self._release_path(environment, service, number), ReleaseRecord)
        except FileNotFoundError:
            raise ReleaseNotFound(
                f"'{service}' in '{environment}' keeps no release {number}", service=service
            ) from None
        return self._with_paths(written, lambda path: str(self._home / path))

    def releases(self, environment: str, service: str) -> list[ReleaseRecord]:
        """Return every kept release that can be read, newest first."""
        folder = self._folder(environment, service) / "releases"
        stems = [path.stem for path in folder.glob("*.json")]
        found = []
        for number in sorted((int(stem) for stem in stems if stem.isdecimal()), reverse=True):
            with suppress(UnreadableDocument):
                found.append(self.release(environment, service, number))
        return found

    def save_release(self, record: ServiceRecord, release: ReleaseRecord) -> None:
        """Write or replace one release of a service."""
        path = self._release_path(record.environment, record.service, release.number)
        self._store(path, _encode(self._with_paths(release, self._inside)))

    def remove_release(self, record: ServiceRecord, number: int) -> None:
        """Forget one release."""
        path = self._release_path(record.environment, record.service, number)
        with needs_room(path):
            path.unlink(missing_ok=True)
        RELEASE_REMOVED.reach()

    def remove_service(self, record: ServiceRecord) -> None:
        """Forget a service and its releases; its history stays, so that it can be read afterwards."""
        folder = self._folder(record.environment, record.service)
        shutil.rmtree(folder / "releases", ignore_errors=True)
        with needs_room(folder):
            (folder / "service.json").unlink(missing_ok=True)

    def tally(self, record: ServiceRecord) -> Tally | None:
        """Return what was counted of a rollout, if that can be read."""
        try:
            return _decode(self._folder(*record.key) / TALLY, Tally)
        except (OSError, UnreadableDocument):
            return None

    def save_tally(self, record: ServiceRecord, tally: Tally) -> None:
        """Replace what was counted, so that the death of the agent does not undo it; that of the machine may."""
        path = self._folder(*record.key) / TALLY
        beside = path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(tally))
        beside.replace(path)

    def users(self, record: ServiceRecord) -> Users | None:
        """Return what is known of the users of a rollout, if that can be read."""
        try:
            return _decode(self._folder(*record.key) / USERS, Users)
        except (OSError, UnreadableDocument):
            return None

    def save_users(self, record: ServiceRecord, users: Users) -> None:
        """Replace what is known of users, as :meth:`save_tally` does; nobody else may read it."""
        path = self._folder(*record.key) / USERS
        beside = path.with_suffix(".new")
        beside.touch(mode=0o600)
        beside.write_bytes(msgspec.json.encode(users))
        beside.replace(path)

    def forget_tally(self, record: ServiceRecord) -> None:
        """Remove what was counted, and what is known of users."""
        for name in (TALLY, USERS):
            (self._folder(*record.key) / name).unlink(missing_ok=True)

    def append_history(self, environment: str, service: str, event: HistoryEvent) -> None:
        """Add one line to the history and put it on the disk."""
        path = self._folder(environment, service) / "history.jsonl"
        line = msgspec.json.encode(event) + b"\n"
        self.reserve.write(lambda: _append(path, line))
        LINE_WRITTEN.reach()

    def _store(self, path: Path, content: bytes) -> None:
        def write() -> None:
            with needs_room(path):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, content)

        self.reserve.write(write)

    def history(self, environment: str, service: str) -> list[HistoryEvent]:
        """Return the history, newest first; a last line cut short by a crash is left out.

        Raises:
            ServiceNotFound: Nothing ever happened to such a service.
        """
        path = self._folder(environment, service) / "history.jsonl"
        try:
            lines = read_lines(path)
        except FileNotFoundError:
            raise ServiceNotFound(
                f"no service '{service}' was ever deployed to '{environment}'", service=service
            ) from None
        events = []
        for line in lines:
            try:
                events.append(msgspec.json.decode(line, type=HistoryEvent))
            except msgspec.DecodeError:
                continue
        return events[::-1]

    def history_length(self, environment: str, service: str) -> int:
        """Return how many bytes a history has; 0 where there is none."""
        try:
            return (self._folder(environment, service) / "history.jsonl").stat().st_size
        except FileNotFoundError:
            return 0

    def _inside(self, path: str) -> str:
        """Return a path relative to the home; one that leads elsewhere stays as it is."""
        place = Path(path)
        return str(place.relative_to(self._home) if place.is_relative_to(self._home) else place)

    @staticmethod
    def _with_paths(release: ReleaseRecord, change: Callable[[str], str]) -> ReleaseRecord:
        return msgspec.structs.replace(
            release,
            source=change(release.source) if release.source else None,
            runtime=change(release.runtime) if release.runtime else None,
        )

    def _folder(self, environment: str, service: str) -> Path:
        for name in (environment, service):
            if not _NAME.fullmatch(name):  # no name may lead out of the home
                raise ServiceNotFound(f"{name!r} is no name of a service or an environment")
        return self._root / environment / service

    def _release_path(self, environment: str, service: str, number: int) -> Path:
        return self._folder(environment, service) / "releases" / f"{number}.json"


def _append(path: Path, line: bytes) -> None:
    with needs_room(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        LINE_BEGUN.reach()
    append_lines(path, line)


def _encode(record: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def _decode(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as e:
        raise UnreadableDocument(
            f"{path} cannot be read ({e}); restore it from a copy, or move it away to give the service up",
            path=str(path),
        ) from e
