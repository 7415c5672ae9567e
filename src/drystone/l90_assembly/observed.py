"""What the proxies of one machine saw: where that is written down, and what lies where on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.networks.kernel import own_addresses
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.dependencies.live_model import PROXY
from drystone.l25_deployer.dependencies.model import PLATFORM, name_of
from drystone.l35_mesh.limits import counts
from drystone.l35_mesh.observed.datagrams import Datagrams
from drystone.l35_mesh.observed.landscape import Landscape, Place
from drystone.l35_mesh.observed.page import MetricsPage
from drystone.l35_mesh.observed.sending import statsd_of
from drystone.l35_mesh.observed.service import Observed
from drystone.l35_mesh.observed.statistics import joined
from drystone.l35_mesh.observed.surroundings import landscape_of
from drystone.l35_mesh.sidecar.ways import ways_of
from drystone.l90_assembly.agent_socket import server_of

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.proxy.envoy import Envoy
    from drystone.l10_engines.proxy.settings import StatsD
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l25_deployer.local.mesh import Member
    from drystone.l25_deployer.local.services import Services

DATAGRAMS = "datagrams.json"
"""File of the home with what was seen of datagrams that were refused."""

_TRY_AGAIN = timedelta(seconds=30)
_TYPES = {"postgres": "postgres", "objects": "bucket", "cache": "cache"}
"""What services call the data that engines hold."""


def numbers_to(settings: Settings) -> StatsD | None:
    """Return where the proxies send what they count, which is what is counted at all then.

    Raises:
        CannotSend: The settings say nothing to which numbers can be sent.
    """
    return statsd_of(settings.telemetry.statsd, counts.WANTED)


def observed_of(
    home: Home,
    settings: Settings,
    services: Services,
    supervisor: Supervisor,
    *,
    clock: Clock,
    counted: Callable[[str], Awaitable[bytes]],
) -> Observed:
    """Return what tells of a home; nothing is followed yet.

    Args:
        home: Whose.
        settings: What its owner decided.
        services: What is deployed.
        supervisor: Knows where engines listen.
        clock: The time.
        counted: Returns what the proxies have counted, of what fits a pattern.
    """

    def now() -> Landscape:
        every = services.all()
        members = [kept.member() for kept in every]
        return landscape_of(
            members,
            resources={
                issuer_of(*kept.record.key): tuple(
                    sorted({type(one).__name__.lower() for one in kept.record.eternal.values()})
                )
                for kept in every
            },
            own={
                **_ways(services),
                **_engines(supervisor),
                settings.port: Place("platform", "the edge of the platform", component=PROXY),
            },
            addresses=own_addresses(),
            names=_names(members),
        )

    networks = Networks(home.networks)
    return Observed(
        refusals_beside(home.access_log),
        now,
        clock,
        lambda tally: Datagrams(networks, home.path / DATAGRAMS, tally),
        counted,
    )


async def counted_by(pattern: str, edge: Envoy, others: Iterable[Envoy]) -> bytes:
    """Return what several proxies have counted, as one of them would.

    Raises:
        ProxyUnavailable: The edge does not answer; of the others one may be about to start again.
    """
    answers = [await edge.statistics(pattern)]
    for other in tuple(others):
        with suppress(ProxyUnavailable):
            answers.append(await other.statistics(pattern))
    return joined(answers)


async def serve_metrics(
    port: int | None, counted: Callable[[str], Awaitable[bytes]], log: Log
) -> None:
    """Answer who collects metrics on this machine until it is cancelled; at once, where nobody wants them.

    Args:
        port: Of 127.0.0.1; None where nobody collects.
        counted: Returns what the proxies have counted, of what fits a pattern.
        log: Where it is told that another program has the port.
    """
    if port is None:
        return
    server = server_of(MetricsPage(counted))
    while True:
        try:
            listener = socket.create_server(("127.0.0.1", port))
        except OSError as e:
            log.warning("no metrics", port=str(port), reason=str(e))
            await asyncio.sleep(_TRY_AGAIN.total_seconds())
            continue
        with listener:
            try:
                await server.serve(sockets=[listener])
            finally:
                server.should_exit = True
        return


def _names(members: Iterable[Member]) -> dict[tuple[str, str], str]:
    """Say for which hosts the addresses stand at which services find those that they declare by name."""
    return {
        (issuer_of(member.environment, member.service), address): at.host
        for member in members
        for at, address in ways_of(member, ()).outside
    }


def _ways(services: Services) -> dict[int, Place]:
    """Say to whom the ports lead at which services find each other: ``desk.dev>billing.dev``."""
    found = {}
    for name, port in services.machine.ports.every().items():
        if name.endswith(">limits"):
            found[port] = Place("platform", "the platform's answers about limits")
            continue
        callee = name.rpartition(">")[2].partition("#")[0]
        service, _, environment = callee.partition(".")
        issuer = issuer_of(environment, service)
        found[port] = Place("service", issuer, component=issuer)
    return found


def _engines(supervisor: Supervisor) -> dict[int, Place]:
    found = {}
    for status in supervisor.statuses():
        host, _, port = status.endpoint.rpartition(":")
        if host == "127.0.0.1" and port.isdecimal():
            kind = _TYPES.get(status.name.partition(" ")[0], "")
            what = f"the engine {status.name} of the platform"
            component = name_of((PLATFORM, status.name)) if " " not in status.name else ""
            found[int(port)] = Place("resource" if kind else "platform", what, kind, component)
    return found
