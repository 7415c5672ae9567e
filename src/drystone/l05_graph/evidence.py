"""What traffic showed: who called whom, how often, when, and how often it failed.

Evidence stands beside a survey and never changes it. It consists of batches, one for each file that was imported, named by
its source and the digest of its content. Merging is therefore the union of sets: in any order, any number of times. Totals
are made when somebody asks.

A batch that is no longer needed in detail is made coarser (:func:`coarser`): its buckets become wider, then go; in the end
only its name stays, so that its file is not imported again. Where two pieces of evidence have one batch in different detail,
merging keeps the coarser, since somebody decided so; that keeps merging a union.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from operator import attrgetter

import msgspec

MOST_SAMPLES = 3
"""So many examples of calls are kept of a pair."""


class Detail(StrEnum):
    """How much is kept of a batch, the most first: the width of its buckets, or less."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    SIX_HOURS = "6h"
    DAY = "1d"
    TOTALS = "totals"
    """The totals of each pair, without buckets."""
    NAME = "name"
    """That it was imported, and nothing else."""

    @property
    def width(self) -> timedelta | None:
        """The width of a bucket; None without buckets."""
        return _WIDTHS.get(self)

    @property
    def place(self) -> int:
        """Order them: 0 for the most detail."""
        return list(Detail).index(self)


_WIDTHS = {
    Detail.MINUTE: timedelta(minutes=1),
    Detail.FIVE_MINUTES: timedelta(minutes=5),
    Detail.QUARTER: timedelta(minutes=15),
    Detail.HOUR: timedelta(hours=1),
    Detail.SIX_HOURS: timedelta(hours=6),
    Detail.DAY: timedelta(days=1),
}
"""Each divides the next, so that buckets can be put together exactly."""


