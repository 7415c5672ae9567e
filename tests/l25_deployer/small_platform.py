"""A whole platform in a throw-away home, and the small services that tests deploy on it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ports import NullLog
from drystone.l00_kernel.settings import Settings
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.networks.kernel import let_go
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.runtimes import cgroups
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import Runtime
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l20_trust.certificates.issuer import Issuer
from drystone.l20_trust.certificates.shown import ShownFiles
from drystone.l25_deployer.api import DeployerApi, Progress, Source
from drystone.l25_deployer.builds.artifacts import Artifacts
from drystone.l25_deployer.intake import Intake
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.local.edge import Edge
from drystone.l25_deployer.local.edge_certificates import EdgeCertificates
from drystone.l25_deployer.local.hours import Hours
from drystone.l25_deployer.local.kept_service import KeptService
from drystone.l25_deployer.local.live_dependencies import LiveDependencies
from drystone.l25_deployer.local.machine import Machine
from drystone.l25_deployer.local.mesh import Mesh, NoMesh
from drystone.l25_deployer.local.news import News
from drystone.l25_deployer.local.platform import Platform
from drystone.l25_deployer.local.ports import PortBook
from drystone.l25_deployer.local.presence import Presence
from drystone.l25_deployer.local.provisioning import Provisioner
from drystone.l25_deployer.local.quotas import Quotas
from drystone.l25_deployer.local.resources.certificate import ServiceCertificates
from drystone.l25_deployer.local.resources.edge_route import WaysIn
from drystone.l25_deployer.local.resources.port import ResourceDriver
from drystone.l25_deployer.local.resources.volume import Volumes
from drystone.l25_deployer.local.services import Services
from drystone.l25_deployer.local.startup import Part
from drystone.l25_deployer.local.ways_in import Ways
from drystone.l25_deployer.service import Deployer
from drystone.l25_deployer.stacks.model import Volume
from drystone.l25_deployer.stacks.ways import Certificate, EdgeRoute, StaticSite
from drystone.l90_assembly.own_services import platform_descriptors
from drystone.l90_assembly.runtimes import Trials
from drystone.l90_assembly.standalone import Standalone, assemble

ASKING = Context(Caller("tester"))

SERVER = """
import os, signal, socket, sys, time
port = int(sys.argv[1])
status = sys.argv[2] if len(sys.argv) > 2 else "200 OK"
print("serving", os.environ.get("GREETING", "hello"), flush=True)
listening = socket.create_server(("127.0.0.1", port))
while True:
    connection, _ = listening.accept()
    asked = connection.recv(65536).decode("latin-1").split(" ")[1:2]
    if asked == ["/hang"]:
        time.sleep(3600)
    body = f"{os.environ.get('GREETING', 'hello')} from {os.getpid()} release {os.environ['DRYSTONE_RELEASE']}"
    connection.sendall(f"HTTP/1.1 {status}\\r\\nContent-Length: {len(body)}\\r\\nConnection: close\\r\\n\\r\\n{body}".encode())
    connection.close()
"""
"""Answers every request with its greeting, its pid and its release."""


def descriptor(name: str = "greeter", *, more: str = "", status: str = "") -> str:
    """Write the descriptor of a service that serves; ``more`` is put at its end."""
    return f"""
schema: 1
service: {name}
owner: tests
process: {{command: [python3, -S, -E, server.py, "${{port}}"{f', "{status}"' if status else ""}]}}
health: {{path: /, interval: 100ms, timeout: 1s, healthy: 1, unhealthy: 2, grace: 15s}}
stop: {{drain: 1s, grace: 2s}}
{more}"""


def folder_of(path: Path, files: dict[str, str] | None = None) -> Path:
    """Write a service's folder."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in {"server.py": SERVER, **(files or {})}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def source(text: str, folder: Path) -> Source:
    """Return a descriptor as the API takes it."""
    return Source(text, "service.yaml", str(folder))


async def deploy(api: DeployerApi, text: str, folder: Path, **more: object) -> list[Progress]:
    """Deploy and return everything that was told."""
    told = api.deploy(ASKING, source=source(text, folder), environment="dev", **more)  # type: ignore[arg-type]
    return [progress async for progress in told]


