"""What a service under fire needs beside its processes: databases, buckets, or a container."""

from __future__ import annotations

import msgspec

from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import Runtime
from drystone.l10_engines.runtimes.processes import Processes
from drystone.testing.python_image import CODE, PYTHON

_VOLUMES = "notes: {type: volume}, %s: {type: volume, protect: false}"


class Kind(msgspec.Struct, frozen=True):
    """One kind of service.

    Attributes:
        name: What it is about.
        base: Its resources.
        next: Its resources after a change: one is made, one goes, one gets other settings if it has any.
        program: How its server is started, as YAML writes a list's items.
        migration: How it is migrated, written in the same way.
        runs_image: Whether it is a container.
    """

    name: str
    base: str
    next: str
    program: str = "python3, -S, -E, server.py"
    migration: str = '"true"'
    runs_image: bool = False

    def runtime(self) -> Runtime:
        """Return what its instances run in."""
        return Podman() if self.runs_image else Processes()


VOLUMES = Kind(
    "volumes",
    f"{{{_VOLUMES % 'photos'}}}",
    f"{{{_VOLUMES % 'drawings'}}}",
)
POSTGRES = Kind(
    "postgres",
    "{main: {type: postgres, connections: 5}, photos: {type: postgres, protect: false}}",
    "{main: {type: postgres, connections: 7}, drawings: {type: postgres, protect: false}}",
)
BUCKET = Kind(
    "bucket",
    "{main: {type: bucket}, photos: {type: bucket, protect: false}}",
    "{main: {type: bucket}, drawings: {type: bucket, protect: false}}",
)
CONTAINER = Kind(
    "container",
    VOLUMES.base,
    VOLUMES.next,
    program=f"{PYTHON}, -S, -E, {CODE}",
    migration=f'{PYTHON}, -S, -E, -c, "pass"',
    runs_image=True,
)
KINDS = (VOLUMES, POSTGRES, BUCKET, CONTAINER)
