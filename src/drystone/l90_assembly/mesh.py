"""The mesh of one machine: what stands between its services, and what keeps that up with their keys."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l25_deployer.local.startup import Part
from drystone.l35_mesh.observed.tracing import Tracing, collector_of
from drystone.l35_mesh.sidecar.around import Around
from drystone.l35_mesh.sidecar.fleet import Fleet
from drystone.l35_mesh.sidecar.following import Following
from drystone.l35_mesh.sidecar.key_book import KeyBook
from drystone.l35_mesh.sidecar.model import Further
from drystone.l35_mesh.sidecar.node import NodeMesh
from drystone.l35_mesh.sidecar.token_book import TokenBook
from drystone.l90_assembly.observed import numbers_to

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.proxy.ads import Ads
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l20_trust.keys.api import ProxyKeys
    from drystone.l25_deployer.local.machine import Machine
    from drystone.l25_deployer.local.mesh import Address, Member
    from drystone.l25_deployer.local.ports import PortBook
    from drystone.l35_mesh.observed.service import Observed

MESH = "mesh"
RESOURCES = "resources.json"
"""File of the home with the addresses of services' resources."""

SIDECARS = "sidecars"
"""Folder among those of the engines, with one for each proxy that a service has of its own."""

SIDECAR_MEMORY = 64 << 20
"""Bytes of heap at which such a proxy begins to refuse requests."""

LAYER = 35

_NOTHING = Further()


SIDECAR_GIVES_BACK = 8 << 20
"""Bytes that it has freed and gives back each second: what it took for a burst is most of what its memory can be made smaller by."""


def sidecar_settings(access_log: Path) -> ProxySettings:
    """Return with what proxies are started that services have of their own."""
    return ProxySettings(
        port=None,
        access_log=access_log,
        shares_logs=True,
        memory=SIDECAR_MEMORY,
        gives_back=SIDECAR_GIVES_BACK,
    )


class MeshParts(msgspec.Struct, frozen=True):
    """What the mesh consists of on one machine.

    Attributes:
        node: Decides who reaches whom.
        fleet: The proxies that services have of their own.
        book: By what callees check who calls.
        tokens: What callers prove themselves with.
        around: The networks of services.
    """

    node: NodeMesh
    fleet: Fleet
    book: KeyBook
    tokens: TokenBook
    around: Around


def mesh_of(
    home: Home,
    settings: Settings,
    keys: ProxyKeys,
    ports: PortBook,
    *,
    ads: Ads,
    supervisor: Supervisor,
    clock: Clock,
    log: Log,
    given: Callable[[], Iterable[Address]],
    further: Callable[[Member], Further],
    settled: Callable[[], Awaitable[None]],
) -> MeshParts:
    """Return the parts for a home; nothing is made or started yet.

    Args:
        home: Whose.
        settings: What its owner decided.
        keys: Who may prove what.
        ports: Promises ports.
        ads: Serves the configurations of proxies.
        supervisor: Keeps those that services have of their own.
        clock: The time.
        log: Where to say what one of them does not do.
        given: Addresses of the platform that every service may reach.
        further: What other parts of the mesh add to what stands before a service.
        settled: Waits until those parts run that follow what is published.

    Raises:
        PlatformError: The settings say nothing to which spans can be sent.
    """
    collector = collector_of(settings.telemetry.otlp, settings.telemetry.zipkin)
    book, tokens = KeyBook(keys), TokenBook(keys, clock)
    around = Around(
        Networks(home.networks),
        memory=home.path / RESOURCES,
        edge=settings.port,
        given=given,
    )
    beside = structs.replace(sidecar_settings(home.access_log), statsd=numbers_to(settings))
    fleet = Fleet(home.engines / SIDECARS, ads=ads, supervisor=supervisor, settings=beside, log=log)
    node = NodeMesh(
        ports=ports,
        book=book,
        tokens=tokens,
        access_log=home.access_log,
        is_open=settings.proxy.open,
        further=further,
        around=around,
        fleet=fleet,
        placement=settings.proxy.placement,
        edge_port=settings.port,
        settled=settled,
        **({} if collector is None else {"finishing": functools.partial(Tracing, collector)}),
    )
    return MeshParts(node, fleet, book, tokens, around)


def together(*parts: Callable[[Member], Further]) -> Callable[[Member], Further]:
    """Return what several parts of the mesh add to the inbound of a service; filters come in the order of the parts."""

    def all_of(member: Member) -> Further:
        made = [further for part in parts if (further := part(member)) != _NOTHING]
        return functools.reduce(_both, made) if made else _NOTHING

    return all_of


def _both(first: Further, second: Further) -> Further:
    fields = structs.asdict(second)
    for name, value in structs.asdict(first).items():
        if isinstance(value, Mapping):
            fields[name] = {**value, **fields[name]}
        elif isinstance(value, tuple):
            fields[name] = value + fields[name]
        else:
            fields[name] = value or fields[name]
    return type(first)(**fields)


def following_of(mesh: MeshParts, keys: ProxyKeys, machine: Machine) -> Following:
    """Return what brings changes of service keys to the sidecars."""
    return Following(
        keys=keys,
        book=mesh.book,
        tokens=mesh.tokens,
        publish=machine.edge.refresh,
        log=machine.log,
    )


def mesh_part(mesh: MeshParts, following: Following, observed: Observed) -> Part:
    """Say how the mesh comes up: its configuration is the proxy's, and from here on it follows the keys and what is refused."""

    async def start() -> str:
        following.start()
        observed.start()
        return ""

    async def stop() -> None:
        await observed.stop()
        await following.stop()
        await mesh.fleet.stop()
        await mesh.around.end()

    return Part(MESH, LAYER, start, stop)
