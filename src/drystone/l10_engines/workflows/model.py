"""What a workflow is, and what is told of one."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.workflows.payloads import Failure


class State(StrEnum):
    """How far a workflow has come."""

    OPEN = "open"
    """It runs, or does so when its time has come or somebody is free."""
    QUEUED = "queued"
    """One that was started before it in the same queue has not ended."""
    PARKED = "parked"
    """It cannot go on, and somebody has to look: resume it, cancel it or abandon it."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in {State.DONE, State.FAILED, State.CANCELLED}


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """When a step that failed is tried again.

    Attributes:
        times: How often at most, beyond the first try.
        first: How long after the first failure; each time twice as long.
        most: The longest pause.
        on: Which failures pass by themselves.
    """

    times: int = 5
    first: timedelta = timedelta(milliseconds=200)
    most: timedelta = timedelta(minutes=1)
    on: tuple[type[Exception], ...] = (Unavailable,)

    def pause_after(self, tries: int, error: Exception) -> timedelta | None:
        """Return how long to wait after so many tries; None when there is no other."""
        if tries > self.times or not isinstance(error, self.on):
            return None
        return min(self.first * 2.0 ** min(tries - 1, 60), self.most)


NEVER = Retries(times=0)
"""A step is tried once."""


class WorkflowView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a workflow.

    Attributes:
        id: Its id.
        number: In the order of starts.
        kind: Name of its definition.
        version: Version of its definition.
        state: How far it is.
        queue: What it queues for.
        parent: Id of the workflow that started it.
        waits_for: What it sleeps or waits for, in words.
        wake_at: When it goes on by itself.
        owner: Which worker is at it.
        attempt: How often a worker took it up.
        is_cancelling: Whether somebody wants it cancelled.
        trouble: Why it is parked, or why its present step failed, as far as it did.
        tries: How often that step failed.
        error: Why it failed, when it has.
        begun_at: When it was started.
        ended_at: When it ended.
    """

    id: str
    number: int
    kind: str
    version: int
    state: State
    queue: str | None
    parent: str | None
    waits_for: str | None
    wake_at: datetime | None
    owner: str | None
    attempt: int
    is_cancelling: bool
    trouble: Failure | None
    tries: int
    error: Failure | None
    begun_at: datetime
    ended_at: datetime | None


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is in the journal.

    Attributes:
        seq: Its place, from 0 on.
        kind: ``step``, ``sleep``, ``wait``, ``now``, ``child``, ``turn`` (from here on all is undone) or ``undo``.
        name: Its name.
        attempt: Which taking up of the workflow it was in.
        tries: How often it was tried.
        error: Why it failed, when it did.
        ended_at: When it was written.
    """

    seq: int
    kind: str
    name: str
    attempt: int
    tries: int
    error: Failure | None
    ended_at: datetime


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that does not go on, and why."""

    id: str
    kind: str
    version: int
    state: State
    reason: str
