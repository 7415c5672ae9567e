"""The certificates of the edge: what a person provided, what a service has for the host, or one of the platform's authority.

They are files, so that the edge shows the same after whatever becomes of the agent::

    <host>/pair.pem       key and certificate in one file, replaced as a whole
    <host>/provided.pem   the same of a person, which counts as long as it is valid

A wildcard is written with ``%2A`` in place of the star.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.ownership import make_private
from drystone.l10_engines.proxy.edge import SecureEdge, Shown
from drystone.l10_engines.proxy.edge_tls import OF_THIS_MACHINE
from drystone.l10_engines.proxy.edge_way_hosts import domains_of
from drystone.l25_deployer.local.https import Https

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from drystone.l00_kernel.clock import Clock
    from drystone.l10_engines.proxy.edge import EdgeService
    from drystone.l20_trust.certificates.issuer import Issuer

EDGE = "edge"
"""Whose the certificates are, where it is written what was issued."""

LIFE = timedelta(days=90)
RENEWED_AFTER = LIFE * 2 / 3
_END = b"-----END PRIVATE KEY-----\n"
_ADDRESSES = ("127.0.0.1", "::1")


class EdgeCertificates(Https):
    """Shows a certificate for each host that wants one.

    Args:
        folder: Where they lie; made with the first.
        issuer: Signs those that nobody provides.
        clock: Says when one is to be renewed.
        port: Where the edge answers over HTTPS.
    """

    def __init__(self, folder: Path, *, issuer: Issuer, clock: Clock, port: int) -> None:
        self._folder = folder
        self._issuer = issuer
        self._clock = clock
        self._port = port
        self._known: dict[tuple[str, ...], tuple[Shown, datetime]] = {}
        self._problems: dict[str, str] = {}

    @override
    async def of(self, services: Sequence[EdgeService]) -> SecureEdge | None:
        domains = domains_of(services, secure=True)
        if not domains:
            return None
        environments = {
            host.split(".", 1)[1] for one in services for host in one.hosts if host.count(".") > 1
        }
        below = ("localhost", *(f"*.{one}" for one in sorted(environments)))
        wanted = [(OF_THIS_MACHINE, below), *(((one,), (one,)) for one in domains)]
        return SecureEdge(self._port, tuple(await asyncio.to_thread(self._all, wanted)))

    @override
    def problem(self, host: str) -> str:
        return self._problems.get(host, "")

    @override
    def is_due(self) -> bool:
        now = self._clock.now()
        return any(due <= now for _, due in self._known.values())

    def _all(self, wanted: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> list[Shown]:
        now = self._clock.now()
        shown = {}
        problems = {}
        for hosts, names in wanted:
            known = self._known.get(hosts)
            if known is None or known[1] <= now or not self._is_for(known[0], names):
                try:
                    known = self._shown(hosts, names)
                except (PlatformError, OSError, ValueError) as e:
                    problems[hosts[0]] = str(e)
            if known is not None:
                shown[hosts] = known
        self._known, self._problems = shown, problems
        return [one for one, _ in shown.values()]

    def _is_for(self, shown: Shown, names: tuple[str, ...]) -> bool:
        from drystone.l10_engines.certificates import hosts_of  # noqa: PLC0415 - takes 40 ms to load

        return shown.hosts != OF_THIS_MACHINE or set(names) <= set(hosts_of(shown.certificate))

    def _shown(self, hosts: tuple[str, ...], names: tuple[str, ...]) -> tuple[Shown, datetime]:
        from drystone.l10_engines.certificates import ends  # noqa: PLC0415

        place = self._folder / hosts[0].replace("*", "%2A")
        now = self._clock.now()
        if hosts != OF_THIS_MACHINE and (pair := read_if_exists(place / "provided.pem")):
            shown = _split(hosts, pair)
            if ends(shown.certificate) > now:
                return shown, ends(shown.certificate)
        if pair := read_if_exists(place / "pair.pem"):
            shown = _split(hosts, pair)
            due = ends(shown.certificate) - LIFE + RENEWED_AFTER
            if due > now and self._is_for(shown, names):
                return shown, due
        addresses = _ADDRESSES if hosts == OF_THIS_MACHINE else ()
        made = self._issuer.issue(EDGE, hosts[0], hosts=names, life=LIFE, addresses=addresses)
        make_private(place)
        write_atomically(place / "pair.pem", made.key + made.certificate)
        return Shown(hosts, made.certificate, made.key), now + RENEWED_AFTER


def _split(hosts: tuple[str, ...], pair: bytes) -> Shown:
    key, end, certificate = pair.partition(_END)
    return Shown(hosts, certificate, key + end)
