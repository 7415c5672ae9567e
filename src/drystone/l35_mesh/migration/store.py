"""The records of migrations, each beside the service that it moves; one writer, the agent."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.shortage import needs_room
from drystone.l35_mesh.migration.domain import Migration
from drystone.l35_mesh.migration.errors import RecordUnreadable

FILE = "migration.json"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Store:
    """The files ``<environment>/<service>/migration.json`` below a folder.

    Args:
        root: The folder of all services of a home.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def all(self) -> tuple[list[Migration], list[str]]:
        """Read every record; the second list says which cannot be read, and why."""
        found, problems = [], []
        for path in sorted(self._root.glob(f"*/*/{FILE}")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Migration))
            except (msgspec.DecodeError, OSError) as e:
                problems.append(
                    f"{path} cannot be read ({e}); move it away to give the migration up"
                )
        return found, problems

    def save(self, one: Migration) -> None:
        """Write or replace a record.

        Raises:
            DiskFull: There is no room; nothing has changed.
            RecordUnreadable: The names lead out of the home.
        """
        path = self._path(one.environment, one.service)
        with needs_room(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.format(msgspec.json.encode(one), indent=1))

    def remove(self, environment: str, service: str) -> None:
        """Forget a migration. Idempotent."""
        self._path(environment, service).unlink(missing_ok=True)

    def _path(self, environment: str, service: str) -> Path:
        for name in (environment, service):
            if not _NAME.fullmatch(name):
                raise RecordUnreadable(f"{name!r} is no name of a service or an environment")
        return self._root / environment / service / FILE
