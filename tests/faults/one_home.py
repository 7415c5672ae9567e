"""One home and its successive agents, and what must be true of it whenever nothing is being done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.atomic import PARTIAL
from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.l25_deployer.api import DeployerApi, HistoryEvent, ServiceView
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
from drystone.l25_deployer.operations.api import OperationsApi
from drystone.l25_deployer.stacks.model import Volume
from faults.held_engines import held_in_engines
from faults.kinds import VOLUMES, Kind
from l25_deployer.agents import client_of, start_agent, until_it_listens
from l25_deployer.small_platform import ASKING, ask, folder_of, source

ENVIRONMENT = "dev"
PATIENCE_S = 60

SERVER = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process of a container has to
if sys.argv[1] == "tick":
    time.sleep(3600)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listening.accept()
    asked = connection.recv(65536).decode("latin-1").split(" ")[1:2]
    status = "500 Broken" if asked == ["/broken"] else "200 OK"
    body = "release " + os.environ["DRYSTONE_RELEASE"]
    connection.sendall(f"HTTP/1.1 {status}\\r\\nContent-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n{body}".encode())
    connection.close()
"""
"""Answers with its release, and badly at ``/broken``."""

KEEP_WARM = "keep_warm: 10m"
CHOOSES = "x-release"
"""Header in which a request chooses a release while one is held."""


def descriptor(
    name: str, kind: Kind, image: str, *, resources: str, deploy: str, smoke: str
) -> str:
    """Write the descriptor of a small service that has all that a deploy looks after."""
    command = f'command: [{kind.program}, "${{port}}"]'
    runs = f"image: {image}\n{command}" if kind.runs_image else f"process: {{{command}}}"
    return f"""
schema: 1
service: {name}
owner: tests
{runs}
health: {{path: /, interval: 100ms, timeout: 2s, healthy: 1, unhealthy: 3, grace: 30s}}
stop: {{drain: 1s, grace: 2s}}
workers: {{ticker: {{command: [{kind.program}, tick]}}}}
dependencies: {{mail: {{needs: soft, without: mails wait}}}}
resources: {resources}
deploy: {{keep: 1, migrate: [{kind.migration}], smoke: [GET {smoke}], {deploy}}}
"""


