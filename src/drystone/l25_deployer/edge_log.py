"""What the access log of a platform's own proxy shows: who called whom, how often, and how often in vain.

A line of the edge names the service that was called, and an address of this machine as the one that called, so that such a
call is one of :data:`AT_THE_EDGE`. A line of the address at which a service finds one of its dependencies names both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from drystone.l05_graph.evidence import Batch
from drystone.l05_graph.ingest import envoy_access_log
from drystone.l05_graph.ingest.endpoints import EXTERNAL, Endpoint, Endpoints, Known
from drystone.l05_graph.ingest.source import Stream
from drystone.l05_graph.model import Model
from drystone.l25_deployer.dependencies.model import PLATFORM

SOURCE = "edge"
"""What evidence calls the edge, so that its own log, imported as that of any Envoy, does not count twice."""
AT_THE_EDGE = f"{EXTERNAL}edge"
"""Whoever calls a service through the edge."""
_PIECE = 1 << 20


def endpoints_of(model: Model, log: str) -> Endpoints:
    """Return whose the names in the log of an edge are.

    Args:
        model: Of the platform, whose components are called ``ENVIRONMENT/SERVICE``.
        log: What the log is called.
    """
    found = [Endpoint(known=Known.FILE, value=log, component=AT_THE_EDGE)]
    for one in model.components:
        environment, slash, service = one.name.partition("/")
        if slash:
            name = service if environment == PLATFORM else f"{service}.{environment}"
            found.append(Endpoint(known=Known.NAME, value=name, component=one.name))
    return Endpoints(tuple(found))


class EdgeLog:
    """The access log of an edge, and the one before it, which was moved away when it had grown.

    Args:
        path: Of the log.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path.with_name(f"{path.name}.1"), path)
        self._known: dict[tuple[int, int, int], Batch] = {}
        self._batches: tuple[Batch, ...] = ()
        self._digest = ""

    def batches(self, model: Model) -> tuple[Batch, ...]:
        """Return what was called, a batch for each file; the same object while nothing has changed.

        Args:
            model: Of the platform, for the names.
        """
        known, self._known = self._known, {}
        if model.digest != self._digest:
            known, self._digest = {}, model.digest
        for path in self._paths:
            try:
                with path.open("rb") as file:
                    status = os.fstat(file.fileno())
                    key = (status.st_ino, status.st_size, status.st_mtime_ns)
                    self._known[key] = known.get(key) or _read(file, path.name, status, model)
            except OSError:
                continue  # nothing was logged yet, or it is moved away at this moment
        batches = tuple(one for one in self._known.values() if one.observations)
        if batches != self._batches:
            self._batches = batches
        return self._batches


def _read(file: BinaryIO, name: str, status: os.stat_result, model: Model) -> Batch:
    written = datetime.fromtimestamp(status.st_mtime, UTC)
    stream = Stream(name=name, chunks=_chunks(file, status.st_size), seen=written)
    found = envoy_access_log.read(stream, endpoints_of(model, name))
    return msgspec.structs.replace(found.batch, source=SOURCE)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Read what was there at first: the log goes on growing."""
    left = size
    while left > 0 and (chunk := file.read(min(left, _PIECE))):
        left -= len(chunk)
        yield chunk
