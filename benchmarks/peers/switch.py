"""The same switch, by Drystone and by others: from one version of a service to the next under load."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from statistics import median
from typing import NamedTuple

import msgspec
from benchmarks.peers.changes import ByProxy, Change, change, ended, lacking
from benchmarks.peers.programs import find, missing
from benchmarks.peers.proxies import PROXIES
from benchmarks.peers.stage import stage
from benchmarks.stand import SERVER, table

from drystone.testing.load import Load, Outcome, Report, run
from drystone.testing.python_image import python_image

RATE = 200
SLOW_RATE = 10
QUIET = timedelta(seconds=0.5)
"""The switch is over when no answer of the version before came for so long."""

SLOW_DRAIN = timedelta(seconds=2)
"""Where requests of 1.5 s are under way, the instance before is left for so long; Drystone drains as long."""

LIMIT = timedelta(seconds=30)
LONGEST = timedelta(minutes=5)
_BY_PROXY = {kind.name: kind for kind in PROXIES}
_WHOLE = ("drystone-processes", "gunicorn", "compose")


class Switched(NamedTuple):
    """One switch, in seconds from the start of its command: when it ended, when the last old answer was there."""

    command: float
    last_old: float


class Measured(msgspec.Struct):
    """What became of one way in all rounds."""

    name: str
    switches: list[Switched] = []
    reports: list[Report] = []
    slow: list[Report] = []
    trouble: str = ""


class _Watch:
    """Knows when each version answered last."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.last: dict[str, float] = {}

    def observe(self, outcome: Outcome) -> None:
        if outcome.version:
            self.last[outcome.version] = self._loop.time()

    async def settled(self, old: str, new: str) -> None:
        """Return when the new version answers and the old one has not for a while."""
        async with asyncio.timeout(LIMIT.total_seconds()):
            while (  # noqa: ASYNC110 - every answer changes it
                new not in self.last
                or self._loop.time() - self.last.get(old, 0) < QUIET.total_seconds()
            ):
                await asyncio.sleep(0.02)


async def switches(count: int) -> str:
    """Switch from version to version while requests arrive."""
    return await _measured(count, slow=False)


async def in_flight(count: int) -> str:
    """The same while requests that take a second and a half are under way, half as often."""
    return await _measured(max(1, count // 2), slow=True)


async def _measured(count: int, *, slow: bool) -> str:
    """Measure each way in turn, in two rounds; in the second the other way round."""
    names = [*_BY_PROXY, *_WHOLE]
    found = {name: Measured(name) for name in names}
    with_podman = find("podman") is not None
    async with AsyncExitStack() as whole:
        image = whole.enter_context(python_image(SERVER)) if with_podman else ""
        for order in (names, names[::-1]):
            for name in order:
                proxy = _BY_PROXY.get(name)
                found[name].trouble = missing(proxy.needs) if proxy else lacking(name)
                if found[name].trouble:
                    continue
                try:
                    async with _way(name, image) as way:
                        found[name].name = way.name
                        await _round(way, found[name], count=count, slow=slow)
                except (RuntimeError, TimeoutError) as e:
                    found[name].trouble = f"gave up: {type(e).__name__}"
                    print(f"{name}: {e}", file=sys.stderr)
    return _shown(found, count=2 * count, slow=slow)


@asynccontextmanager
async def _way(name: str, image: str) -> AsyncIterator[Change]:
    if name in _BY_PROXY:
        async with stage() as on, ended(ByProxy(on, _BY_PROXY[name](on))) as way:
            yield way
    else:
        async with change(name, image) as way:
            yield way


async def _round(way: Change, found: Measured, *, count: int, slow: bool) -> None:
    await way.start("v0")
    watch, enough = _Watch(), asyncio.Event()
    loads = [Load(url=way.url, rate=RATE, length=LONGEST)]
    if slow:
        loads.append(Load(url=f"{way.url}slow", rate=SLOW_RATE, length=LONGEST))
    running = [
        asyncio.create_task(run(load, stop=enough, observe=None if at else watch.observe))
        for at, load in enumerate(loads)
    ]
    try:
        async with asyncio.timeout(LIMIT.total_seconds()):
            while "v0" not in watch.last:  # noqa: ASYNC110 - the first answer ends it
                await asyncio.sleep(0.02)
        for number in range(count):
            found.switches.append(await _switch(way, watch, number))
            if slow:
                await asyncio.sleep(SLOW_DRAIN.total_seconds())
            await way.retire()
    finally:
        enough.set()
        reports = await asyncio.gather(*running)
    found.reports.append(reports[0])
    found.slow += reports[1:]


async def _switch(way: Change, watch: _Watch, number: int) -> Switched:
    loop = asyncio.get_running_loop()
    old, new = f"v{number}", f"v{number + 1}"
    await way.prepare(new)
    begun = loop.time()
    await way.switch(new)
    command = loop.time() - begun
    await watch.settled(old, new)
    return Switched(command, max(0.0, watch.last[old] - begun))


def _shown(found: dict[str, Measured], *, count: int, slow: bool) -> str:
    rows: list[list[str | int]] = []
    for one in found.values():
        if not one.reports:
            rows.append([one.name, one.trouble, *[""] * (5 if slow else 4)])
            continue
        requests = sum(len(report.outcomes) for report in one.reports)
        failed = sum(len(report.failed) for report in one.reports)
        p99 = max(report.latency(0.99) or timedelta() for report in one.reports)
        rows.append(
            [
                f"{one.name} ({one.trouble})" if one.trouble else one.name,
                requests,
                failed,
                *([_of_slow(one.slow)] if slow else []),
                _ms([switched.command for switched in one.switches]),
                _ms([switched.last_old for switched in one.switches]),
                f"{p99 / timedelta(milliseconds=1):.0f} ms",
            ]
        )
    title = f"{count} switches at {RATE} requests/s, half over new connections"
    if slow:
        title += f", and {SLOW_RATE} requests/s that take 1.5 s"
    columns = ["by", "requests", "failed", *(["1.5 s requests failed"] if slow else [])]
    return table(title, [*columns, "command", "last old answer", "p99"], rows)


def _of_slow(reports: list[Report]) -> str:
    failed = sum(len(report.failed) for report in reports)
    return f"{failed} of {sum(len(report.outcomes) for report in reports)}"


def _ms(seconds: list[float]) -> str:
    low, middle, high = (1000 * f(seconds) for f in (min, median, max))
    return f"{middle:.0f} ms ({low:.0f} to {high:.0f})"
