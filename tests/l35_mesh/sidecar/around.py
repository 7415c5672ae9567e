"""A service in a network of its own, and a world around it that would answer.

The stand-ins for hosts elsewhere have a network that leads to one other, by a pair of devices: what is tried from there is
answered. No packet leaves the two.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from drystone.l10_engines.loopback_ports import FIRST, LAST, free_port
from drystone.l10_engines.namespaces import inside, inside_new
from drystone.l10_engines.networks.driver import Network, Networks
from drystone.l10_engines.networks.rules import Range, Rules
from drystone.l10_engines.runtimes.port import InstanceSpec, Limits, Runtime
from drystone.l35_mesh.sidecar.model import Address, Catcher, Egress, Mesh, Resolver
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, edge_service

ATTEMPT = Path(__file__).with_name("attempt.py")
STAND_INS = Path(__file__).with_name("stand_ins.py")
LIMIT = timedelta(seconds=100)

METADATA, OUTSIDE, OUTSIDE_6, SERVER = (
    "169.254.169.254",
    "203.0.113.7",
    "2001:db8::7",
    "203.0.113.53",
)
CATCHER = 15_001
PARTNER, PARTNER_AT = "api.partner.example", "127.1.0.1"

Attempt = tuple[str | int, ...]

WORLD: tuple[Attempt, ...] = (
    ("tcp", OUTSIDE, 80),
    ("silent", OUTSIDE, 80),
    ("tcp", OUTSIDE_6, 80),
    ("tcp", f"::ffff:{OUTSIDE}", 80),
    ("tcp", METADATA, 80),
    ("udp", OUTSIDE, 123),
    ("udp", OUTSIDE_6, 123),
    ("dns", SERVER, "c2VjcmV0.tunnel.example"),
    ("ping", OUTSIDE),
    ("raw", OUTSIDE),
    ("frames",),
)
"""What a service tries elsewhere; each is answered where there is a way."""


class Scene(msgspec.Struct, frozen=True):
    """All that an attempt may aim at.

    Attributes:
        rig: The Envoy of the host.
        networks: Those of its home.
        own: The network of the service ``desk``.
        control: The way into a network with a way to the world.
        host: What a stand-in of the host listens at: ports of 127.0.0.1 and ::1.
        theirs: Port of an instance of ``billing``, in a network of its own.
        partner: Port of 127.0.0.1 that stands in for the host outside that ``desk`` declares.
        hidden: Another port of the host at which it listens, to which nobody connects.
        abstract: Name of an abstract socket of the host.
        home: The home.
    """

    rig: MeshRig
    networks: Networks
    own: Network
    control: Path
    host: int
    theirs: int
    partner: int
    hidden: int
    abstract: str
    home: Path

    def on_this_host(self) -> tuple[Attempt, ...]:
        """Return what a service tries at home; each is answered to others of the host."""
        return (
            ("tcp", "127.0.0.1", self.host),
            ("tcp", "::1", self.host),
            ("unix", self.abstract),
            ("unix", str(self.home / "agent.sock")),
            ("seen", "/proc/net/tcp", f":{self.hidden:04X}"),
            ("seen", "/proc/net/unix", self.abstract),
        )

    def refused(self) -> list[dict[str, str]]:
        """Return what the sidecar wrote of what it refused."""
        written = self.rig.access_log.with_name("refusals.log")
        lines = written.read_text().splitlines() if written.exists() else []
        return [json.loads(line) for line in lines]


async def tried(attempts: Sequence[Attempt], network: Path | None) -> list[str]:
    """Try as a program of the host does, with all rights, in a network."""

    def run() -> str:
        words = [sys.executable, str(ATTEMPT), json.dumps(attempts)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    found: list[str] = json.loads(await asyncio.to_thread(inside, network, run))
    return found


async def tried_by_instance(
    scene: Scene, runtime: Runtime, attempts: Sequence[Attempt], **changes: object
) -> list[str]:
    """Try as an instance of ``desk`` does."""
    said: list[bytes] = []
    spec = InstanceSpec(
        id="desk-dev-r1-web-0",
        command=(sys.executable, "-c", ATTEMPT.read_text(), json.dumps(attempts)),
        environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        state=scene.home / "instances/desk",
        limits=Limits(memory=256 << 20, cpu=1.0),
        home_label=f"around-{os.getpid()}",  # workers beside this one run the same
        network=scene.own.path,
    )
    spec = msgspec.structs.replace(spec, **changes)
    ended = await runtime.run_once(spec, output=said.append, limit=LIMIT)
    assert ended.is_success, b"".join(said).decode()
    found: list[str] = json.loads(b"".join(said))
    return found


@contextmanager
def program(network: Path | None, *words: str) -> Iterator[int]:
    """Run a program in a network, in one of its own when None, until the end of the block."""

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(words, stdin=subprocess.PIPE)

    process = inside_new(begin) if network is None else inside(network, begin)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.communicate()


def way_into(pid: int) -> Path:
    return Path("/proc", str(pid), "ns/net")


def configured(network: Path, *commands: str) -> None:
    """Give a network devices, addresses and routes (ip(8))."""
    text = "\n".join(commands).encode()
    words = ["ip", "-batch", "-"]
    inside(network, lambda: subprocess.run(words, input=text, check=True, capture_output=True))


@contextmanager
def world(
    folder: Path, carrying: Sequence[str] = (), listening: Sequence[str] = ()
) -> Iterator[Path]:
    """Let hosts elsewhere stand in a network; return the way into another that leads there.

    Args:
        folder: For the file ``world``, which is made when they listen.
        carrying: More addresses that they have.
        listening: Where they listen besides.
    """
    with ExitStack() as ending:
        there, here = (way_into(ending.enter_context(program(None, "cat"))) for _ in range(2))
        link = f"link add way type veth peer name way netns {there.parent.parent.name}"
        configured(here, "link set lo up", link, "link set way up")
        carried = [f"addr add {one} dev lo" for one in (METADATA, OUTSIDE, SERVER, *carrying)]
        carried += [f"addr add {OUTSIDE_6} dev lo nodad"]
        mine = ("addr add 192.0.2.1/24 dev way", "addr add 2001:db8:1::1/64 dev way nodad")
        others = ("addr add 192.0.2.2/24 dev way", "addr add 2001:db8:1::2/64 dev way nodad")
        configured(there, "link set lo up", "link set way up", *mine, *carried)
        ways = ("route add 0.0.0.0/0 via 192.0.2.1", "route add ::/0 via 2001:db8:1::1")
        configured(here, *others, *ways)
        ready = folder / "world"
        words = [f"tcp:{METADATA}:80", f"tcp:{OUTSIDE}:80", f"tcp:{OUTSIDE_6}:80"]
        words += [f"udp:{OUTSIDE}:123", f"udp:{OUTSIDE_6}:123", f"dns:{SERVER}"]
        words += [one for one in listening if one not in words]
        ending.enter_context(program(there, sys.executable, str(STAND_INS), str(ready), *words))
        yield here


@asynccontextmanager
async def scene(home: Path) -> AsyncIterator[Scene]:
    """Build it all, and take it down."""
    networks, rig = Networks(home / "run/networks"), MeshRig(home)
    host, partner, hidden, inner = (free_port() for _ in range(4))
    abstract = f"@{home.name}-agent"
    billing = await networks.ensure("billing.dev", Rules(open=frozenset({inner}), catcher=CATCHER))
    opened = frozenset({rig.out, partner})
    watched = (Range(FIRST, LAST), Range(rig.port, rig.port))
    rules = Rules(open=opened, catcher=CATCHER, watched=watched)
    own = await networks.ensure("desk.dev", rules)
    upstream = await Upstream("blue").start(inner, billing.path)
    ready = home / "host"
    words = [f"tcp:127.0.0.1:{host}", f"tcp:::1:{host}", f"tcp:127.0.0.1:{partner}"]
    words += [f"tcp:127.0.0.1:{hidden}", f"unix:{abstract}", f"unix:{home}/agent.sock"]
    stand_ins = program(
        Path("/proc/self/ns/net"), sys.executable, str(STAND_INS), str(ready), *words
    )
    with world(home) as control, stand_ins:
        await rig.live()
        try:
            await rig.have(ways(rig, own.path, partner, upstream, billing.path))
            await eventually(lambda: ready.exists() and (home / "world").exists())
            yield Scene(rig, networks, own, control, host, inner, partner, hidden, abstract, home)
        finally:
            await rig.end()
            await upstream.stop()
            for name in networks.names():
                await networks.remove(name)


def ways(rig: MeshRig, own: Path, partner: int, upstream: Upstream, theirs: Path) -> Mesh:
    """Return what ``desk`` may do: call ``billing``, and reach a partner outside."""
    service = edge_service("billing.dev", upstream, network=theirs)
    whole = rig.mesh(
        rig.billing(upstream, service=service),
        rig.to_billing(listen=Address(rig.out, network=own)),
    )
    outside = Egress(
        caller="desk.dev",
        host="127.0.0.1",
        port=partner,
        listen=Address(partner, PARTNER_AT, network=own),
    )
    return msgspec.structs.replace(
        whole,
        egresses=(outside,),
        catchers=(Catcher(caller="desk.dev", listen=Address(CATCHER, network=own, more=("::1",))),),
        resolvers=(
            Resolver(
                caller="desk.dev",
                listen=Address(53, network=own, more=("::1",)),
                hosts=((PARTNER, PARTNER_AT),),
            ),
        ),
    )
