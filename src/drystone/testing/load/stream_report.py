"""What became of each stream, and what follows from it; pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

MOST_SHOWN = 100


class StreamEnd(StrEnum):
    """How a stream ended otherwise than it should."""

    REFUSED = "refused"
    """It was answered with a status that is no success."""
    BROKEN = "broken"
    """It ended before anything of its content had come."""
    CUT = "cut"
    """It went well, and was ended by the other side before its own end."""
    WRONG = "wrong"
    """Something came twice, was missing, out of order or changed."""
    TIMEOUT = "timeout"
    """Nothing came for too long."""


class StreamOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one stream.

    Attributes:
        at: When it was due, from the start of the run.
        began: How long it took from then until the first of its content came; None when none did.
        took: How long it took from then to its end.
        messages: How many messages came; of uploads and downloads, how many bytes went.
        silence: Longest time between two of them.
        version: The version that answered, where the answer tells it.
        end: How it ended; None when it ended as it should.
        detail: What was seen of that, for people: also the other side's goodbye.
    """

    at: timedelta
    began: timedelta | None
    took: timedelta
    messages: int
    silence: timedelta
    version: str | None = None
    end: StreamEnd | None = None
    detail: str = ""

    @property
    def ended(self) -> timedelta:
        """When it ended, from the start of the run."""
        return self.at + self.took


class StreamReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run of streams.

    Attributes:
        url: What was asked for.
        kind: Which kind of stream.
        rate: Streams per second that were due.
        started: When the first one was due.
        outcomes: One per stream, in the order in which they ended.
        connections: How many connections were opened.
        behind: How late the generator itself began a stream at worst.
    """

    url: str
    kind: str
    rate: float
    started: datetime
    outcomes: tuple[StreamOutcome, ...]
    connections: int
    behind: timedelta

    @property
    def failed(self) -> tuple[StreamOutcome, ...]:
        """The streams that went wrong in another way than by being cut, by the moment they were due."""
        return self._ended(set(StreamEnd) - {StreamEnd.CUT})

    @property
    def cut(self) -> tuple[StreamOutcome, ...]:
        """The streams that were ended by the other side before their own end."""
        return self._ended({StreamEnd.CUT})

    def _ended(self, ends: set[StreamEnd]) -> tuple[StreamOutcome, ...]:
        found = (outcome for outcome in self.outcomes if outcome.end in ends)
        return tuple(sorted(found, key=lambda outcome: outcome.at))

    @property
    def slowest_begin(self) -> timedelta | None:
        """The longest time until a stream's first content came; None when none came."""
        return max((o.began for o in self.outcomes if o.began is not None), default=None)

    def endings(self) -> dict[str, int]:
        """Count the streams that did not end as they should, by how they ended."""
        ended = (f"{o.end}: {o.detail}" for o in (*self.failed, *self.cut))
        return dict(Counter(ended).most_common())

    def versions(self) -> dict[str, int]:
        """Count the streams of each version, in the order in which they were due."""
        ordered = sorted(self.outcomes, key=lambda outcome: outcome.at)
        return dict(Counter(o.version for o in ordered if o.version is not None))

    def summary(self) -> dict[str, object]:
        """Return the report for machines: JSON types only, times in seconds."""
        return {
            "url": self.url,
            "kind": self.kind,
            "rate": self.rate,
            "started": self.started.isoformat(),
            "streams": len(self.outcomes),
            "messages": sum(outcome.messages for outcome in self.outcomes),
            "failed": len(self.failed),
            "cut": len(self.cut),
            "endings": self.endings(),
            "ended_at": [_shown(outcome) for outcome in (*self.failed, *self.cut)[:MOST_SHOWN]],
            "slowest_begin": _seconds(self.slowest_begin),
            "longest_silence": _seconds(max((o.silence for o in self.outcomes), default=None)),
            "versions": self.versions(),
            "connections": self.connections,
            "behind": _seconds(self.behind),
        }

    def text(self) -> str:
        """Return the report for people, a few lines."""
        counts = f"{len(self.failed)} failed, {len(self.cut)} cut"
        lines = [
            f"{len(self.outcomes)} streams ({self.kind}) at {self.rate:g}/s to {self.url}: {counts}",
            *(f"version {version}: {count} streams" for version, count in self.versions().items()),
            *(f"{count} times {ending}" for ending, count in self.endings().items()),
            *(
                f"  at {o.ended.total_seconds():.3f} s, after {o.took.total_seconds():.3f} s: {o.end} {o.detail}"
                for o in (*self.failed, *self.cut)[:10]
            ),
        ]
        return "\n".join(lines)


def _shown(outcome: StreamOutcome) -> dict[str, object]:
    return {
        "at": _seconds(outcome.at),
        "took": _seconds(outcome.took),
        "end": str(outcome.end),
        "detail": outcome.detail,
        "messages": outcome.messages,
        "version": outcome.version,
    }


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else round(time.total_seconds(), 4)
