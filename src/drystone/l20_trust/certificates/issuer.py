"""Certificates for services: issued by an authority of this platform, and written down.

Unlike the authority of the platform's own servers this one can sign for any name, since services have names in any domain. Who
trusts it trusts this platform with every name, so that nobody should who does not run it. What it issues is short-lived; what
is to end earlier is replaced: there are no lists of revoked certificates.

Everything is a file::

    authority-key.pem  for nobody else's eyes
    authority.pem      what clients trust
    issued.json        what was issued, and what became of it
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l20_trust.certificates.api import Issued
from drystone.l20_trust.certificates.errors import IssuedUnreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from drystone.l00_kernel.clock import Clock
    from drystone.l10_engines.certificates import Pair
    from drystone.l20_trust.certificates.api import State, Use

AUTHORITY_LIFE = timedelta(days=3650)
REMEMBERED = timedelta(days=30)
"""How long it is remembered what a certificate was that has ended."""

MOST_REMEMBERED = 5000


class Issuer:
    """The authority for services of one home. May be used by several threads.

    Making this object touches nothing.

    Args:
        folder: Where it keeps its files; made with the first certificate.
        clock: Says from when on a certificate is valid.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def authority(self) -> Path:
        """What clients trust; a file once something was issued or :meth:`ensure` returned."""
        return self._folder / "authority.pem"

    def ensure(self) -> bytes:
        """Return the certificate of the authority, which is made once and for all.

        Raises:
            DiskFull: There is no room for it.
        """
        with self._lock:
            return self._pair().certificate

    def issue(
        self,
        owner: str,
        name: str,
        *,
        hosts: Sequence[str],
        life: timedelta,
        use: Use = "server",
        addresses: Sequence[str] = (),
    ) -> Pair:
        """Issue a certificate with a new key; what its owner had for the same is replaced.

        Args:
            owner: Whose it is.
            name: What of the owner's it is for.
            hosts: Names that it is for; ``*.`` before one stands for one label.
            life: How long it is valid from now on.
            use: What it may be shown as.
            addresses: IP addresses that it is for.

        Raises:
            DiskFull: There is no room to write it down; nothing was issued.
            IssuedUnreadable: What was issued cannot be read.
        """
        from drystone.l10_engines.certificates import make_certificate, serial_of  # noqa: PLC0415

        now = self._clock.now()
        with self._lock:
            authority = self._pair()
            made = make_certificate(
                f"{name} of {owner}"[:64],
                authority=authority,
                life=life,
                domains=hosts,
                addresses=addresses,
                is_client=use != "server",
                is_server=use != "client",
                now=now,
            )
            issued = Issued(
                serial_of(made.certificate), owner, name, tuple(hosts), use, now, now + life
            )
            self._write([*self._without(owner, name, "replaced"), issued])
        return made

    def end(self, owner: str, name: str) -> None:
        """Write down that nobody has a certificate any more.

        Raises:
            DiskFull: There is no room to write it.
            IssuedUnreadable: See :meth:`issue`.
        """
        with self._lock:
            self._write(self._without(owner, name, "ended"))

    def every(self) -> list[Issued]:
        """Return every certificate that is remembered, the newest last.

        Raises:
            IssuedUnreadable: See :meth:`issue`.
        """
        found = read_if_exists(self._folder / "issued.json")
        if found is None:
            return []
        try:
            return msgspec.json.decode(found, type=list[Issued])
        except msgspec.MsgspecError as e:
            raise IssuedUnreadable(
                f"{self._folder / 'issued.json'} cannot be read ({e}); restore it from a copy, or remove it: what was"
                " issued goes on to be valid, and is not listed any more"
            ) from e

    def _without(self, owner: str, name: str, state: State) -> list[Issued]:
        return [
            msgspec.structs.replace(one, state=state)
            if (one.owner, one.name, one.state) == (owner, name, "valid")
            else one
            for one in self.every()
        ]

    def _write(self, every: list[Issued]) -> None:
        oldest = self._clock.now() - REMEMBERED
        kept = [one for one in every if one.until > oldest][-MOST_REMEMBERED:]
        make_private(self._folder)
        write_atomically(self._folder / "issued.json", msgspec.json.encode(kept))

    def _pair(self) -> Pair:
        """Return the authority; half-made, it is finished with the same key."""
        from drystone.l10_engines.certificates import Pair, make_authority  # noqa: PLC0415

        key_file = self._folder / "authority-key.pem"
        key, certificate = read_if_exists(key_file), read_if_exists(self.authority)
        if key is not None and certificate is not None:
            return Pair(certificate, key)
        make_private(self._folder)
        made = make_authority("Drystone, services of one platform", life=AUTHORITY_LIFE, key=key)
        write_atomically(key_file, made.key)
        write_atomically(self.authority, made.certificate, mode=0o644)
        return made
