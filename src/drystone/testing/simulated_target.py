"""A target that only writes down what it would do: in memory, or in a file that outlives the process.

For tests and benchmarks of what drives targets. Operations take as long as they are told, fail where they are told, and are found
again by their key; killing the process between two steps of one leaves the file as a killed deployer would leave its documents.
"""

# ruff: noqa: S101 - a stand-in of tests
from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.context import Context
from drystone.l00_kernel.errors import Unavailable
from drystone.l25_deployer.api import PlanView, Progress, Source
from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.errors import DeployFailed, DescriptorRefused, ReleaseNotFound
from drystone.l50_orchestrator.target import Arm, Doing, Outcome, Present, Signals, Standing, Target

STEPS = ("check", "resources", "build", "start", "health", "smoke")
"""What a deploy goes through before it gets traffic."""

BOUNDS = tuple(timedelta(milliseconds=ms) for ms in (10, 30, 100, 300, 1000))

Fault = Literal["", "fails", "away", "slow", "other"]


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What is called of a service while a rollout goes on; exact numbers, no chance.

    Attributes:
        rate: Requests a second, of both releases together.
        stable: Share of the requests that the release before answers with an error.
        canary: The same of the new one.
        speed: How much faster time passes for the target than for everybody else.
    """

    rate: float = 50.0
    stable: float = 0.0
    canary: float = 0.0
    speed: float = 1.0


class Held(msgspec.Struct):
    """A release beside the one that serves."""

    key: str
    release: int
    share: float = 0.0
    asked: float = 0.0
    counted: tuple[float, float] = (0.0, 0.0)
    """Requests of stable and canary, up to ``at``."""
    at: float = 0.0


class Operation(msgspec.Struct):
    """What is done under one key, and how far it has come."""

    state: Literal["running", "holding", "serving", "failed", "withdrawn"] = "running"
    release: int = 0
    done: int = 0
    hold: bool = False
    detail: str = ""
    began: int = 0
    """How often somebody took it up: once, unless that one was killed."""


class Run(msgspec.Struct):
    """A release of the target."""

    number: int
    version: str
    key: str
    artefact: str


class Kept(msgspec.Struct):
    """A service in an environment."""

    releases: list[Run] = []
    active: int = 0
    held: Held | None = None
    operations: dict[str, Operation] = {}
    serving: list[str] = []
    """Keys in the order in which they took all traffic; each way back is one of its own."""


class SimulatedTarget(Target):
    """A target without anything behind it.

    Args:
        file: Where it is written down; in memory alone when None.
        step: How long each step takes.
        traffic: What is called meanwhile.
        keep: Of how many releases operations are remembered, of each service.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        step: timedelta = timedelta(),
        traffic: Traffic | None = None,
        keep: int = 50,
    ) -> None:
        self._file = file
        self._step = step.total_seconds()
        self.traffic = traffic or Traffic()
        self._keep = keep
        self.kept: dict[str, Kept] = {}
        self.faults: dict[str, Fault] = {}
        """By version: ``fails`` in its health check; ``away`` once at its start; ``other`` code than elsewhere."""
        self.is_away = False
        self._locks: dict[str, asyncio.Lock] = {}
        if file is not None and file.exists():
            self.kept = msgspec.json.decode(file.read_bytes(), type=dict[str, Kept])

    def service(self, environment: str, service: str) -> Kept:
        """Return what there is of a service."""
        return self.kept.setdefault(f"{environment}/{service}", Kept())

    @override
    async def plan(self, ctx: Context, source: Source, environment: str, version: str) -> PlanView:
        self._reached()
        reading = read(source.text, file=source.file)
        if reading.descriptor is None:
            raise DescriptorRefused(reading.report())
        return PlanView(
            reading.descriptor.service, environment, source.file, [], [], [], [], [], "simulated"
        )

    @override
    async def deploy(
        self,
        ctx: Context,
        key: str,
        source: Source,
        environment: str,
        version: str,
        *,
        hold: bool,
        confirm: tuple[str, ...] = (),
        artefact: str = "",
    ) -> AsyncIterator[Progress]:
        self._reached()
        found = read(source.text, file=source.file).descriptor
        assert found is not None
        one = self.service(environment, found.service)
        async with self._lock(f"{environment}/{found.service}"):
            operation = self._operation(one, key, hold=hold)
            if operation.release == 0:
                operation.release = max((run.number for run in one.releases), default=0) + 1
                code = f"{source.folder}\0{version}"
                if self.faults.get(version) == "other":
                    code += environment
                digest = f"sha256:{hashlib.sha256(code.encode()).hexdigest()}"
                one.releases.append(Run(operation.release, version, key, digest))
                self._save()
            if self.faults.get(version) == "away":
                del self.faults[version]
                raise Unavailable("the simulated target is away")
            while operation.state == "running" and operation.done < len(STEPS):
                step = STEPS[operation.done]
                yield _told(step, "began", operation.release)
                if self._step:
                    await asyncio.sleep(self._step)
                if operation.state != "running":
                    break
                if step == "health" and self.faults.get(version) == "fails":
                    self._end(one, operation, "failed", "not healthy: connection refused")
                    raise DeployFailed(f"{found.service} {version}: {operation.detail}")
                built = next(r.artefact for r in one.releases if r.number == operation.release)
                if step == "build" and artefact not in {"", built}:
                    self._end(one, operation, "failed", "its folder has changed")
                    raise DeployFailed(f"{found.service} {version}: {operation.detail}")
                operation.done += 1
                self._save()
                yield _told(step, "ended", operation.release)
            if operation.state == "running":
                self._up(one, key, operation)
            yield _told("done", "ended", operation.release)

    @override
    async def outcome(self, environment: str, service: str, key: str) -> Outcome:
        self._reached()
        one = self.service(environment, service)
        found = one.operations.get(key)
        if found is None:
            return Outcome("unknown")
        artefacts = [run.artefact for run in one.releases if run.number == found.release]
        return Outcome(found.state, found.release, found.detail, "".join(artefacts))

    @override
    async def present(self, environment: str, service: str | None = None) -> list[Present]:
        self._reached()
        found = []
        for name, one in self.kept.items():
            where, _, called = name.partition("/")
            if where != environment or service not in {None, called} or not one.active:
                continue
            run = next(run for run in one.releases if run.number == one.active)
            key = one.serving[-1] if one.serving else run.key
            found.append(Present(called, run.number, run.version, key, run.artefact))
        return found

    @override
    async def standing(
        self, environment: str, service: str, *, engines: bool = False
    ) -> Standing | None:
        for one in await self.present(environment, service):
            kept = self.service(environment, service)
            return Standing(
                release=one.release,
                version=one.version,
                key=one.key,
                artefact=one.artefact,
                shares={one.release: 1.0},
                kept=tuple(run.number for run in kept.releases),
                is_busy=kept.held is not None,
            )
        return None

    @override
    async def last_doing(self, environment: str, service: str) -> Doing | None:
        self._reached()
        return None

    @override
    async def shift(
        self,
        environment: str,
        service: str,
        key: str,
        *,
        share: float,
        cohort: str,
        header: str | None,
        by: str = "request",
    ) -> None:
        self._reached()
        held = self.service(environment, service).held
        if held is not None and held.key == key:
            self._count(held)
            held.share = share
            self._save()

    @override
    async def settle(
        self, ctx: Context, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        self._reached()
        one = self.service(environment, service)
        operation = one.operations[key]
        yield _told("switch", "began", operation.release)
        if operation.state == "holding":
            if self._step:
                await asyncio.sleep(self._step)
            one.held = None
            self._serve(one, key, operation)
        yield _told("switch", "ended", operation.release)

    @override
    async def withdraw(
        self, ctx: Context, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        self._reached()
        one = self.service(environment, service)
        operation = one.operations.setdefault(key, Operation())
        yield _told("withdraw", "began", operation.release)
        if operation.state in {"running", "holding"}:
            if self._step:
                await asyncio.sleep(self._step)
            one.held = None
            self._end(one, operation, "withdrawn", reason)
        yield _told("withdraw", "ended", operation.release)

    @override
    async def signals(self, environment: str, service: str, key: str) -> Signals:
        self._reached()
        held = self.service(environment, service).held
        if held is None or held.key != key:
            return Signals(timedelta(), Arm(), Arm())
        self._count(held)
        stable, canary = held.counted
        at = timedelta(seconds=held.at - held.asked)
        bad = _arm(canary, self.traffic.canary)
        events = tuple(f"GET / answered 500, the {n}th" for n in range(1, min(bad.errors, 20) + 1))
        return Signals(at, _arm(stable, self.traffic.stable), bad, BOUNDS, events)

    @override
    async def roll_back(
        self, ctx: Context, key: str, environment: str, service: str, release: int
    ) -> AsyncIterator[Progress]:
        self._reached()
        one = self.service(environment, service)
        async with self._lock(f"{environment}/{service}"):
            if not any(run.number == release for run in one.releases):
                raise ReleaseNotFound(f"{service} has no release {release}")
            operation = self._operation(one, key, hold=False)
            operation.release = release
            yield _told("switch", "began", release)
            if self._step:
                await asyncio.sleep(self._step)
            if operation.state == "running":
                self._serve(one, key, operation)
            yield _told("done", "ended", release)

    @override
    async def destroy(
        self, ctx: Context, environment: str, service: str, confirm: tuple[str, ...]
    ) -> AsyncIterator[Progress]:
        self._reached()
        async with self._lock(f"{environment}/{service}"):
            if self.kept.pop(f"{environment}/{service}", None) is not None:
                self._save()
                yield _told("done", "ended", 0)

    def _operation(self, one: Kept, key: str, *, hold: bool) -> Operation:
        operation = one.operations.setdefault(key, Operation(hold=hold))
        if operation.state == "running":
            operation.began += 1
            self._save()
        while len(one.operations) > self._keep:
            del one.operations[next(iter(one.operations))]
        return operation

    def _up(self, one: Kept, key: str, operation: Operation) -> None:
        if operation.hold and one.active:
            now = self._now()
            one.held = Held(key, operation.release, asked=now, at=now)
            operation.state = "holding"
            self._save()
        else:
            self._serve(one, key, operation)

    def _serve(self, one: Kept, key: str, operation: Operation) -> None:
        one.active = operation.release
        one.serving = [*one.serving, key][-self._keep :]
        self._end(one, operation, "serving", "")
        kept = {run.number for run in one.releases[-self._keep :]} | {one.active}
        one.releases = [run for run in one.releases if run.number in kept]

    def _end(
        self,
        one: Kept,
        operation: Operation,
        state: Literal["serving", "failed", "withdrawn"],
        detail: str,
    ) -> None:
        operation.state, operation.detail = state, detail
        self._save()

    def _save(self) -> None:
        if self._file is not None:
            write_atomically(self._file, msgspec.json.encode(self.kept))

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _reached(self) -> None:
        if self.is_away:
            raise Unavailable("the simulated target is away")

    def _now(self) -> float:
        return datetime.now(UTC).timestamp() * self.traffic.speed

    def _count(self, held: Held) -> None:
        now = self._now()
        all_of = max(0.0, now - held.at) * self.traffic.rate
        stable, canary = held.counted
        held.counted = (stable + all_of * (1 - held.share), canary + all_of * held.share)
        held.at = max(held.at, now)


def _arm(requests: float, bad: float) -> Arm:
    whole = math.floor(requests)
    errors = math.floor(requests * bad)
    classes = len(BOUNDS) + 1
    times = [whole * part // 100 for part in (50, 30, 15, 4, 1)]
    return Arm(
        requests=whole,
        errors=min(errors, whole),
        times=(*times, 0)[:classes],
    )


def _told(step: str, state: Literal["began", "ended", "failed"], release: int) -> Progress:
    return Progress(datetime.now(UTC), step, state, f"{step} {state}", release=release or None)
