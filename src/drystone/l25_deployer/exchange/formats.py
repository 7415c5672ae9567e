"""What can be imported, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from drystone.l25_deployer.exchange import compose, micros, score
from drystone.l25_deployer.exchange.drafting import Files, Imported


class Reader(Protocol):
    """Reads a file of another platform."""

    def __call__(self, content: bytes, *, file: str, owner: str, files: Files) -> Imported:
        """Read a file.

        Args:
            content: Its text.
            file: How it is called.
            owner: Who looks after the services.
            files: What lies beside it.

        Raises:
            ImportRefused: It cannot be imported.
        """


FORMATS: Mapping[str, Reader] = {
    "compose": compose.read,
    "score": score.read,
    "micros": micros.read,
}