async def until(holds: Callable[[], object], what: str, *, within: float = 20) -> None:
    """Wait for a condition; fail with ``what`` when it does not come about."""
    limit = time.monotonic() + within
    while not holds():
        assert time.monotonic() < limit, f"never: {what}"
        await asyncio.sleep(0.01)


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder whose path leaves room for sockets, and remove it with all that still runs there."""
    folder = Path(tempfile.mkdtemp(prefix="dry-", dir="/tmp"))
    folder.chmod(0o711)  # where root runs the tests, PostgreSQL runs as somebody else
    try:
        yield folder
    finally:
        end_all(folder)
        shutil.rmtree(folder, ignore_errors=True)


def end_all(folder: Path) -> None:
    """End what still runs in a folder, and remove the control groups and the networks of the homes in it."""
    limit = time.monotonic() + 20
    while left := left_in(folder):
        assert time.monotonic() < limit, f"not to be killed: {left}"
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    places = Cgroups()
    for home in (folder, *folder.iterdir()):
        for network in Home(home).networks.glob("*"):
            let_go(network)
        Networks(Home(home).networks).leave()
        for group in places.groups(Home(home).label, "any"):
            while group.parent.exists():  # the kernel keeps it until the dead have been reaped
                assert time.monotonic() < limit, f"not to be removed: {group.parent}"
                cgroups.remove(group.parent.glob("*/"))
                time.sleep(0.01)


def left_in(folder: Path) -> list[int]:
    """Return the processes that work in, or were started from, a folder."""
    mark = os.fsencode(folder)
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            text = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
            text += os.fsencode((place / "cwd").readlink())  # a cache writes its title over both
            state = (place / "stat").read_text().rpartition(") ")[2][:1]
        except OSError:
            continue
        if mark in text and state not in "ZX" and int(place.name) != os.getpid():
            found.append(int(place.name))
    return found


def settings(home: Home, **more: str) -> Settings:
    """Settings of a throw-away home: plain processes, a port of its own."""
    return Settings.load(
        home, {"DRYSTONE_RUNTIME": "processes", "DRYSTONE_PORT": str(free_port()), **more}
    )


@asynccontextmanager
async def embedded(folder: Path, chosen: Settings | None = None) -> AsyncIterator[Standalone]:
    """Bring a platform up in this process and leave it at the end; what it started goes on."""
    home = Home.create(folder)
    whole = await assemble(
        home,
        chosen or settings(home),
        trials=Trials(),
        clock=SystemClock(),
        log=NullLog(),
        environ={},
        on_stopped=lambda: None,
    )
    try:
        await whole.platform.start()
        yield whole
    finally:
        await whole.leave()


class Fakes(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform made by hand has in place of its own parts."""

    runtime: Runtime | None = None
    volumes: Callable[[Path], ResourceDriver[Volume]] = Volumes
    documents: Callable[[Path], Documents] = Documents
    mesh: Callable[[PortBook], Mesh] = NoMesh
    artifacts: Callable[[Path, Path, Mapping[str, str]], Artifacts] = Artifacts
    quotas: Quotas = msgspec.field(default_factory=Quotas)


class ByHand(msgspec.Struct, frozen=True):
    """A platform put together by a test."""

    deployer: Deployer
    platform: Platform
    services: Services

    def kept(self, name: str = "greeter") -> KeptService:
        """Return a service that is there."""
        return self.services.existing("dev", name)

    async def leave(self) -> None:
        """Stop looking after everything, as a dead agent does."""
        await self.platform.leave()


@asynccontextmanager
async def by_hand(folder: Path, port: int, fakes: Fakes | None = None) -> AsyncIterator[ByHand]:
    """Bring up a platform of Envoy, plain processes and volumes; leave it at the end."""
    home, clock, fakes = Home.create(folder), SystemClock(), fakes or Fakes()
    ads = Ads(home.xds_socket)
    access_log = home.run / "access.log"
    envoy = Envoy(
        home.engines / "proxy",
        ads=ads,
        settings=ProxySettings(port=port, access_log=access_log),
        group="proxy",
    )
    supervisor = Supervisor((envoy,))
    ports = PortBook(home.path / "ports.json")
    mesh = fakes.mesh(ports)
    runtime = fakes.runtime or Processes()
    secure_port = free_port()
    issuer = Issuer(home.trust / "services", clock)
    files = ShownFiles(home.trust / "edge")
    ways = Ways({"office": ("10.1.0.0/16",)}, ["own.localhost"], port=port, secure_port=secure_port)
    held = ServiceCertificates(home.trust / "held", issuer=issuer, ways=ways, clock=clock)
    https = EdgeCertificates(
        files, issuer=issuer, clock=clock, port=secure_port, ways=ways, held=held
    )
    machine = Machine(
        label=home.label,
        url_port=port,
        instances=home.instances,
        disks=(home.path,),
        documents=fakes.documents(home.services),
        artifacts=fakes.artifacts(home.artifacts, home.path / "downloads", {}),
        provisioner=Provisioner(
            {
                Volume: fakes.volumes(home.volumes),
                EdgeRoute: WaysIn(ways),
                StaticSite: WaysIn(ways),
                Certificate: held,
            }
        ),
        ways=ways,
        quotas=fakes.quotas,
        runtimes={runtime.name: runtime},
        images=Podman(),
        ports=ports,
        edge=Edge(
            envoy,
            port=port,
            access_log=access_log,
            mesh=mesh,
            ensure=partial(supervisor.ensure, envoy.name),
            https=https,
        ),
        mesh=mesh,
        clock=clock,
        log=NullLog(),
    )
    services = Services(machine)
    services.load()

    async def start() -> str:
        await ads.start()
        await machine.edge.publish()
        await supervisor.ensure("proxy")
        return ""

    platform = Platform(
        waves=[[Part("proxy", 10, start, supervisor["proxy"].stop)]],
        services=services,
        engines=supervisor.statuses,
        on_stopped=lambda: None,
        presence=Presence(
            home.run / "presence.json",
            access_log=access_log,
            clock=clock,
            proxy_restarts=envoy.restarts_since,
        ),
        news=News(services),
        hours=Hours(home.usage, clock),
    )
    intake = Intake(
        runtime=runtime.name,
        runtimes=machine.runtimes,
        clock=clock,
        builds_isolated=False,
        ways=ways,
        quotas=fakes.quotas,
    )
    deployer = Deployer(
        home=home.path,
        services=services,
        intake=intake,
        platform=platform,
        dependencies=LiveDependencies(platform_descriptors(), services, clock),
    )
    try:
        await platform.start()
        yield ByHand(deployer, platform, services)
    finally:
        await platform.leave()
        await supervisor.detach()
        await envoy.detach()
        await ads.stop()


async def ask(
    port: int, host: str, path: str = "/", *, headers: Mapping[str, str] | None = None
) -> str:
    """Send a request to the edge and return the status and the body."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return f"{head.split()[1]} {body}"


async def running_instances(p: ByHand) -> set[str]:
    """Return the ids of all instances of the home whose processes live, known or not."""
    machine = p.services.machine
    return {
        stray.id
        for runtime in machine.runtimes.values()
        for stray in await runtime.strays(machine.label, frozenset())
    }
