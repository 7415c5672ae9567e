"""What the edge asks of whoever has certificates for it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.edge import EdgeService, SecureEdge


class Https(abc.ABC):
    """Gives the edge what it needs to answer over HTTPS."""

    @abc.abstractmethod
    async def of(self, services: Sequence[EdgeService]) -> SecureEdge | None:
        """Return a certificate for every host of some services; None while nobody wants one.

        A host whose certificate cannot be had is left out, and :meth:`problem` says why: the others are there all the same.
        """

    @abc.abstractmethod
    def is_due(self) -> bool:
        """Tell whether a certificate that is shown is to be renewed, or has ended."""

    @abc.abstractmethod
    def problem(self, host: str) -> str:
        """Say why a host has no certificate, or one that is to be replaced; empty when all is well."""


class NoHttps(Https):
    """Nothing is answered over HTTPS."""

    @override
    async def of(self, services: Sequence[EdgeService]) -> SecureEdge | None:
        return None

    @override
    def is_due(self) -> bool:
        return False

    @override
    def problem(self, host: str) -> str:
        return ""
