"""What the agent promises about the orchestrator: it runs where somebody wants it, and keeps what it knows where nobody does."""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l50_orchestrator.running import errors

AUDIENCE = "platform/orchestrator"
"""Whom tokens of the sign-in are for, by which it knows people."""


class OrchestratorView(msgspec.Struct, frozen=True):
    """The orchestrator of a home.

    Attributes:
        is_on: Whether it is wanted; it then starts with the platform.
        socket: Where it answers; empty while it does not.
        since: When somebody decided so; None where nobody ever did.
        by: Who.
        problem: Why it does not answer although it is wanted.
    """

    is_on: bool
    socket: str = ""
    since: datetime | None = None
    by: str = ""
    problem: str = ""


class OrchestratorApi(Api):
    """Turn the orchestrator of a home on and off."""

    name: ClassVar[str] = "orchestrator"
    errors = (errors.OrchestratorNotReady, DiskFull)

    @call("GET", "/v1/orchestrator")
    @abc.abstractmethod
    async def state(self, ctx: Context) -> OrchestratorView:
        """Tell whether it is wanted, and where it answers."""

    @call("PUT", "/v1/orchestrator")
    @abc.abstractmethod
    async def turn_on(self, ctx: Context) -> OrchestratorView:
        """Start it, now and with the platform from now on; returns when it answers. PostgreSQL starts for it.

        Raises:
            OrchestratorNotReady: It does not come up; it stays wanted, and is tried again.
        """

    @call("DELETE", "/v1/orchestrator")
    @abc.abstractmethod
    async def turn_off(self, ctx: Context) -> OrchestratorView:
        """Stop it. Services run on; what it knows stays in its database."""
