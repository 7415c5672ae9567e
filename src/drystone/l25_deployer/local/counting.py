"""Counts what the release that serves and the one that is tried do, for whoever decides about the rollout.

What is counted are attempts of proxies at instances: one that failed counts although another release then gave the answer.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.edge_clusters import canary_name
from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l10_engines.runtimes.port import LOG_NAME
from drystone.l25_deployer.held_words import Arm, Signals
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.local.tally import BOUNDS, Reading, Tally
from drystone.l25_deployer.local.witness import Seen, Witness, without_secrets

if TYPE_CHECKING:
    from drystone.l25_deployer.local.edge import Counted
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import Canary, ReleaseRecord
    from drystone.l25_deployer.local.running import RunningRelease

EVERY = timedelta(seconds=1)
"""How often counters are read: what a proxy had counted since is lost when it ends."""

MOST_SAID = 5
"""So many lines of a log are told beside a failure."""

CALLS = "dependency-errors"
"""What the metric of a release's own calls is called."""

NO_SIDECAR = "nothing stands between services here that could count their calls"
NO_DEPENDENCIES = "there is nothing to measure: neither release declares a service that it calls"
NOBODYS = (
    "calls that failed carry neither the trace nor the id of the request on that they are made for, so that nobody knows whose they are: pass"
    " x-request-id on"
)
LEAST_FAILED = 5
"""So many failed calls of which none is anybody's, and it is said."""
ONE_ADDRESS = (
    "both releases find their dependencies at the same addresses, since this one was brought up by an older platform: withdraw it,"
    " and deploy it again"
)

_SPOKEN = re.compile(r"\b(?:ERROR|FATAL|CRITICAL)\b")
_STRUCTURED = re.compile(
    r'"(?:level|severity|levelname)"\s*:\s*"(?:error|fatal|critical)"', re.IGNORECASE
)


