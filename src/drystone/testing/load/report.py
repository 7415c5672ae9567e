"""What became of each request, and what follows from it; pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

import msgspec

MOST_FAILURES_SHOWN = 100


class Failure(StrEnum):
    """How a request failed."""

    CONNECT = "connect"
    """No connection could be made, so that the request was never sent."""
    CLOSED = "closed"
    """The server closed the connection without a byte of an answer."""
    RESET = "reset"
    """The connection broke without a byte of an answer."""
    CUT = "cut"
    """The answer began and did not end."""
    TIMEOUT = "timeout"
    """There was no whole answer in time, connecting included."""
    MALFORMED = "malformed"
    """What came is no HTTP/1.1 answer."""
    STATUS = "status"
    """The answer is whole and its status is 400 or more."""
    UNSENT = "unsent"
    """Too many requests were waiting for answers; this one was due and could not be sent."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request.

    Attributes:
        at: When it was due, from the start of the run.
        took: From that moment to the end of the answer or to the failure.
        reused: It went over a connection that had carried another request before.
        status: The status of a whole answer.
        version: The version that answered, where the answer tells it.
        failure: How it failed; None for a good answer.
        detail: What was seen of the failure, for people.
    """

    at: timedelta
    took: timedelta
    reused: bool
    status: int | None = None
    version: str | None = None
    failure: Failure | None = None
    detail: str = ""

    @property
    def ended(self) -> timedelta:
        """When the answer or the failure was there, from the start of the run."""
        return self.at + self.took


class Span(msgspec.Struct, frozen=True):
    """When one version answered; times count from the start of the run.

    Attributes:
        answers: How many whole answers it gave, those with a failing status included.
        first_answer: When the first of them was there.
        last_answer: When the last of them was there.
        last_request: When the last request that it answered was due.
    """

    answers: int
    first_answer: timedelta
    last_answer: timedelta
    last_request: timedelta


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the generator.

    Attributes:
        url: What was asked for.
        rate: Requests per second that were due.
        started: When the first request was due.
        outcomes: One per request, in the order in which they ended.
        idle_closed: Kept connections that the server closed between two requests. These are no failures.
        behind: How late the generator itself sent a request at worst. A large one means that the
            machine was too busy to measure.
    """

    url: str
    rate: float
    started: datetime
    outcomes: tuple[Outcome, ...]
    idle_closed: int
    behind: timedelta

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The failed requests, by the moment at which they were due."""
        failed = (outcome for outcome in self.outcomes if outcome.failure is not None)
        return tuple(sorted(failed, key=lambda outcome: outcome.at))

    def failures(self) -> dict[str, int]:
        """Count the failures by kind; a failing status is a kind of its own, for example ``status 503``."""
        return dict(Counter(_kind(outcome) for outcome in self.failed).most_common())

    def latency(self, share: float) -> timedelta | None:
        """Return the time within which this share of the good answers came (nearest rank).

        Args:
            share: Above 0, at most 1: 0.5 asks for the median, 1 for the slowest.

        Returns:
            None when there was no good answer.

        Raises:
            ValueError: The share lies outside.
        """
        if not 0 < share <= 1:
            raise ValueError(f"a share lies above 0 and at most at 1, not at {share}")
        times = sorted(outcome.took for outcome in self.outcomes if outcome.failure is None)
        if not times:
            return None
        rank = ceil(round(share * len(times), 6))  # 0.07 * 100 is a little more than 7
        return times[max(rank, 1) - 1]

    def versions(self) -> dict[str, Span]:
        """Tell when each version answered, in the order in which they appeared."""
        spans: dict[str, Span] = {}
        for outcome in sorted(self.outcomes, key=lambda outcome: outcome.ended):
            if outcome.version is not None:
                spans[outcome.version] = _extended(spans.get(outcome.version), outcome)
        return spans

    def summary(self) -> dict[str, object]:
        """Return the report for machines: JSON types only, times in seconds or, where said, milliseconds."""
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        return {
            "url": self.url,
            "rate": self.rate,
            "started": self.started.isoformat(),
            "requests": len(self.outcomes),
            "reused": sum(outcome.reused for outcome in self.outcomes),
            "failed": len(self.failed),
            "failures": self.failures(),
            "failed_at": [_shown(outcome) for outcome in self.failed[:MOST_FAILURES_SHOWN]],
            "latency_ms": {name: _milliseconds(self.latency(of)) for name, of in shares.items()},
            "versions": {
                version: {
                    "answers": span.answers,
                    "first_answer": round(span.first_answer.total_seconds(), 4),
                    "last_answer": round(span.last_answer.total_seconds(), 4),
                    "last_request": round(span.last_request.total_seconds(), 4),
                }
                for version, span in self.versions().items()
            },
            "idle_closed": self.idle_closed,
            "behind_ms": _milliseconds(self.behind),
        }

    def text(self) -> str:
        """Return the report for people, a few lines."""
        seen = self.summary()
        latency = ", ".join(
            f"{name} {value} ms"
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            if (value := _milliseconds(self.latency(share))) is not None
        )
        lines = [
            f"{seen['requests']} requests at {self.rate:g}/s to {self.url}: {seen['failed']} failed",
            f"latency: {latency or 'no answers'}",
            *(
                f"version {version}: {span.answers} answers,"
                f" {span.first_answer.total_seconds():.3f} s to {span.last_answer.total_seconds():.3f} s"
                for version, span in self.versions().items()
            ),
            *(f"failed, {kind}: {count}" for kind, count in self.failures().items()),
            *(
                f"  at {outcome.at.total_seconds():.3f} s: {_kind(outcome)} {outcome.detail}".rstrip()
                for outcome in self.failed[:10]
            ),
        ]
        if self.behind > timedelta(milliseconds=100):
            lines.append(
                f"the generator was late by up to {_milliseconds(self.behind)} ms: busy machine"
            )
        return "\n".join(lines)


def _kind(outcome: Outcome) -> str:
    return f"status {outcome.status}" if outcome.failure is Failure.STATUS else str(outcome.failure)


def _extended(span: Span | None, outcome: Outcome) -> Span:
    if span is None:
        return Span(1, outcome.ended, outcome.ended, outcome.at)
    return Span(
        span.answers + 1, span.first_answer, outcome.ended, max(span.last_request, outcome.at)
    )


def _shown(outcome: Outcome) -> dict[str, object]:
    return {
        "at": round(outcome.at.total_seconds(), 4),
        "kind": _kind(outcome),
        "detail": outcome.detail,
        "reused": outcome.reused,
        "version": outcome.version,
    }


def _milliseconds(time: timedelta | None) -> float | None:
    return None if time is None else round(time / timedelta(milliseconds=1), 2)
