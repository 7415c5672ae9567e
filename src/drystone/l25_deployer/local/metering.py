"""What the instances of a group use and are asked, as means over the last few seconds."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.proxy.edge_clusters import away_name, canary_name
from drystone.l25_deployer.local.tally import BOUNDS
from drystone.l25_deployer.scaling.decision import Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drystone.l10_engines.runtimes.port import Usage
    from drystone.l25_deployer.local.edge import Counted
    from drystone.l25_deployer.local.instances import KeptInstance
    from drystone.l25_deployer.stacks.model import Group
    from drystone.l25_deployer.stacks.scaling import Scaling

SPAN_S = 3.0
"""Over so long means are taken: one odd second is not yet a load."""

TIMES_SPAN_S = 11.0
"""The same of times, which a proxy brings up to date every five seconds."""

_OF_OTHERS = (canary_name(""), away_name(""))
"""How clusters end that are not those of the release that serves."""

SLOWEST = 0.95
LATENCY_FACTOR = 2.0


class Sample(msgspec.Struct, frozen=True):
    """What was seen at one moment.

    Attributes:
        at: Seconds of a monotonic clock.
        used: CPU seconds of each healthy instance, by its id and process.
        memory: Bytes of each.
        asked: Requests to each address so far, by proxy; None where no proxy told.
        times: Of how many answers each took no longer than each bound, by proxy and cluster; None likewise.
    """

    at: float
    used: Mapping[tuple[str, int], float]
    memory: Mapping[str, int]
    asked: Mapping[str, int] | None = None
    times: Mapping[str, tuple[int, ...]] | None = None


async def sample(at: float, instances: Sequence[KeptInstance], counted: Counted | None) -> Sample:
    """Look at the instances that are healthy.

    Args:
        at: Seconds of a monotonic clock.
        instances: Those that are healthy.
        counted: What the proxies have counted; None where that is not known.
    """
    usages = await asyncio.to_thread(_usages, instances)
    ports = {one.blueprint.port for one in instances}
    asked = times = None
    if counted is not None:
        asked = {
            f"{proxy} {where}": n.answered + n.failed
            for (proxy, where, port), n in counted.hosts.items()
            if port in ports
        }
        times = {
            f"{proxy} {cluster}": spread
            for (proxy, cluster), spread in counted.times.items()
            if not cluster.endswith(_OF_OTHERS)
        }
    return Sample(
        at=at,
        used={(id_, pid): usage.cpu.total_seconds() for id_, pid, usage in usages},
        memory={id_: usage.memory for id_, _, usage in usages},
        asked=asked,
        times=times,
    )


def _usages(instances: Iterable[KeptInstance]) -> list[tuple[str, int, Usage]]:
    found = []
    for one in instances:
        pid, usage = one.pid, one.usage()
        if pid is not None and usage is not None and usage.processes:
            found.append((one.blueprint.spec.id, pid, usage))
    return found


class Meter:
    """Keeps the samples of one group that are needed, and tells what they mean."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def note(self, one: Sample) -> None:
        """Add a sample, and forget those that are too old."""
        self._samples.append(one)
        while len(self._samples) > 2 and one.at - self._samples[1].at >= TIMES_SPAN_S:
            self._samples.popleft()

    def measured(self) -> frozenset[str]:
        """Return the instances of which at least two samples tell."""
        before, last = self._span(SPAN_S)
        if before is None or last is None:
            return frozenset()
        return frozenset(id_ for id_, _ in last.used.keys() & before.used.keys())

    def _span(self, seconds: float) -> tuple[Sample | None, Sample | None]:
        """Return the last sample and the oldest one before it that is not older than this."""
        if len(self._samples) < 2:
            return None, None
        last = self._samples[-1]
        known = {id_ for id_, _ in last.used}
        young = [one for one in self._samples if 0 < last.at - one.at <= seconds]
        for one in young:  # one that came a moment ago must not be left out for it
            if known <= {id_ for id_, _ in one.used}:
                return one, last
        return (young[-1] if young else self._samples[-2]), last

    def metrics(
        self, group: Group, scaling: Scaling, waiting: Mapping[str, int | None]
    ) -> list[Metric]:
        """Return what each aim is about, as it is now.

        Args:
            group: What one instance may use.
            scaling: The aims.
            waiting: Messages in each queue that is aimed at; None where nobody knows.
        """
        found = [self._cpu(group, scaling)]
        if scaling.memory is not None:
            found.append(self._memory(group, scaling.memory))
        if scaling.requests is not None:
            found.append(self._requests(scaling.requests))
        if scaling.latency is not None:
            found.append(self._latency(scaling.latency.total_seconds()))
        count = len(self.measured())
        for name, aim in scaling.queues.items():
            depth = waiting.get(name)
            value = depth / count if depth is not None and count else None
            text = f"queue {name} {depth} of {aim} each"
            found.append(Metric(f"queue {name}", aim, value, text))
        return found

    def _cpu(self, group: Group, scaling: Scaling) -> Metric:
        before, last = self._span(SPAN_S)
        value = None
        if before is not None and last is not None:
            rates = [
                max(0.0, last.used[who] - before.used[who]) / (last.at - before.at) / group.cpu
                for who in last.used.keys() & before.used.keys()
            ]
            value = sum(rates) / len(rates) if rates else None
        return Metric(
            "cpu", scaling.cpu, value, f"cpu {_percent(value)} of {_percent(scaling.cpu)}", 1.0
        )

    def _memory(self, group: Group, aim: float) -> Metric:
        last = self._samples[-1].memory if self._samples else {}
        value = sum(last.values()) / len(last) / group.memory if last else None
        return Metric("memory", aim, value, f"memory {_percent(value)} of {_percent(aim)}", 1.0)

    def _requests(self, aim: float) -> Metric:
        before, last = self._span(SPAN_S)
        value = None
        count = len(self.measured())
        if count and before is not None and last is not None:
            risen = _risen(before.asked, last.asked)
            value = None if risen is None else risen / (last.at - before.at) / count
        said = "unknown" if value is None else f"{value:.3g}/s"
        return Metric("requests", aim, value, f"requests {said} of {aim:.3g}/s each")

    def _latency(self, aim: float) -> Metric:
        before, last = (
            (self._samples[0], self._samples[-1]) if len(self._samples) > 1 else (None, None)
        )
        value = None
        if before is not None and last is not None:
            value = slow_answers(before.times, last.times)
        said = "unknown" if value is None else f"{value * 1000:.3g} ms"
        return Metric(
            "latency",
            aim,
            value,
            f"latency {said} of {aim * 1000:.3g} ms",
            most=LATENCY_FACTOR,
        )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share * 100:.0f} %"


