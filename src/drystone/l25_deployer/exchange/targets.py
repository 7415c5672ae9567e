"""Where services can be carried, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from drystone.l25_deployer.exchange import to_compose, to_kubernetes
from drystone.l25_deployer.exchange.leaving import Exported, Leaving


class Writer(Protocol):
    """Writes services as another platform reads them."""

    def __call__(self, every: Sequence[Leaving], *, source: str) -> Exported:
        """Write services.

        Args:
            every: Which.
            source: Where they come from, for remarks.

        Raises:
            ExportRefused: One cannot be exported.
        """


TARGETS: Mapping[str, Writer] = {"compose": to_compose.export, "kubernetes": to_kubernetes.export}
