"""Which certificate the edge shows for a host: what a person provided, what a service has for it, or one of the platform's.

All of them are files, so that the edge shows the same after whatever becomes of the agent.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.proxy.edge import SecureEdge, Shown
from drystone.l10_engines.proxy.edge_tls import OF_THIS_MACHINE
from drystone.l10_engines.proxy.edge_way_hosts import domains_of
from drystone.l20_trust.certificates.api import EDGE
from drystone.l25_deployer.local.https import Https
from drystone.l25_deployer.local.resources.port import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from drystone.l00_kernel.clock import Clock
    from drystone.l10_engines.proxy.edge import EdgeService
    from drystone.l20_trust.certificates.issuer import Issuer
    from drystone.l20_trust.certificates.shown import KeyAndCertificate, ShownFiles
    from drystone.l25_deployer.local.resources.certificate import ServiceCertificates
    from drystone.l25_deployer.local.ways_in import Ways

LIFE = timedelta(days=90)
_ADDRESSES = ("127.0.0.1", "::1")


class _Wanted(msgspec.Struct, frozen=True):
    """What a certificate is to be.

    Attributes:
        names: What it is for.
        held: Where a service has one for it: environment, service and resource.
    """

    names: tuple[str, ...]
    held: tuple[str, str, str] | None = None


class _Known(msgspec.Struct, frozen=True):
    """A certificate that was chosen.

    Attributes:
        shown: What is shown.
        due: When another is to be chosen.
        wanted: What it was chosen for.
    """

    shown: Shown
    due: datetime
    wanted: _Wanted


class EdgeCertificates(Https):
    """Shows a certificate for each host that wants one.

    Args:
        files: Those that are shown.
        issuer: Signs those that nobody provides.
        clock: Says when one is to be renewed.
        port: Where the edge answers over HTTPS.
        ways: Knows which service has a certificate for a host.
        held: Those certificates.
    """

    def __init__(
        self,
        files: ShownFiles,
        *,
        issuer: Issuer,
        clock: Clock,
        port: int,
        ways: Ways,
        held: ServiceCertificates,
    ) -> None:
        self._files = files
        self._issuer = issuer
        self._clock = clock
        self._port = port
        self._ways = ways
        self._held = held
        self._known: dict[tuple[str, ...], _Known] = {}
        self._problems: dict[str, str] = {}
        self._looks = 0

    @override
    async def of(self, services: Sequence[EdgeService]) -> SecureEdge | None:
        domains = domains_of(services, secure=True)
        if not domains:
            return None
        environments = {
            host.split(".", 1)[1] for one in services for host in one.hosts if host.count(".") > 1
        }
        below = ("localhost", *(f"*.{one}" for one in sorted(environments)))
        certified = self._ways.certified()
        wanted: dict[tuple[str, ...], _Wanted] = {OF_THIS_MACHINE: _Wanted(below)}
        wanted |= {(one,): _Wanted((one,), certified.get(one)) for one in domains}
        looks = self._looks
        chosen, problems = await asyncio.to_thread(self._all, wanted, self._known)
        self._problems = problems
        if (
            looks == self._looks
        ):  # otherwise a file has changed meanwhile, and the next look is a new one
            self._known = chosen
        return SecureEdge(self._port, tuple(one.shown for one in chosen.values()))

    @override
    def problem(self, host: str) -> str:
        return self._problems.get(host, "")

    @override
    def is_due(self) -> bool:
        now = self._clock.now()
        return bool(self._problems) or any(one.due <= now for one in self._known.values())

    def forget(self) -> None:
        """Look at every file anew the next time."""
        self._known = {}
        self._looks += 1

    def _all(
        self,
        every: Mapping[tuple[str, ...], _Wanted],
        before: Mapping[tuple[str, ...], _Known],
    ) -> tuple[dict[tuple[str, ...], _Known], dict[str, str]]:
        """Return a certificate for each host, and why some have none or an old one."""
        now = self._clock.now()
        chosen: dict[tuple[str, ...], _Known] = {}
        problems: dict[str, str] = {}
        for hosts, wanted in every.items():
            known = before.get(hosts)
            if known is None or known.due <= now or known.wanted != wanted:
                try:
                    known = self._chosen(hosts, wanted, now)
                except (PlatformError, OSError, ValueError) as e:
                    problems[hosts[0]] = str(e)
            if known is not None:
                chosen[hosts] = known
        return chosen, problems

    def _chosen(self, hosts: tuple[str, ...], wanted: _Wanted, now: datetime) -> _Known:
        from drystone.l10_engines.certificates import due, ends, hosts_of  # noqa: PLC0415 - takes 40 ms

        if hosts != OF_THIS_MACHINE:
            provided = self._files.provided(hosts[0])
            held = self._held.held(Owner(*wanted.held)) if wanted.held else None
            if provided is not None and ends(provided.certificate) > now:
                return _Known(_shown(hosts, provided), ends(provided.certificate), wanted)
            if held is not None and ends(held.certificate) > now:
                return _Known(_shown(hosts, held), due(held.certificate), wanted)
        pair = self._files.issued(hosts[0])
        is_valid = pair is not None and due(pair.certificate) > now
        if pair is not None and is_valid and set(wanted.names) <= set(hosts_of(pair.certificate)):
            return _Known(_shown(hosts, pair), due(pair.certificate), wanted)
        addresses = _ADDRESSES if hosts == OF_THIS_MACHINE else ()
        made = self._issuer.issue(
            EDGE, hosts[0], hosts=wanted.names, life=LIFE, addresses=addresses
        )
        self._files.write_issued(hosts[0], made.key, made.certificate)
        return _Known(Shown(hosts, made.certificate, made.key), due(made.certificate), wanted)


def _shown(hosts: tuple[str, ...], pair: KeyAndCertificate) -> Shown:
    return Shown(hosts, pair.certificate, pair.key)
