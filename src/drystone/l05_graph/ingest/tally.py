"""Adding up calls while they stream by, in bounded memory.

What comes out is the same in whatever order the calls come: buckets become wider when there are too many of them, and a file
that needs wider ones needs them in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from drystone.l05_graph.evidence import MOST_SAMPLES, Batch, Bucket, Detail, Observation
from drystone.l05_graph.ingest.endpoints import Address, Endpoints
from drystone.l05_graph.ingest.reading import Reading
from drystone.l05_graph.ingest.source import Observed, Skips
from drystone.l05_graph.ingest.strangers import Strangers

MOST_PAIRS = 200_000
"""So many pairs are told apart in one file."""
MOST_CELLS = 400_000
"""So many buckets are kept of one file before they become wider."""
LATEST = 7_258_118_400.0
"""The begin of the year 2200, in seconds since 1970: a time behind it is a mistake."""

_LADDER = [detail for detail in Detail if detail.width is not None]


class Tally:
    """Adds up the calls of one file.

    Args:
        skips: Where it is noted what could not be added.
        endpoints: Whose addresses are.
    """

    def __init__(self, skips: Skips, endpoints: Endpoints) -> None:
        self._skips = skips
        self._endpoints = endpoints
        self._callers, self._callees = Strangers(), Strangers()
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._rung = 0
        self._width = _seconds(_LADDER[0])
        self._cells = 0
        self.records = 0
        """How many records were added or skipped by a source that has no lines."""

    def caller(self, address: Address, at: float | None) -> str:
        """Name the component that calls from an address."""
        return self._endpoints.of_address(address, at) or self._callers.name(address)

    def callee(self, address: Address, at: float | None) -> str:
        """Name the component that is called at an address."""
        return self._endpoints.of_address(address, at) or self._callees.name(address)

    def add(
        self,
        caller: str,
        callee: str,
        at: float | None,
        *,
        calls: int = 1,
        errors: int = 0,
        sample: str = "",
    ) -> None:
        """Add calls.

        Args:
            caller: Who called.
            callee: Who was called.
            at: When, in seconds since 1970; unknown when None.
            calls: How many.
            errors: How many of them failed.
            sample: An example of them.
        """
        pair = self._pairs.get((caller, callee))
        if pair is None:
            if caller == callee:
                self._skips.add("a component called itself", count=calls)
                return
            if len(self._pairs) >= MOST_PAIRS:
                self._skips.add(f"there are more than {MOST_PAIRS:,} pairs; divide the file")
                return
            pair = self._pairs[caller, callee] = _Pair()
        pair.calls += calls
        pair.errors += errors
        if sample and len(pair.samples) < MOST_SAMPLES:
            pair.samples.add(sample)
        if at is None:
            return
        pair.first = min(pair.first, at)
        pair.last = max(pair.last, at)
        number = int(at // self._width)
        cell = pair.cells.get(number)
        if cell is not None:
            cell[0] += calls
            cell[1] += errors
            return
        pair.cells[number] = [calls, errors]
        self._cells += 1
        while self._cells > MOST_CELLS and self._rung + 1 < len(_LADDER):
            self._widen()

    def _widen(self) -> None:
        self._rung += 1
        ratio = int(_seconds(_LADDER[self._rung]) // self._width)
        self._width *= ratio
        for pair in self._pairs.values():
            pair.widen(ratio)
        self._cells = sum(len(pair.cells) for pair in self._pairs.values())

    def observed(
        self, source: str, reading: Reading, *, cumulative: bool = False, buckets: bool = True
    ) -> Observed:
        """Return what was added up.

        Args:
            source: The name of the source.
            reading: The file.
            cumulative: Whether its numbers count from the begin of a process.
            buckets: Whether the times that were given are those of the calls, and not of the file.
        """
        batch = Batch(
            source=source,
            digest=reading.digest,
            file=reading.name,
            cumulative=cumulative,
            records=self.records or reading.line,
        )
        return self.result(batch, buckets=buckets and not cumulative)

    def result(self, of: Batch, *, buckets: bool = True) -> Observed:
        """Return what was added up as a batch with the name of another."""
        final: dict[tuple[str, str], _Pair] = {}
        for (caller, callee), pair in self._pairs.items():
            key = (self._callers.final(caller), self._callees.final(callee))
            if key in final:
                final[key].take(pair)
            else:
                final[key] = pair
        timed = buckets and any(pair.cells for pair in final.values())
        batch = Batch(
            source=of.source,
            digest=of.digest,
            file=of.file,
            detail=_LADDER[self._rung] if timed else Detail.TOTALS,
            cumulative=of.cumulative,
            records=of.records,
            skipped=self._skips.count,
            observations=tuple(
                final[key].observation(*key, buckets=timed) for key in sorted(final)
            ),
        )
        return Observed(batch=batch, skips=self._skips.result())


class _Pair:
    """What was added up of one pair."""

    __slots__ = ("calls", "cells", "errors", "first", "last", "samples")

    def __init__(self) -> None:
        self.calls = self.errors = 0
        self.first, self.last = float("inf"), float("-inf")
        self.samples: set[str] = set()
        self.cells: dict[int, list[int]] = {}

    def widen(self, ratio: int) -> None:
        self.cells, before = {}, self.cells
        for number, (calls, errors) in before.items():
            self._put(number // ratio, calls, errors)

    def take(self, other: _Pair) -> None:
        self.calls += other.calls
        self.errors += other.errors
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.samples |= other.samples
        for number, (calls, errors) in other.cells.items():
            self._put(number, calls, errors)

    def _put(self, number: int, calls: int, errors: int) -> None:
        cell = self.cells.setdefault(number, [0, 0])
        cell[0] += calls
        cell[1] += errors

    def observation(self, caller: str, callee: str, *, buckets: bool) -> Observation:
        cells: Mapping[int, list[int]] = self.cells if buckets else {}
        return Observation(
            caller=caller,
            callee=callee,
            calls=max(self.calls, self.errors),  # a file may count failures alone
            errors=self.errors,
            first=_moment(self.first),
            last=_moment(self.last),
            sample=tuple(sorted(self.samples)[:MOST_SAMPLES]),
            buckets=tuple(Bucket(number, *cells[number]) for number in sorted(cells)),
        )


def _moment(seconds: float) -> datetime | None:
    """Return a time, of which parts of a second do not matter here."""
    if not 0 <= seconds < LATEST:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def _seconds(detail: Detail) -> int:
    width = detail.width
    return 0 if width is None else int(width.total_seconds())
