"""Runs on disk: a file for each, in a folder for each service. Blocking calls; what returns is written and synced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import PARTIAL, write_atomically
from drystone.l25_deployer.jobs.domain import Run


class RunStore:
    """The runs of a home.

    Args:
        root: Folder that holds them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, run: Run) -> None:
        """Write how a run stands.

        Raises:
            DiskFull: There is no room; what was written before stays.
        """
        path = self._path(run)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, msgspec.json.encode(run))

    def read(self) -> Iterator[Run]:
        """Give every run that can be read; what cannot be is left where it is, and is nobody's."""
        for path in sorted(self._root.glob("*/*.json")):
            if path.name.startswith(PARTIAL):
                continue
            with suppress(OSError, msgspec.MsgspecError):
                yield msgspec.json.decode(path.read_bytes(), type=Run)

    def remove(self, run: Run) -> None:
        """Forget a run. Idempotent."""
        path = self._path(run)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others lie there
            path.parent.rmdir()

    def _path(self, run: Run) -> Path:
        return self._root / f"{run.environment}.{run.service}" / f"{run.id}.json"
