"""Ways in of one machine: who has which, and the certificates for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l20_trust.certificates.issuer import Issuer
from drystone.l20_trust.certificates.service import Certificates
from drystone.l20_trust.certificates.shown import ShownFiles
from drystone.l25_deployer.local.edge_certificates import EdgeCertificates
from drystone.l25_deployer.local.resources.certificate import ServiceCertificates
from drystone.l25_deployer.local.resources.edge_route import WaysIn
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.ways_in import Ways
from drystone.l25_deployer.stacks.ways import Certificate, EdgeRoute, StaticSite
from drystone.l90_assembly.console import console_at_edge
from drystone.l90_assembly.remote_address import orchestrator_at_edge
from drystone.l90_assembly.signin import signin_at_edge
from drystone.l90_assembly.view import view_at_edge

if TYPE_CHECKING:
    from typing import Any

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Audit, Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.proxy.edge import OwnService
    from drystone.l25_deployer.local.edge import Edge
    from drystone.l25_deployer.local.resources.port import ResourceDriver
    from drystone.l25_deployer.local.services import Services

_ABOVE = 43
"""8443 beside 8400."""


class WayParts(msgspec.Struct, frozen=True):
    """What ways in consist of.

    Attributes:
        ways: Who has which.
        issuer: The authority for services.
        files: The certificates of the edge.
        held: The certificates of services.
        https: What the edge shows.
        own: The platform's own pages, whose names are nobody's.
    """

    ways: Ways
    issuer: Issuer
    files: ShownFiles
    held: ServiceCertificates
    https: EdgeCertificates
    own: tuple[OwnService, ...]

    @property
    def drivers(self) -> dict[type, ResourceDriver[Any]]:
        """What makes the resources exist."""
        ways = WaysIn(self.ways)
        return {EdgeRoute: ways, StaticSite: ways, Certificate: self.held}


def _own_pages(home: Home, settings: Settings) -> tuple[OwnService, ...]:
    """Return the services of the platform that people reach at the edge."""
    return (
        view_at_edge(home),
        signin_at_edge(home, settings),
        console_at_edge(home, settings),
        *orchestrator_at_edge(home, settings),
    )


def https_port_of(settings: Settings) -> int:
    """Return where the edge answers over HTTPS."""
    if settings.edge.https_port is not None:
        return settings.edge.https_port
    above = settings.port + _ABOVE
    return above if above < 65536 else settings.port - _ABOVE


def way_parts(home: Home, settings: Settings, clock: Clock) -> WayParts:
    """Return the parts for a home; nothing is made yet.

    Args:
        home: Where certificates lie.
        settings: Ports, and names of networks.
        clock: The time.
    """
    own = _own_pages(home, settings)
    port = https_port_of(settings)
    hosts = (one.host for one in own if one.host is not None)
    ways = Ways(settings.edge.networks, hosts, port=settings.port, secure_port=port)
    issuer, files = Issuer(home.trust / "services", clock), ShownFiles(home.trust / "edge")
    held = ServiceCertificates(home.trust / "held", issuer=issuer, ways=ways, clock=clock)

    https = EdgeCertificates(files, issuer=issuer, clock=clock, port=port, ways=ways, held=held)
    return WayParts(ways, issuer, files, held, https, own)


def certificates_of(
    parts: WayParts, services: Services, edge: Edge, *, clock: Clock, audit: Audit, log: Log
) -> Certificates:
    """Put the API of certificates together."""

    async def renew(owner: str, name: str) -> None:
        environment, _, service = owner.partition("/")
        kept = services.find(environment, service)
        wanted = kept.record.eternal.get(name) if kept is not None else None
        if isinstance(wanted, Certificate):
            await parts.held.renew(Owner(environment, service, name), wanted)

    async def changed() -> None:
        parts.https.forget()
        await edge.refresh()

    return Certificates(
        parts.issuer,
        parts.files,
        clock=clock,
        audit=audit,
        log=log,
        renew=renew,
        changed=changed,
    )
