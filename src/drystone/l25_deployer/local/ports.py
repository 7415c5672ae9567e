"""Which loopback port belongs to whom.

A service's internal port, at which others reach it through the edge, is written down and stays the same. The
ports of instances are written in their releases; this book only makes sure that none is given twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.local.documents import UnreadableDocument

PORT_PROMISED = FaultPoint(
    "start.port.promised", "a service has a port for others, which is not written"
)


class PortBook:
    """The ports that the platform has promised.

    Args:
        path: File that keeps the internal ports.

    Raises:
        UnreadableDocument: The file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._internal: dict[str, int] = {}
        self._lent: set[int] = set()
        if path.exists():
            self._internal = _read(path)

    @staticmethod
    def forget(path: Path) -> None:
        """Forget every port that was promised: the home came to this place, where others may have them."""
        path.unlink(missing_ok=True)

    def known(self, name: str) -> int | None:
        """Return the port at which other services reach a service, if any of them ever needed one."""
        return self._internal.get(name)

    def internal(self, name: str) -> int:
        """Return the port at which other services of this machine reach a service, deployed or not.

        Args:
            name: ``<service>.<environment>``.
        """
        if name not in self._internal:
            internal = {**self._internal, name: free_port(taken=self._taken())}
            PORT_PROMISED.reach()
            write_atomically(self._path, msgspec.json.encode(internal))
            self._internal = internal  # only what is written down is promised
        return self._internal[name]

    def every(self) -> Mapping[str, int]:
        """Return every port that is promised, by whom it was promised to."""
        return self._internal

    def lend(self) -> int:
        """Return a free port that nobody else is given until it is returned."""
        port = free_port(taken=self._taken())
        self._lent.add(port)
        return port

    def note(self, port: int) -> None:
        """Take note that a port was lent by an earlier life of the platform."""
        self._lent.add(port)

    def give_back(self, port: int) -> None:
        """Make a lent port available again."""
        self._lent.discard(port)

    def _taken(self) -> set[int]:
        return self._lent | set(self._internal.values())


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except msgspec.DecodeError as e:
        raise UnreadableDocument(
            f"{path} cannot be read ({e}); restore it from a copy, or remove it once nothing of the platform"
            " runs: services that call each other then get new ports at their start",
            path=str(path),
        ) from e
