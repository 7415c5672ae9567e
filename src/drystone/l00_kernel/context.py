"""Who asks, and how long they wait: what accompanies every call."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import msgspec

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.errors import DeadlineExceeded


class Caller(msgspec.Struct, frozen=True):
    """Who asks, as the server's authentication found out; a client cannot choose it.

    Attributes:
        name: A person or a service, unique within the platform.
        roles: What they may act as.
    """

    name: str
    roles: frozenset[str] = frozenset()


ANONYMOUS = Caller("anonymous")
"""Somebody who proved nothing, where that is allowed."""


def new_request_id() -> str:
    """Return a name for one request, unique for all practical purposes."""
    return uuid.uuid4().hex


class Context(msgspec.Struct, frozen=True):
    """What accompanies a call.

    Attributes:
        caller: Who asks. Over the network the server puts there whom it authenticated.
        deadline: When the answer is of no use any more; aware, UTC. It crosses the wire as the time that
            is left, so that clocks need not agree.
        idempotency_key: Names one intended change; a repeated POST with the same key happens once.
        request_id: Names this request in logs and answers.
    """

    caller: Caller
    deadline: datetime | None = None
    idempotency_key: str | None = None
    request_id: str = msgspec.field(default_factory=new_request_id)

    def __post_init__(self) -> None:
        if self.deadline is not None and self.deadline.tzinfo is None:
            raise ValueError("the deadline of a call is an aware datetime")

    def remaining(self, clock: Clock | None = None) -> timedelta | None:
        """Return the time left, never less than zero; None without a deadline."""
        if self.deadline is None:
            return None
        return max(timedelta(), self.deadline - (clock or SystemClock()).now())

    def check(self, clock: Clock | None = None) -> None:
        """Go on only while somebody waits for the answer.

        Raises:
            DeadlineExceeded: The deadline has passed.
        """
        if self.remaining(clock) == timedelta():
            raise DeadlineExceeded
