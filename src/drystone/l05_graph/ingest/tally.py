"""Adding up calls while they stream by, in bounded memory.

What comes out is the same in whatever order the calls come: buckets become wider when there are too many of them, and a file
that needs wider ones needs them in any order.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime

import numpy as np

from drystone.l05_graph.evidence import MOST_SAMPLES, Batch, Bucket, Detail, Observation
from drystone.l05_graph.ingest.endpoints import Address, Endpoints
from drystone.l05_graph.ingest.reading import Reading
from drystone.l05_graph.ingest.source import Observed, Skips
from drystone.l05_graph.ingest.strangers import Strangers

MOST_PAIRS = 200_000
"""So many pairs are told apart in one file."""
MOST_SHOWN = 8
"""Of so many calls of a pair, the first in the file, an example is made."""
MOST_CELLS = 400_000
"""So many buckets are kept of one file before they become wider."""
_ERRORS = 96
"""Of a number that holds calls and errors, the bits from here on are the errors."""
_ROW = 34
"""Of a row, the bits from here on are the number of the pair."""
_SECOND = (1 << _ROW) - 1
MOST_WAITING = 1 << 18
"""So many calls wait before they are added up."""
_CALLS = (1 << _ERRORS) - 1
LATEST = 7_258_118_400.0
"""The begin of the year 2200, in seconds since 1970: a time behind it is a mistake."""

_LADDER = [detail for detail in Detail if detail.width is not None]


class Tally:
    """Adds up the calls of one file.

    Single calls with a time, of which there are millions, become one number each (:meth:`row`) and wait in :attr:`rows`; they are
    added up together, since adding each to what is known of its pair would fetch that from far away in memory every time.

    Args:
        skips: Where it is noted what could not be added.
        endpoints: Whose addresses are.
    """

    def __init__(self, skips: Skips, endpoints: Endpoints) -> None:
        self._skips = skips
        self._endpoints = endpoints
        self._callers, self._callees = Strangers(), Strangers()
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._every: list[Pair] = []
        self._dropped: dict[str, Pair] = {}
        self._rung = 0
        self._width = _seconds(_LADDER[0])
        self._cells = 0
        self.records = 0
        """How many records were added or skipped by a source that has no lines."""
        self.rows = array("q")
        """Calls that wait: the row of a pair, plus twice the second, plus one for a call that failed."""
        self.wanted: dict[int, int] = {}
        """The rows of pairs that want examples, and how many."""

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
        pair = self._pair(caller, callee)
        if sample:
            self.show(pair.row, sample)
        if pair.reason:
            self._skips.add(pair.reason, count=calls)
            return
        pair.calls += calls
        pair.errors += errors
        if at is not None:
            pair.first, pair.last = min(pair.first, at), max(pair.last, at)
            self._fill(pair, int(at // self._width), calls + (errors << _ERRORS))

    def row(self, caller: str, callee: str) -> int:
        """Return the number to which a second and a failure are added for :attr:`rows`; see there."""
        return self._pair(caller, callee).row

    def show(self, row: int, sample: str) -> None:
        """Take an example of a pair's calls; of the first few, since making one takes longer than reading a line."""
        left = self.wanted.get(row, 0)
        if left:
            self._every[row >> _ROW].samples.add(sample)
            self.wanted[row] = left - 1
            if left == 1:
                del self.wanted[row]

    def _pair(self, caller: str, callee: str) -> Pair:
        pair = self._pairs.get((caller, callee))
        if pair is not None:
            return pair
        if caller == callee:
            return self._drop("a component called itself")
        if len(self._pairs) >= MOST_PAIRS:
            return self._drop(f"there are more than {MOST_PAIRS:,} pairs; divide the file")
        pair = self._pairs[caller, callee] = self._new("")
        self.wanted[pair.row] = MOST_SHOWN
        return pair

    def _drop(self, reason: str) -> Pair:
        if reason not in self._dropped:
            self._dropped[reason] = self._new(reason)
        return self._dropped[reason]

    def _new(self, reason: str) -> Pair:
        pair = Pair(len(self._every) << _ROW, reason)
        self._every.append(pair)
        return pair

    def settle(self) -> None:
        """Add up what waits, if it is much."""
        if len(self.rows) >= MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        """Add up what waits: sorted, the calls of a pair and a bucket stand together."""
        if not self.rows:
            return
        rows = np.sort(np.frombuffer(self.rows, np.int64))
        self.rows = array("q")
        numbers, seconds = rows >> _ROW, (rows & _SECOND) >> 1
        buckets = seconds // self._width
        is_begin = np.ones(len(rows), np.bool_)
        is_begin[1:] = (numbers[1:] != numbers[:-1]) | (buckets[1:] != buckets[:-1])
        begins = np.flatnonzero(is_begin)
        calls = np.diff(np.append(begins, len(rows)))
        errors = np.add.reduceat(rows & 1, begins)
        width = self._width
        for number, bucket, first, last, count, failed in zip(
            numbers[begins].tolist(),
            buckets[begins].tolist(),
            seconds[begins].tolist(),
            seconds[begins + calls - 1].tolist(),
            calls.tolist(),
            errors.tolist(),
            strict=True,
        ):
            pair = self._every[number]
            if pair.reason:
                self._skips.add(pair.reason, count=count)
                continue
            pair.calls += count
            pair.errors += failed
            pair.first, pair.last = min(pair.first, first), max(pair.last, last)
            # Buckets may have become wider meanwhile.
            self._fill(pair, bucket * width // self._width, count + (failed << _ERRORS))

    def _fill(self, pair: Pair, number: int, cell: int) -> None:
        before = pair.cells.get(number, 0)
        pair.cells[number] = before + cell
        if not before:
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
        self._settle()
        final: dict[tuple[str, str], Pair] = {}
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


class Pair:
    """What was added up of one pair.

    Args:
        row: Its number, as rows have it.
        reason: Why nothing is added up of it; empty usually.
    """

    __slots__ = ("calls", "cells", "errors", "first", "last", "reason", "row", "samples")

    def __init__(self, row: int, reason: str) -> None:
        self.row, self.reason = row, reason
        self.calls = self.errors = 0
        self.first, self.last = float("inf"), float("-inf")
        self.samples: set[str] = set()
        self.cells: dict[int, int] = {}
        """Calls and errors by number of bucket, in one number each: the collector of garbage has nothing to look at."""

    def widen(self, ratio: int) -> None:
        """Put buckets together, so many to one."""
        self.cells, before = {}, self.cells
        for number, cell in before.items():
            self._put(number // ratio, cell)

    def take(self, other: Pair) -> None:
        """Add up what was added up elsewhere."""
        self.calls += other.calls
        self.errors += other.errors
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.samples |= other.samples
        for number, cell in other.cells.items():
            self._put(number, cell)

    def _put(self, number: int, cell: int) -> None:
        self.cells[number] = self.cells.get(number, 0) + cell

    def observation(self, caller: str, callee: str, *, buckets: bool) -> Observation:
        """Return what was added up."""
        cells = sorted(self.cells.items()) if buckets else ()
        return Observation(
            caller=caller,
            callee=callee,
            calls=max(self.calls, self.errors),  # a file may count failures alone
            errors=self.errors,
            first=_moment(self.first),
            last=_moment(self.last),
            sample=tuple(sorted(self.samples)[:MOST_SAMPLES]),
            buckets=tuple(Bucket(number, cell & _CALLS, cell >> _ERRORS) for number, cell in cells),
        )


def _moment(seconds: float) -> datetime | None:
    """Return a time, of which parts of a second do not matter here."""
    if not 0 <= seconds < LATEST:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def _seconds(detail: Detail) -> int:
    width = detail.width
    return 0 if width is None else int(width.total_seconds())