class Counting:
    """Counts for one service, while it holds a release.

    Args:
        kept: The service.
    """

    def __init__(self, kept: KeptService) -> None:
        self._kept = kept
        self._reading = asyncio.Lock()
        self._tally: Tally | None = None
        self._task: asyncio.Task[None] | None = None
        self._witness = Witness(kept)
        self._said: deque[str] = deque(maxlen=MOST_SAID)
        """The latest lines of what is tried, since the last reading."""
        self._places: dict[str, int] = {}
        """How far each log was read, by instance."""
        self._errors: dict[str, int] = {}
        """Lines at the level error, by instance, since this agent reads."""

    async def begin(self) -> None:
        """Count from now on, for as long as something is held; or go on, where an earlier agent counted."""
        await self.leave()
        held = self._kept.record.canary
        if held is not None:
            with suppress(PlatformError, OSError):  # then the next reading is the first
                await self._read(held)
        name = f"count {self._kept.name}"
        self._task = asyncio.get_running_loop().create_task(self._go_on(), name=name)

    async def leave(self) -> None:
        """Stop counting; the next agent goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def tell(self, text: str) -> None:
        """Take note of something that went wrong with what is held."""
        held = self._kept.record.canary
        if held is not None:
            now = self._kept.machine.clock.now()
            self._tally = self._begun(held).told(f"{now:%H:%M:%S} {text}"[:500])

    async def signals(self, held: Canary) -> Signals:
        """Return what was counted up to now.

        Raises:
            PlatformError: A proxy does not answer.
        """
        tally = await self._read(held)
        at = (self._kept.machine.clock.now() - held.since).total_seconds()
        async with self._reading:  # users are counted in a thread
            witness = self._witness
            stable = witness.with_users(held, "stable", tally.stable)
            stable = witness.with_calls(held, "stable", stable)
            canary = witness.with_users(held, "canary", tally.canary)
            canary = witness.with_calls(held, "canary", canary)
        unknown = (
            {CALLS: why} if (why := self._unmeasured() or _nobodys(held, stable, canary)) else {}
        )
        return Signals(max(0.0, at), stable, canary, BOUNDS, tally.events, unknown, held.by)

    def _unmeasured(self) -> str | None:
        """Say why nothing is known of the calls that the releases make themselves; None where it is."""
        record = self._kept.record
        numbers = (record.active, record.canary.release if record.canary else None)
        releases = [self._kept.release(number) for number in numbers if number is not None]
        if not any(one.stacks.environment.dependencies for one in releases):
            return NO_DEPENDENCIES
        if not self._kept.machine.mesh.tells_callers_apart:
            return NO_SIDECAR
        return None if len({one.slot for one in releases}) == len(releases) else ONE_ADDRESS

    async def _go_on(self) -> None:
        while (held := self._kept.record.canary) is not None:
            with suppress(PlatformError, OSError):  # the next reading shows it all
                await self._read(held)
            await asyncio.sleep(EVERY.total_seconds())
        self._tally = None
        self._witness.forget()
        with suppress(OSError):
            self._kept.documents.forget_tally(self._kept.record)

    async def _read(self, held: Canary) -> Tally:
        async with self._reading:
            before = self._begun(held)
            counted = await self._kept.machine.edge.counted(self._kept.name)
            serving, tried = self._kept.active_release(), self._kept.release(held.release)
            stable = await self._of(serving, counted, is_canary=False)
            self._said.clear()
            canary = await self._of(tried, counted, is_canary=True)
            is_apart = self._unmeasured() is None
            told = await self._witness.look(
                held,
                stable=_seen(serving, is_apart=is_apart),
                canary=_seen(tried, is_apart=is_apart),
            )
            before = self._begun(held)  # something may have been told meanwhile
            tally = before.after(stable, canary, is_first=not before.read)
            failed = tally.canary.errors - before.canary.errors
            if failed and before.read:
                attempts = tally.canary.requests - before.canary.requests
                now = f"{self._kept.machine.clock.now():%H:%M:%S}"
                tally = tally.told(f"{now} {failed} of {attempts} attempts at it failed")
                tally = tally.told(*(f"{now} log: {line}" for line in self._said))
            tally = tally.told(*told) if told else tally
            if tally != before:
                with suppress(OSError):  # on a full disk it is kept in memory
                    self._kept.documents.save_tally(self._kept.record, tally)
            self._tally = tally
            return tally

    def _begun(self, held: Canary) -> Tally:
        tally = self._tally or self._kept.documents.tally(self._kept.record)
        is_same = tally is not None and (tally.key, tally.since) == (held.key, held.since)
        return tally if tally is not None and is_same else Tally(held.key, held.since)

    async def _of(
        self, release: ReleaseRecord | None, counted: Counted, *, is_canary: bool
    ) -> Reading:
        if release is None:
            return Reading()
        ports = _ports(release)
        hosts = {
            f"{proxy} {at}": n for (proxy, at, port), n in counted.hosts.items() if port in ports
        }
        tried = canary_name(self._kept.name)
        times = {
            f"{proxy} {cluster}": spread
            for (proxy, cluster), spread in counted.times.items()
            if (cluster == tried) == is_canary
        }
        running = self._kept.running.get(release.number)
        return Reading(
            answered={at: n.answered for at, n in hosts.items()},
            failed={at: n.failed for at, n in hosts.items()},
            times=times,
            restarts=_ends(running),
            calls=self._called(release, counted),
            log_errors=await asyncio.to_thread(self._logged, release, is_canary=is_canary),
        )

    def _called(self, release: ReleaseRecord, counted: Counted) -> dict[str, int]:
        """Return how many calls of a release went well, at the addresses that it alone has."""
        if self._unmeasured() is not None:
            return {}
        environment, service = self._kept.record.key
        address = self._kept.machine.mesh.address
        declared = release.stacks.environment.dependencies.items()
        callees = [f"{name}.{one.environment or environment}" for name, one in declared]
        ports = {one: address(environment, service, one, release.slot).port for one in callees}
        return {
            f"{proxy} {callee}": answered
            for (proxy, callee, port), answered in counted.calls.items()
            if ports.get(callee) == port
        }

    def _logged(self, release: ReleaseRecord, *, is_canary: bool) -> dict[str, int]:
        """Count lines at the level error, from where each log was when its reading began."""
        for one in release.instances:
            log = LogFile(self._kept.machine.instances / one.id / LOG_NAME)
            with suppress(OSError):
                if one.id not in self._places:
                    self._places[one.id], self._errors[one.id] = log.span()[1], 0
                for line in log.lines(self._places[one.id]):
                    if line.is_complete:
                        self._places[one.id] = line.end
                        self._errors[one.id] += is_error(line.text)
                        if is_canary and line.text.strip():
                            self._said.append(without_secrets(line.text))
        return {one.id: self._errors.get(one.id, 0) for one in release.instances}


def _nobodys(held: Canary, stable: Arm, canary: Arm) -> str | None:
    """Say that failed calls are known, but not of whom, where that is asked."""
    failed = stable.failed_calls + canary.failed_calls
    known = stable.users_in_failed_call + canary.users_in_failed_call
    return NOBODYS if held.by != "request" and failed >= LEAST_FAILED and not known else None


def _seen(release: ReleaseRecord | None, *, is_apart: bool) -> Seen:
    slot = release.slot if release is not None and is_apart else None
    return Seen(frozenset(_ports(release)), slot)


def _ports(release: ReleaseRecord | None) -> set[int]:
    found = () if release is None else release.instances
    return {one.port for one in found if one.port is not None}


def is_error(line: str) -> bool:
    """Tell whether a line of a log is at the level error or above: it says so in a field, or in capitals."""
    return bool(_STRUCTURED.search(line) or _SPOKEN.search(line))


def _ends(running: RunningRelease | None) -> dict[str, int]:
    """Count ends that nobody wanted; one that has not started again yet counts already."""
    return {
        one.blueprint.spec.id: one.restarts + (one.state is State.BACKING_OFF)
        for one in (running.instances if running else ())
    }
