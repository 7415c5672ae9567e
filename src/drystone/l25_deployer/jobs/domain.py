"""What becomes of a run: pure.

A run waits, runs and ends; it waits again when an attempt failed and more are allowed. What is written before anything is done says
which attempt is next, so that whoever comes after a death knows whether it may have begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import structs

from drystone.l25_deployer.jobs.api import AttemptView, RunView, State
from drystone.l25_deployer.stacks.provided import BatchJob

MOST_WAITING = 1000
MOST_WORDS = 32 * 1024
"""Bytes that a command and its variables may have."""

ENDED: frozenset[State] = frozenset(("succeeded", "failed", "stopped"))


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt.

    Attributes:
        instance: Id of the instance.
        release: Number of the release.
        runtime: Where it runs.
        began: When it was about to begin.
        ended: When it ended.
        code: Its exit code.
        reason: How it ended.
    """

    instance: str
    release: int
    runtime: str
    began: datetime
    ended: datetime | None = None
    code: int | None = None
    reason: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run, as it is written down.

    Attributes:
        id: Names it among the runs of its service.
        environment: Where its service is deployed.
        service: Whose it is.
        job: Which job.
        title: What whoever asked calls it.
        command: What runs.
        variables: In addition to those of the service.
        by: Who asked.
        asked: When.
        limits: What it may use, as the descriptor said when it was asked for.
        state: How it stands.
        attempts: In their order.
        stop: Why somebody wants it to stop; None when nobody does.
        reason: Why it failed or was stopped.
    """

    id: str
    environment: str
    service: str
    job: str
    title: str = ""
    command: tuple[str, ...]
    variables: dict[str, str] = {}
    by: str
    asked: datetime
    limits: BatchJob
    state: State = "waiting"
    attempts: tuple[Attempt, ...] = ()
    stop: str | None = None
    reason: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED

    @property
    def current(self) -> Attempt | None:
        """The attempt that runs, or was about to begin."""
        return self.attempts[-1] if self.state == "running" and self.attempts else None


def begun(run: Run, attempt: Attempt) -> Run:
    """Return a run whose next attempt is about to begin."""
    return structs.replace(run, state="running", attempts=(*run.attempts, attempt))


def attempt_over(run: Run, *, code: int | None, reason: str, at: datetime) -> Run:
    """Return a run whose attempt has ended.

    Args:
        run: It runs.
        code: Exit code of the attempt; None when nobody recorded it.
        reason: How it ended.
        at: When.
    """
    over = structs.replace(run.attempts[-1], ended=at, code=code, reason=reason)
    run = structs.replace(run, attempts=(*run.attempts[:-1], over))
    if code == 0:
        return structs.replace(run, state="succeeded")
    if run.stop is not None:
        return structs.replace(run, state="stopped", reason=run.stop)
    if len(run.attempts) <= run.limits.retries:
        return structs.replace(run, state="waiting")
    return structs.replace(run, state="failed", reason=reason)


def stopping(run: Run, reason: str) -> Run:
    """Return a run that somebody wants to stop; one that waits has ended with it."""
    if run.has_ended:
        return run
    run = structs.replace(run, stop=run.stop or reason)
    return run if run.state == "running" else structs.replace(run, state="stopped", reason=reason)


def next_up(runs: Iterable[Run], parallel: int) -> list[Run]:
    """Return the runs of one job that are to begin now, those that were asked for first before the others.

    Args:
        runs: All of the job.
        parallel: How many may run at once.
    """
    every = list(runs)
    free = parallel - sum(run.state == "running" for run in every)
    waiting = sorted((run for run in every if run.state == "waiting"), key=_age)
    return waiting[: max(0, free)]


def forgettable(runs: Iterable[Run], keep: int) -> list[Run]:
    """Return the runs of one job that are not to be remembered any more."""
    over = sorted((run for run in runs if run.has_ended), key=_age)
    return over[: max(0, len(over) - keep)]


def view(run: Run) -> RunView:
    """Return a run as people see it."""
    return RunView(
        id=run.id,
        job=run.job,
        command=list(run.command),
        by=run.by,
        asked=run.asked,
        state=run.state,
        reason=run.reason,
        attempts=[
            AttemptView(
                instance=one.instance,
                release=one.release,
                began=one.began,
                ended=one.ended,
                code=one.code,
                reason=one.reason,
            )
            for one in run.attempts
        ],
    )


def words_of(command: Sequence[str], variables: dict[str, str]) -> int:
    """Return how many bytes a command and its variables have."""
    return sum(len(text.encode()) + 1 for text in (*command, *variables, *variables.values()))


def _age(run: Run) -> tuple[datetime, str]:
    return run.asked, run.id
