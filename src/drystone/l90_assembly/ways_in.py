"""Ways in of one machine: who has which, and the certificates for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l20_trust.certificates.issuer import Issuer
from drystone.l25_deployer.local.edge_certificates import EdgeCertificates
from drystone.l25_deployer.local.ways_in import Ways

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.proxy.edge import OwnService

_ABOVE = 43
"""8443 beside 8400."""


def https_port_of(settings: Settings) -> int:
    """Return where the edge answers over HTTPS."""
    if settings.edge.https_port is not None:
        return settings.edge.https_port
    above = settings.port + _ABOVE
    return above if above < 65536 else settings.port - _ABOVE


def ways_of(settings: Settings, own: Sequence[OwnService]) -> Ways:
    """Return who has which way in; the names at which the platform's own pages answer are nobody's."""
    hosts = (one.host for one in own if one.host is not None)
    return Ways(
        settings.edge.networks,
        reserved=hosts,
        port=settings.port,
        secure_port=https_port_of(settings),
    )


def issuer_of(home: Home, clock: Clock) -> Issuer:
    """Return the authority for services."""
    return Issuer(home.trust / "services", clock)


def edge_certificates_of(home: Home, settings: Settings, clock: Clock) -> EdgeCertificates:
    """Return the certificates of the edge."""
    return EdgeCertificates(
        home.trust / "edge",
        issuer=issuer_of(home, clock),
        clock=clock,
        port=https_port_of(settings),
    )
