"""A platform in memory: keeps the promises of DeployerApi without processes, engines or files.

What a descriptor should do to a deploy stands in the descriptor, under ``x-outcome``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import yaml
from typing_extensions import override

from drystone.l00_kernel.contract import Context, Page
from drystone.l25_deployer.api import (
    DependencyModel,
    DeployerApi,
    EngineView,
    ExecOutput,
    HistoryEvent,
    InstanceView,
    LogRecord,
    Outcome,
    PlanChange,
    PlanView,
    PlatformStatus,
    Progress,
    ReleaseView,
    ResourceView,
    ServiceSummary,
    ServiceView,
    Signals,
    Source,
    StandingView,
    StartupStep,
)
from drystone.l25_deployer.errors import (
    DeployAborted,
    DeployFailed,
    NoCanary,
    NoInstance,
    NothingToAbort,
    NothingToRollBackTo,
    PlanRefused,
    ServiceNotFound,
)

BEGAN = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


@dataclass
class Deployed:
    """One service as it stands."""

    name: str
    environment: str
    versions: list[str] = field(default_factory=list)
    active: int = 0
    resources: tuple[str, ...] = ()
    events: list[HistoryEvent] = field(default_factory=list)


class SmallPlatform(DeployerApi):
    """Serves the whole contract from memory.

    Args:
        home: What ``status`` gives as its home.
        stopped: Called when the platform was told to stop and has answered.
    """

    def __init__(self, home: str = "/home", stopped: Callable[[], None] = lambda: None) -> None:
        self.home = home
        self.port = 8400
        self.services_now: dict[tuple[str, str], Deployed] = {}
        self.aborting: dict[tuple[str, str], asyncio.Event] = {}
        self.engine_state = "running"
        self.problems: list[str] = []
        self.startup_steps = [
            StartupStep(10, "proxy", "starting", text="writing its configuration"),
            StartupStep(10, "proxy", "ready", 0.31),
            StartupStep(25, "deployer", "adopted", 0.05, "2 instances"),
        ]
        self._stopped = stopped

    @override
    async def status(self, ctx: Context) -> PlatformStatus:
        return PlatformStatus(
            version="0.1.0",
            home=self.home,
            url=f"http://localhost:{self.port}/",
            agent_pid=os.getpid(),
            since=datetime.now(UTC) - timedelta(hours=3),
            ready=not self.problems,
            runtime="processes",
            isolation=[
                "podman: enforced: files, processes, environment; not enforced: network",
                "processes: enforced: memory limit, processor limit, process limit; "
                "not enforced: files, processes, environment, privileges, network",
            ],
            engines=[
                EngineView(
                    "proxy", self.engine_state, "1.40.0", 4242, "127.0.0.1:8400", 48, 0, None
                ),
                EngineView(
                    "postgres",
                    "down",
                    "18.1",
                    None,
                    "run/postgres",
                    None,
                    3,
                    "exit code 1: disk full",
                ),
            ],
            startup=self.startup_steps,
            services=[self._summary(s) for s in self.services_now.values()],
            problems=self.problems,
        )

    @override
    async def startup(self, ctx: Context) -> AsyncIterator[StartupStep]:
        for step in self.startup_steps:
            yield step

    @override
    async def stop(self, ctx: Context, *, drain: bool = False) -> AsyncIterator[StartupStep]:
        for layer, name in ((25, "deployer"), (10, "proxy")):
            yield StartupStep(layer, name, "starting")
            yield StartupStep(layer, name, "ready", 0.02)
        self._stopped()

    @override
    async def plan(
        self, ctx: Context, *, source: Source, environment: str, version: str | None = None
    ) -> PlanView:
        wanted = yaml.safe_load(source.text)
        refuse = wanted.get("x-outcome") == "refused"
        return PlanView(
            service=wanted["service"],
            environment=environment,
            file=source.file,
            changes=[
                PlanChange("eternal", "resources.db", "add", new="postgres 18", line=4),
                PlanChange(
                    "eternal", "resources.old", "remove", "bucket", None, None, "DELETES DATA"
                ),
                PlanChange(
                    "deployment", "groups.web.instances", "change", "1", "2", 7, "new release"
                ),
            ],
            refused=["billing is not deployed in dev, and orders needs it\ndeploy billing first"]
            if refuse
            else [],
            confirm=["old"],
            not_yet=["service.yaml:9: alarms"],
            notes=["mail is soft: orders works without it"],
            runtime="processes",
        )

    @override
    async def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        confirm: list[str] | None = None,
        wait: bool = True,
        key: str | None = None,
        hold: bool = False,
        artifact: str | None = None,
    ) -> AsyncIterator[Progress]:
        wanted = yaml.safe_load(source.text)
        place = (environment, wanted["service"])
        service = self.services_now.get(place) or Deployed(wanted["service"], environment)
        number = len(service.versions) + 1
        if place in self.aborting:
            yield _progress("wait", "began", "for another deploy")
            while place in self.aborting:  # noqa: ASYNC110 - a stand-in may poll
                await asyncio.sleep(0.01)
            yield _progress("wait", "ended", "it has ended", 0.1)
        aborted = self.aborting[place] = asyncio.Event()
        try:
            if wanted.get("x-outcome") == "silent":
                await aborted.wait()
                raise DeployAborted(f"aborted; {_serves(service)}")
            yield _progress("build", "began", f"copying {source.folder}")
            yield _progress("build", "info", "3 files")
            yield _progress("build", "ended", "copied 3 files", 0.02)
            yield _progress("health", "began", "waiting for 1 of 2 instances")
            if wanted.get("x-outcome") == "fails":
                yield _progress("health", "failed", "web-1 never answered 200", 5.0)
                raise DeployFailed(f"{_serves(service)}\nlast answer: 503 no database")
            if wanted.get("x-outcome") == "hangs":
                await aborted.wait()
                raise DeployAborted(f"aborted; {_serves(service)}")
            if wanted.get("x-outcome") == "stuck":
                await asyncio.Event().wait()
            yield _progress("health", "ended", "2 instances are healthy", 0.4)
            service.versions.append(version or str(number))
            service.active = number
            service.resources = tuple(wanted.get("resources", ()))
            self.services_now[place] = service
            self._note(service, "deploy", f"release {number} serves")
            yield Progress(
                BEGAN, "done", "ended", f"{service.name} {service.versions[-1]} serves in {environment}",
                1.25, number, self._summary(service).url,
            )  # fmt: skip
        finally:
            del self.aborting[place]

    @override
    async def rollback(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        release: int | None = None,
        key: str | None = None,
    ) -> AsyncIterator[Progress]:
        found = self._find(environment, service)
        if found.active < 2:
            raise NothingToRollBackTo(f"{service} has no release before {found.active}")
        found.active -= 1
        self._note(found, "rollback", f"release {found.active} serves again")
        yield _progress("switch", "ended", f"release {found.active} takes the traffic", 0.01)
        yield _progress("done", "ended", _serves(found), 0.05)

    @override
    async def outcome(self, ctx: Context, *, environment: str, service: str, key: str) -> Outcome:
        return Outcome("unknown")

    @override
    async def shift(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        key: str,
        share: float,
        cohort: str = "request",
        header: str | None = None,
        by: str | None = None,
    ) -> None:
        raise NoCanary("nothing is held here")

    @override
    async def settle(
        self, ctx: Context, *, environment: str, service: str, key: str
    ) -> AsyncIterator[Progress]:
        raise NoCanary("nothing is held here")
        yield

    @override
    async def withdraw(
        self, ctx: Context, *, environment: str, service: str, key: str, reason: str
    ) -> AsyncIterator[Progress]:
        yield _progress("done", "info", "nothing is held here")

    @override
    async def signals(self, ctx: Context, *, environment: str, service: str, key: str) -> Signals:
        raise NoCanary("nothing is held here")

    @override
    async def abort(self, ctx: Context, *, environment: str, service: str) -> str:
        if (environment, service) not in self.aborting:
            raise NothingToAbort(f"no operation on {service} in {environment} is in progress")
        self.aborting[environment, service].set()
        return _serves(self.services_now.get((environment, service)))

    @override
    async def destroy(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        confirm: list[str] | None = None,
        final_backup: bool = True,
    ) -> AsyncIterator[Progress]:
        found = self._find(environment, service)
        missing = [name for name in found.resources if name not in (confirm or [])]
        if missing:
            raise PlanRefused(f"protected, name them to delete their data: {', '.join(missing)}")
        del self.services_now[environment, service]
        yield _progress("done", "ended", f"{service} is gone from {environment}", 0.1)

    @override
    async def dependencies(self, ctx: Context) -> DependencyModel:
        names = [f"{one.environment}/{one.name}" for one in self.services_now.values()]
        lines = [f"  {name}: {{owner: tests, needs: {{platform/proxy: hard}}}}" for name in names]
        survey = "\n".join(["components:", "  platform/proxy: {layer: 10}", *lines, ""])
        return DependencyModel(survey, [["platform/proxy"], *([names] if names else [])])

    @override
    async def services(
        self,
        ctx: Context,
        *,
        environment: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[ServiceSummary]:
        found = sorted(
            (s for s in self.services_now.values() if environment in (None, s.environment)),
            key=lambda s: (s.environment, s.name),
        )
        at = int(cursor or 0)
        end = at + min(limit, 2)  # small pages, so that a client that reads only one is found out
        after = str(end) if end < len(found) else None
        return Page([self._summary(s) for s in found[at:end]], after)

    @override
    async def show(self, ctx: Context, *, environment: str, service: str) -> ServiceView:
        found = self._find(environment, service)
        now = datetime.now(UTC)
        return ServiceView(
            summary=self._summary(found),
            releases=[
                ReleaseView(
                    number, version, "active" if number == found.active else "kept",
                    now - timedelta(hours=30), "ann", "sha256:0123456789ab",
                )
                for number, version in reversed(list(enumerate(found.versions, 1)))
            ],
            instances=[
                InstanceView(
                    f"{service}-{found.active}-web-{n}", "web", found.active, "healthy", 700 + n,
                    20000 + n, n - 1, now - timedelta(minutes=5), "signal 9" if n > 1 else None,
                )
                for n in (1, 2)
            ],
            resources=[ResourceView(name, "postgres", "18", "12 MB") for name in found.resources],
            dependencies=["billing (hard)", "mail (soft)"],
            operation="deploy of release 9: health" if (environment, service) in self.aborting else None,
            runtime="processes",
            problems=["web-2 was restarted once"],
        )  # fmt: skip

    @override
    async def standing(
        self, ctx: Context, *, environment: str, service: str, engines: bool = False
    ) -> StandingView | None:
        return None

    @override
    async def history(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[HistoryEvent]:
        events = self._find(environment, service).events[::-1]
        at = int(cursor or 0)
        end = at + min(limit, 2)
        return Page(events[at:end], str(end) if end < len(events) else None)

    @override
    async def logs(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        group: str | None = None,
        release: int | None = None,
        lines: int = 100,
        follow: bool = False,
        instance: str | None = None,
        since: datetime | None = None,
    ) -> AsyncIterator[LogRecord]:
        found = self._find(environment, service)
        instances = [1] if group == "worker" else [1, 2]
        for n in instances:
            name = f"{service}-{found.active}-web-{n}"
            for line in [f"line {i} of {n}" for i in range(1, 4)][-lines:]:
                yield LogRecord(name, found.active, line)
        if follow:
            yield LogRecord(f"{service}-{found.active + 1}-web-1", found.active + 1, "hello")
            await asyncio.Event().wait()

    @override
    async def execute(
        self, ctx: Context, *, environment: str, service: str, command: list[str]
    ) -> AsyncIterator[ExecOutput]:
        if (environment, service) not in self.services_now:
            raise NoInstance(f"{service} is not deployed in {environment}")
        yield ExecOutput(" ".join(command[1:]))
        yield ExecOutput("\n")
        yield ExecOutput(exit_code={"true": 0, "false": 1, "killed": -9}.get(command[0], 0))

    def _find(self, environment: str, service: str) -> Deployed:
        if (environment, service) not in self.services_now:
            raise ServiceNotFound(f"{service} is not deployed in {environment}")
        return self.services_now[environment, service]

    def _summary(self, service: Deployed) -> ServiceSummary:
        url = f"http://{service.name}.{service.environment}.localhost:{self.port}/"
        version = service.versions[service.active - 1] if service.active else None
        return ServiceSummary(
            service.name, service.environment, "commerce", "serving", version, service.active,
            "2/2", url,
        )  # fmt: skip

    def _note(self, service: Deployed, event: str, text: str) -> None:
        at = BEGAN + timedelta(minutes=len(service.events))
        version = service.versions[service.active - 1]
        service.events.append(HistoryEvent(at, "ann", event, text, service.active, version, 1.25))


def _progress(step: str, state: str, text: str, seconds: float | None = None) -> Progress:
    return Progress(BEGAN, step, state, text, seconds)  # type: ignore[arg-type]


def _serves(service: Deployed | None) -> str:
    if service is None or not service.active:
        return "nothing serves"
    version = service.versions[service.active - 1]
    return f"release {service.active}, version {version}, serves"
