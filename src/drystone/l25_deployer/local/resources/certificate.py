"""Certificates of services: files that one service alone may read, renewed without it.

They lie so::

    <environment>.<service>.<resource>/current                a link to the newest of the folders
    <environment>.<service>.<resource>/<serial>/certificate.pem, key.pem, authority.pem

Instances in containers have users of their own, so that every user may read what is theirs; but nobody comes past the folder of
all, which is the platform's alone, except those whose sandbox or container shows them one folder in it. The link is
replaced as a whole, so that a key always lies beside its certificate; the folder before stays until the next renewal.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, sync_folder, write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l00_kernel.removal import remove_tree
from drystone.l00_kernel.shortage import needs_room
from drystone.l20_trust.certificates.shown import KeyAndCertificate
from drystone.l25_deployer.local.resources.port import Owner, ResourceDriver
from drystone.l25_deployer.stacks.ways import Certificate

if TYPE_CHECKING:
    from datetime import datetime

    from drystone.l00_kernel.clock import Clock
    from drystone.l20_trust.certificates.issuer import Issuer
    from drystone.l25_deployer.local.ways_in import Ways

_CURRENT = "current"
_FOR_ALL, _FOR_READERS = 0o755, 0o644
_KEPT = 2


class ServiceCertificates(ResourceDriver[Certificate]):
    """Issues certificates to services.

    Args:
        folder: With a folder for each.
        issuer: Signs them.
        ways: Knows whose a name is.
        clock: Says when one is to be renewed.
    """

    engine = "file system"

    def __init__(self, folder: Path, *, issuer: Issuer, ways: Ways, clock: Clock) -> None:
        self._folder = folder
        self._issuer = issuer
        self._ways = ways
        self._clock = clock
        self._due: dict[Owner, tuple[Certificate, datetime]] = {}

    def folder(self, owner: Owner) -> Path:
        """Return the folder that a service may read."""
        return self._folder / owner.name

    def held(self, owner: Owner) -> KeyAndCertificate | None:
        """Return what a service has; None where it has nothing."""
        at = (self.folder(owner) / _CURRENT).resolve()
        key, certificate = read_if_exists(at / "key.pem"), read_if_exists(at / "certificate.pem")
        return KeyAndCertificate(key, certificate) if key and certificate else None

    @override
    async def apply(self, owner: Owner, wanted: Certificate) -> dict[str, str]:
        hosts = names_of(owner, wanted)
        self._ways.require_names(f"{owner.service}.{owner.environment}", hosts)
        known = self._due.get(owner)
        if known is None or known[0] != wanted or known[1] <= self._clock.now():
            await asyncio.to_thread(self._ensure, owner, wanted, hosts)
        current = self.folder(owner) / _CURRENT
        return {name: str(current / f"{name}.pem") for name in ("certificate", "key", "authority")}

    async def renew(self, owner: Owner, wanted: Certificate) -> None:
        """Issue another at once.

        Raises:
            DiskFull: There is no room for it.
        """
        await asyncio.to_thread(self._issue, owner, wanted, names_of(owner, wanted))

    @override
    async def remove(self, owner: Owner, wanted: Certificate) -> None:
        self._due.pop(owner, None)
        await asyncio.to_thread(self._issuer.end, _whose(owner), owner.resource)
        await asyncio.to_thread(remove_tree, self.folder(owner))

    @override
    async def suspend(self, owner: Owner) -> None:
        return

    def _ensure(self, owner: Owner, wanted: Certificate, hosts: tuple[str, ...]) -> None:
        from drystone.l10_engines.certificates import due, facts_of  # noqa: PLC0415 - takes 40 ms

        held, now = self.held(owner), self._clock.now()
        if held is not None:
            facts = (hosts, wanted.use != "client", wanted.use != "server")
            is_fit = due(held.certificate) <= now + _life(wanted) * 2 / 3
            if now < due(held.certificate) and is_fit and facts_of(held.certificate) == facts:
                self._due[owner] = (wanted, due(held.certificate))
                return
        self._issue(owner, wanted, hosts)

    def _issue(self, owner: Owner, wanted: Certificate, hosts: tuple[str, ...]) -> None:
        from drystone.l10_engines.certificates import serial_of  # noqa: PLC0415

        made = self._issuer.issue(
            _whose(owner), owner.resource, hosts=hosts, life=_life(wanted), use=wanted.use
        )
        make_private(self._folder)
        folder = self.folder(owner)
        new = folder / serial_of(made.certificate)
        for place in (folder, new):
            place.mkdir(exist_ok=True)
            place.chmod(_FOR_ALL)
        authority = self._issuer.ensure()
        for name, content in (
            ("certificate", made.certificate),
            ("key", made.key),
            ("authority", authority),
        ):
            write_atomically(new / f"{name}.pem", content, mode=_FOR_READERS)
        with needs_room(folder):
            beside = folder / f".{secrets.token_hex(8)}"
            beside.symlink_to(new.name)
            os.replace(beside, folder / _CURRENT)  # noqa: PTH105 - over a link
        sync_folder(folder)
        self._due[owner] = (wanted, self._clock.now() + _life(wanted) * 2 / 3)
        _clear(folder)


def names_of(owner: Owner, wanted: Certificate) -> tuple[str, ...]:
    """Return what a certificate is for."""
    return wanted.hosts or (f"{owner.service}.{owner.environment}.localhost",)


def _clear(folder: Path) -> None:
    """Remove what is older than the one before, and links that were never put in place."""
    made = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
    for old in sorted(made, key=lambda one: one.stat().st_mtime_ns)[:-_KEPT]:
        remove_tree(old)
    for left in folder.glob(".*"):
        left.unlink(missing_ok=True)


def _life(wanted: Certificate) -> timedelta:
    return timedelta(days=wanted.days)


def _whose(owner: Owner) -> str:
    return f"{owner.environment}/{owner.service}"