class Bucket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The calls of one stretch of time.

    Attributes:
        number: Which: how many of its width passed since 1970 began, in universal time.
        calls: How many calls began in it.
        errors: How many of them failed.
    """

    number: int
    calls: int
    errors: int = 0


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """That one component called another.

    Attributes:
        caller: Who called, and so depends on the other.
        callee: Who was called.
        calls: How often.
        errors: How many of these failed by the callee's fault, or got no answer.
        first: When the first began; None when the source does not say.
        last: When the last began.
        sample: A few examples, such as ``GET /v1/users`` or ``tcp/5432``; never a query, a header or a secret.
        buckets: The calls by time, in order; none of them is empty.
    """

    caller: str
    callee: str
    calls: int
    errors: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sample: tuple[str, ...] = ()
    buckets: tuple[Bucket, ...] = ()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one import brought.

    Attributes:
        source: The name of what it was read by, such as ``envoy-access-log``.
        digest: SHA-256 of the content, in hexadecimal.
        file: What the file was called, for people.
        detail: How much is kept of it.
        cumulative: Whether its numbers count from the begin of a process, as counters do: of such batches the largest
            number counts, not the sum.
        records: How many lines, spans or rows were read.
        skipped: How many of them told nothing.
        observations: Sorted by caller and callee, each pair once.
    """

    source: str
    digest: str
    file: str = ""
    detail: Detail = Detail.MINUTE
    cumulative: bool = False
    records: int = 0
    skipped: int = 0
    observations: tuple[Observation, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other."""
        return (self.source, self.digest)

    @property
    def first(self) -> datetime | None:
        """When its first call began."""
        return min((one.first for one in self.observations if one.first), default=None)

    @property
    def last(self) -> datetime | None:
        """When its last call began."""
        return max((one.last for one in self.observations if one.last), default=None)


def coarser(batch: Batch, detail: Detail) -> Batch:
    """Keep less of a batch; one that has less already stays as it is."""
    if detail.place <= batch.detail.place:
        return batch
    if detail is Detail.NAME:
        return msgspec.structs.replace(batch, detail=detail, observations=())
    kept = tuple(
        msgspec.structs.replace(one, buckets=widened(one.buckets, batch.detail, detail))
        for one in batch.observations
    )
    return msgspec.structs.replace(batch, detail=detail, observations=kept)


def widened(buckets: Iterable[Bucket], before: Detail, after: Detail) -> tuple[Bucket, ...]:
    """Put buckets together to wider ones, or to none where there are none."""
    narrow, wide = before.width, after.width
    if narrow is None or wide is None:
        return ()
    ratio = wide // narrow
    return tuple(
        Bucket(number, sum(one.calls for one in some), sum(one.errors for one in some))
        for number, some in (
            (number, list(some)) for number, some in groupby(buckets, lambda b: b.number // ratio)
        )
    )


class Doubt(msgspec.Struct, frozen=True, gc=False):
    """How a source may be wrong about a pair.

    Attributes:
        always: Chance that it is wrong about all calls of the pair: an address that has another owner by now, say.
        each: Chance that it is wrong about the calls of one bucket, if it is not wrong about all.
    """

    always: float
    each: float


REFUSED = "refused"
"""What evidence calls the proxies of the platform itself, where they tell of calls that they did not let through."""

DOUBTS: Mapping[str, Doubt] = {
    REFUSED: Doubt(0.01, 0.1),
    "edge": Doubt(0.01, 0.1),
    "envoy-access-log": Doubt(0.01, 0.1),
    "otlp-traces": Doubt(0.01, 0.1),
    "service-graph-metrics": Doubt(0.02, 0.2),
    "zipkin-links": Doubt(0.02, 0.2),
    "jaeger-links": Doubt(0.02, 0.2),
    "vpc-flow": Doubt(0.1, 0.5),
}
"""Proxies and traces name both ends themselves; links and metrics are aggregated from samples of traces; flow logs know
addresses alone, whose owners an inventory guesses, and scanners and health checks make flows that are no dependency."""
_UNKNOWN = Doubt(0.1, 0.5)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one source showed of a pair, all its batches together.

    Attributes:
        source: Its name.
        calls: How many calls.
        errors: How many of them failed.
        first: When the first began, if it is known.
        last: When the last began.
        sample: Examples.
        times: In how many separate buckets or batches it was seen.
    """

    source: str
    calls: int
    errors: int
    first: datetime | None
    last: datetime | None
    sample: tuple[str, ...]
    times: int


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one component calling another.

    Attributes:
        caller: Who depends on the other.
        callee: The other.
        seen: What each source showed, by name of the source.
    """

    caller: str
    callee: str
    seen: tuple[Seen, ...]

    @property
    def calls(self) -> int:
        """How many calls the source that saw most of them saw; several sources see the same calls."""
        return max(one.calls for one in self.seen)

    @property
    def errors(self) -> int:
        """How many failed, by the source that saw most calls."""
        return max(self.seen, key=lambda one: (one.calls, one.errors)).errors

    @property
    def first(self) -> datetime | None:
        """When the first call began, if any source knows."""
        return min((one.first for one in self.seen if one.first), default=None)

    @property
    def last(self) -> datetime | None:
        """When the last call began."""
        return max((one.last for one in self.seen if one.last), default=None)

    @property
    def confidence(self) -> float:
        """How sure it is, from 0 to 1, that the caller really depends on the other.

        With Π over the sources that saw the pair::

            confidence = 1 - Π (always + (1 - always) · each ** times)

        A source that saw a pair at many separate times is wrong only if it is wrong each time (``each ** times``), or for a
        reason that is always the same (``always``), which no number of calls takes away. Calls of one bucket are counted
        once, since one cause makes many of them. Different sources are wrong independently of each other, so their doubts
        are multiplied (noisy-or; J. Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2). The two
        numbers of each source are estimates of ours (:data:`DOUBTS`), so take the result for an order, not a measurement.
        """
        doubt = 1.0
        for one in self.seen:
            of = DOUBTS.get(one.source, _UNKNOWN)
            doubt *= of.always + (1 - of.always) * of.each**one.times
        return 1 - doubt


class Evidence(msgspec.Struct, frozen=True, dict=True):
    """All that was imported.

    Attributes:
        batches: Sorted by key, each key once; :func:`merged` sees to that.
    """

    batches: tuple[Batch, ...] = ()

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str], Batch]:
        """The batches by key."""
        return {batch.key: batch for batch in self.batches}

    @cached_property
    def pairs(self) -> Mapping[tuple[str, str], Pair]:
        """What is known of each caller and callee, sorted by these."""
        found: dict[tuple[str, str], dict[str, list[tuple[Batch, Observation]]]] = {}
        for batch in self.batches:
            for one in batch.observations:
                of = found.setdefault((one.caller, one.callee), {})
                of.setdefault(batch.source, []).append((batch, one))
        return {
            key: Pair(
                caller=key[0],
                callee=key[1],
                seen=tuple(_seen(source, some) for source, some in sorted(by_source.items())),
            )
            for key, by_source in sorted(found.items())
        }

    def has(self, batch: Batch) -> bool:
        """Whether the same content was imported from the same source before."""
        return batch.key in self.by_key

    def without(self, batch: Batch) -> Evidence:
        """Forget what the same content from the same source gave, so that it can be imported with other names."""
        return Evidence(tuple(one for one in self.batches if one.key != batch.key))

    def replaced_by(self, *batches: Batch) -> Evidence:
        """Add batches of logs that go on growing; earlier states of these logs go.

        Such a state is of the same source, and its calls lie within the times of what replaces it. That holds for a source
        of which there is one log only, such as the edge of a platform.
        """
        return merged(
            Evidence(tuple(one for one in self.batches if not _is_in(one, batches))), *batches
        )

    def overlapping(self, batch: Batch) -> tuple[Batch, ...]:
        """Return other batches of its source and file name whose times overlap with its own.

        A log that was imported while it grew, and again later, is such a case: its calls would count twice.
        """
        began, ended = batch.first, batch.last
        if began is None or ended is None or batch.cumulative:
            return ()
        same = (
            one
            for one in self.batches
            if (one.source, one.file) == (batch.source, batch.file) and one.key != batch.key
        )
        return tuple(
            one for one in same if one.first and one.last and one.first < ended and began < one.last
        )


def _is_in(one: Batch, others: Iterable[Batch]) -> bool:
    """Whether the calls of a batch are among those of others, by their times."""
    began, ended = one.first, one.last
    if began is None or ended is None:
        return False
    return any(
        one.source == other.source
        and other.first is not None
        and other.last is not None
        and other.first <= began
        and ended <= other.last
        for other in others
    )


def merged(*every: Evidence | Batch) -> Evidence:
    """Put evidence together; the order and repetitions do not matter."""
    found: dict[tuple[str, str], Batch] = {}
    for evidence in every:
        for batch in evidence.batches if isinstance(evidence, Evidence) else (evidence,):
            known = found.get(batch.key)
            if known is None or _choice(batch) > _choice(known):
                found[batch.key] = batch
    return Evidence(tuple(found[key] for key in sorted(found)))


def _choice(batch: Batch) -> tuple[int, bytes]:
    """Order what stands under one key: the coarser wins; of two that differ otherwise, always the same one."""
    return (batch.detail.place, msgspec.json.encode(batch))


def _seen(source: str, some: list[tuple[Batch, Observation]]) -> Seen:
    counted = [one for batch, one in some if not batch.cumulative]
    # A counter that was read twice counted the same calls twice; the larger number has them all.
    running = [one for batch, one in some if batch.cumulative]
    if running:
        counted.append(max(running, key=attrgetter("calls", "errors")))
    every = [one for _, one in some]
    sample = dict.fromkeys(sample for one in every for sample in one.sample)
    return Seen(
        source=source,
        calls=sum(one.calls for one in counted),
        errors=sum(one.errors for one in counted),
        first=min((one.first for one in every if one.first), default=None),
        last=max((one.last for one in every if one.last), default=None),
        sample=tuple(sorted(sample)[:MOST_SAMPLES]),
        times=sum(max(1, len(one.buckets)) for one in every),
    )