def _risen(before: Mapping[str, int] | None, after: Mapping[str, int] | None) -> int | None:
    """Return by how much counters rose together; one that fell, or is new, began at zero."""
    if before is None or after is None:
        return None
    return sum(
        count - before.get(name, 0) if count >= before.get(name, 0) else count
        for name, count in after.items()
    )


def slow_answers(
    before: Mapping[str, tuple[int, ...]] | None, after: Mapping[str, tuple[int, ...]] | None
) -> float | None:
    """Return the time in seconds within which 95 of 100 answers were given; 0 where there were none, None where unknown.

    Args:
        before: How many answers took no longer than each of :data:`~drystone.l25_deployer.local.tally.BOUNDS`, and all last.
        after: The same, later.
    """
    if before is None or after is None:
        return None
    zero = (0,) * (len(BOUNDS) + 1)
    sums = [0] * (len(BOUNDS) + 1)
    for name, counts in after.items():
        earlier = before.get(name, zero)
        if counts[-1] < earlier[-1]:
            earlier = zero
        sums = [whole + max(0, b - a) for whole, a, b in zip(sums, earlier, counts, strict=True)]
    if not sums[-1]:
        return 0.0
    wanted = SLOWEST * sums[-1]
    if sums[0] >= wanted:
        return BOUNDS[0] * wanted / sums[0]
    for (low, high), (under, upto) in zip(pairwise(BOUNDS), pairwise(sums[:-1]), strict=True):
        if upto >= wanted:
            return low + (high - low) * (wanted - under) / (upto - under)
    return BOUNDS[-1]