class OneHome:
    """A home, at most one agent that runs for it, and one service.

    Args:
        folder: Holds the home and the service's folder; its path is short.
        kind: What the service needs.
        image: What it runs, if it is a container.
        name: Of the service.
    """

    def __init__(
        self, folder: Path, kind: Kind = VOLUMES, image: str = "", name: str = "greeter"
    ) -> None:
        self.folder = folder
        self.kind = kind
        self._image = image
        self.home = folder / "h"
        self.port = free_port()
        self.name = name
        self.versions = 0
        self.deploys = 0
        self.agent: subprocess.Popen[str] | None = None

    # Agents

    def start(self, fault: str = "") -> subprocess.Popen[str]:
        """Start an agent, with a fault if one is named; what happened before is forgotten."""
        assert self.agent is None
        if fault and self.home.exists():
            (self.home / "run" / fault_points.FIRED).unlink(missing_ok=True)
        (self.folder / "agent.log").write_text("")
        self.agent = start_agent(self.home, self.port, {fault_points.VARIABLE: fault})
        return self.agent

    def kill(self) -> None:
        """End the agent as a crash does."""
        if self.agent is not None:
            self.agent.kill()
            self.agent.wait()
            self.agent = None

    async def dies(self) -> None:
        """Hold the agent to its death by the armed fault."""
        assert self.agent is not None
        limit = time.monotonic() + PATIENCE_S
        while self.agent.poll() is None:
            assert time.monotonic() < limit, "the fault point was not reached"
            await asyncio.sleep(0.01)
        assert self.agent.returncode == -signal.SIGKILL, self.log()
        assert (self.home / "run" / fault_points.FIRED).read_text(), "it died of something else"
        self.agent = None

    def log(self) -> str:
        """Return what the last agent wrote."""
        return (self.folder / "agent.log").read_text()

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[DeployerApi]:
        """Reach the agent, starting one without faults if none runs, once it has started everything."""
        agent = self.agent or self.start()
        await asyncio.to_thread(until_it_listens, agent, self.home)
        async with client_of(self.home) as api:
            _ = [step async for step in api.startup(ASKING)]
            yield api

    # Operations

    def changed_source(self) -> Path:
        """Return the service's folder with content that it never had."""
        self.versions += 1
        return folder_of(
            self.folder / "source", {"server.py": f"{SERVER}\n# version {self.versions}\n"}
        )

    async def deploy(
        self,
        api: DeployerApi,
        resources: str = "",
        deploy: str = KEEP_WARM,
        smoke: str = "/",
        *,
        hold: bool = False,
    ) -> list[str]:
        """Deploy the service, with changed code; return the steps. What is held is withdrawn before."""
        await self.let_go(api)
        wanted = resources or self.kind.base
        text = descriptor(
            self.name, self.kind, self._image, resources=wanted, deploy=deploy, smoke=smoke
        )
        self.deploys += 1
        told = api.deploy(
            ASKING,
            source=source(text, self.changed_source()),
            environment=ENVIRONMENT,
            key=f"deploy-{self.deploys}" if hold else None,
            hold=hold,
        )
        return [progress.step async for progress in told]

    def _key(self) -> str:
        """Return the key of what is held, or was; one that never was where nothing was."""
        record = self.record()
        if record is not None and record.canary is not None:
            return record.canary.key
        return record.ended[-1].key if record is not None and record.ended else "none"

    async def shift(self, api: DeployerApi, share: float) -> None:
        """Give what is held a share of the requests."""
        await api.shift(
            ASKING,
            environment=ENVIRONMENT,
            service=self.name,
            key=self._key(),
            share=share,
            header=CHOOSES,
        )

    async def settle(self, api: DeployerApi) -> None:
        """Give what is held all requests."""
        steps = api.settle(ASKING, environment=ENVIRONMENT, service=self.name, key=self._key())
        _ = [step async for step in steps]

    async def let_go(self, api: DeployerApi) -> None:
        """Withdraw what is held, if anything is."""
        record = self.record()
        if record is not None and record.canary is not None:
            steps = api.withdraw(
                ASKING,
                environment=ENVIRONMENT,
                service=self.name,
                key=self._key(),
                reason="another one comes",
            )
            _ = [step async for step in steps]

    async def destroy(self, api: DeployerApi, confirm: Iterable[str]) -> None:
        """Remove the service with some of its data."""
        steps = api.destroy(
            ASKING, environment=ENVIRONMENT, service=self.name, confirm=list(confirm)
        )
        _ = [step async for step in steps]

    async def roll_back(self, api: DeployerApi) -> None:
        """Return to the earlier release."""
        steps = api.rollback(ASKING, environment=ENVIRONMENT, service=self.name)
        _ = [step async for step in steps]

    async def scale(self, instances: int | None) -> None:
        """Set how many instances serve; None gives the number back."""
        async with connect(OperationsApi, uds=Home(self.home).agent_socket) as api:
            steps = api.scale(
                ASKING,
                environment=ENVIRONMENT,
                service=self.name,
                instances=instances,
                group="web",
            )
            _ = [step async for step in steps]

    async def restart(self) -> None:
        """Replace every instance."""
        async with connect(OperationsApi, uds=Home(self.home).agent_socket) as api:
            steps = api.restart(ASKING, environment=ENVIRONMENT, service=self.name)
            _ = [step async for step in steps]

    async def stop(self, api: DeployerApi) -> None:
        """Stop the platform, and wait for its agent's end."""
        _ = [step async for step in api.stop(ASKING)]
        assert self.agent is not None
        assert await asyncio.to_thread(self.agent.wait, PATIENCE_S) == 0
        self.agent = None

    # What the home holds

    @property
    def documents(self) -> Documents:
        """Its records."""
        return Documents(Home(self.home).services)

    def record(self) -> ServiceRecord | None:
        """Return the service's record as it lies on the disk."""
        try:
            return self.documents.service(ENVIRONMENT, self.name)
        except PlatformError:
            return None

    def releases(self) -> list[ReleaseRecord]:
        """Return the records of its releases, newest first."""
        return self.documents.releases(ENVIRONMENT, self.name)

    def history(self) -> list[HistoryEvent]:
        """Return what happened to the service, newest first."""
        try:
            return self.documents.history(ENVIRONMENT, self.name)
        except PlatformError:
            return []


async def hold(one: OneHome, api: DeployerApi, serves: int | None) -> None:
    """Hold a home to what must be true whenever no operation runs.

    Args:
        one: The home.
        api: Its agent, which runs without faults.
        serves: The release that serves; None when none is to.
    """
    view = await _settled(one, api)
    record = one.record()
    assert (record.active if record else None) == serves
    if serves is None:
        assert view is None or view.summary.state == "not deployed"
        assert (await ask(one.port, f"{one.name}.dev.localhost")).startswith("404 ")
    else:
        assert view is not None
        assert view.summary.release == serves
        await _hold_answers(one, serves)
        _hold_records(one, view)
    _hold_ends(one.history())
    await _hold_leavings(one, view)
    assert '"level":"error"' not in one.log()


async def _settled(one: OneHome, api: DeployerApi) -> ServiceView | None:
    """Wait until the platform says that all is well, and show the service."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        status = await api.status(ASKING)
        view = None
        if any(summary.service == one.name for summary in status.services):
            view = await api.show(ASKING, environment=ENVIRONMENT, service=one.name)
        states = {"serving", "not deployed"}
        is_calm = view is None or (view.operation is None and view.summary.state in states)
        problems = [text for text in status.problems if not text.startswith("the fault ")]
        if status.ready and not problems and is_calm and _has_its_number(one, view):
            return view
        assert time.monotonic() < limit, (problems, view, one.log())
        await asyncio.sleep(0.02)


def _has_its_number(one: OneHome, view: ServiceView | None) -> bool:
    """Tell whether as many instances serve as somebody wants; what is wanted by nobody goes by itself."""
    record = one.record()
    if record is None or view is None:
        return True
    serving = [i for i in view.instances if i.release == record.active and i.group == "web"]
    return record.active is None or len(serving) == record.fixed.get("web", 1)


async def _hold_answers(one: OneHome, serves: int) -> None:
    """What serves answers, and so does what is held, for those who choose it."""
    record = one.record()
    held = record.canary if record is not None else None
    chosen = {"stable": serves}
    if held is not None and held.share:
        chosen["canary"] = held.release
    host = f"{one.name}.dev.localhost"
    for side, number in chosen.items():
        answer = await ask(one.port, host, headers={CHOOSES: side} if held is not None else {})
        assert answer == f"200 release {number}"


def _hold_records(one: OneHome, view: ServiceView) -> None:
    record = one.record()
    assert record is not None
    releases = {release.number: release for release in one.releases()}
    assert record.operation is None
    assert record.active is not None
    serving = releases[record.active].stacks.eternal.resources
    held = releases[record.canary.release].stacks.eternal.resources if record.canary else {}
    assert record.eternal == serving | held
    volumes = one.home / "volumes/dev" / one.name
    wanted = {name for name, wish in record.eternal.items() if isinstance(wish, Volume)}
    assert {path.name for path in volumes.glob("*")} == wanted
    states = {release.number: release.state for release in view.releases}
    assert set(states) == set(releases)
    assert states.pop(record.active) == "active"
    for number in record.warm:
        assert states.pop(number) == "warm"
    if record.canary is not None:
        assert states.pop(record.canary.release) == "canary"
    assert set(states.values()) <= {"stopped", "failed", "withdrawn"}, states
    assert set(record.trail) <= set(releases)


def _hold_ends(history: list[HistoryEvent]) -> None:
    """Every operation that began has ended, once."""
    open_: set[tuple[str, int | None]] = set()
    for event in reversed(history):
        verb, _, what = event.event.partition(" ")
        if verb not in {"deploy", "rollback"}:
            continue
        key = (verb, event.release)
        if what == "began":
            assert not open_, (open_, history)
            open_.add(key)
        else:
            # A death before the beginning was told leaves an end without one.
            open_.discard(key)
    assert not open_, history


async def _hold_leavings(one: OneHome, view: ServiceView | None) -> None:
    """Nothing runs and nothing lies about but what the records name."""
    label = Home(one.home).label
    known = frozenset(i.id for i in view.instances) if view else frozenset()
    runtime = one.kind.runtime()
    strays = await runtime.strays(label, known)
    assert strays == [], (view, one.releases())
    runs = {i.id for i in view.instances if i.pid is not None} if view else set()
    assert {stray.id for stray in await runtime.strays(label, frozenset())} == runs
    for group in Cgroups().groups(label, "any"):
        there = {path.name for path in group.parent.glob("*/")}
        assert there <= known, f"groups of nobody: {there - known}"
    kept = {i.id for release in one.releases() for i in release.instances}
    kept |= {name for release in one.releases() for name in release.gone}
    folders = {path.name for path in (one.home / "instances").iterdir()}
    nobodys = {name for name in folders - kept if "-once-" not in name}
    assert nobodys == set(), (nobodys, one.releases())
    left = partials_of_the_dead(one.home)
    assert left == [], left
    generations = [path.name for path in (one.home / "engines/proxy").glob("g*/")]
    assert len(generations) == 1, generations
    assert await held_in_engines(one.home, one.port) == []


def partials_of_the_dead(home: Path) -> list[Path]:
    """Return what writers left of documents; the agent that lives may write one at any moment.

    What lies in an artefact that is not complete goes with it, whole, when artefacts are swept.
    """
    found = []
    for folder, folders, names in os.walk(home):
        if Path(folder) == home:
            folders.remove("artifacts")
        for name in names:
            writer = name.removeprefix(PARTIAL).partition("-")[0]
            if name.startswith(PARTIAL) and not Path("/proc", writer).exists():
                found.append(Path(folder, name))
    return found
