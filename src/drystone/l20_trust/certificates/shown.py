"""The files of certificates that the edge shows.

There is a folder for each host::

    <host>/pair.pem       issued by the platform: key and certificate in one file, replaced as a whole
    <host>/provided.pem   the same of a person, which counts as long as it is valid

A wildcard is written with ``%2A`` in place of the star.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l20_trust.certificates.api import ProvidedView
from drystone.l20_trust.certificates.errors import CertificateUnfit

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_KEY_ENDS = b"-----END PRIVATE KEY-----\n"
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
MOST = 64 << 10
"""Bytes of a certificate with those of its authorities."""


class KeyAndCertificate(msgspec.Struct, frozen=True):
    """What a server shows, as PEM; the certificates of authorities in between lie behind its own."""

    key: bytes
    certificate: bytes

    @override
    def __repr__(self) -> str:
        return "KeyAndCertificate(…)"


class ShownFiles:
    """The files below one folder; made with the first.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def issued(self, host: str) -> KeyAndCertificate | None:
        """Return what the platform issued for a host."""
        return _split(read_if_exists(self._place(host) / "pair.pem"))

    def write_issued(self, host: str, key: bytes, certificate: bytes) -> None:
        """Keep what the platform issued.

        Raises:
            DiskFull: There is no room for it.
        """
        make_private(self._place(host))
        write_atomically(self._place(host) / "pair.pem", key + certificate)

    def forget_issued(self, host: str) -> None:
        """Forget what the platform issued, so that it issues another."""
        (self._place(host) / "pair.pem").unlink(missing_ok=True)

    def provided(self, host: str) -> KeyAndCertificate | None:
        """Return what a person provided for a host."""
        return _split(read_if_exists(self._place(host) / "provided.pem"))

    def every_provided(self, now: datetime) -> list[ProvidedView]:
        """List what people provided, by host."""
        hosts = sorted(
            place.parent.name.replace("%2A", "*") for place in self._folder.glob("*/provided.pem")
        )
        found = [(host, self.provided(host)) for host in hosts]
        return [_view(host, one, now) for host, one in found if one is not None]

    def provide(self, host: str, certificate: bytes, key: bytes, now: datetime) -> ProvidedView:
        """Keep what a person provides.

        Raises:
            CertificateUnfit: It cannot be shown for this host; the message never has anything of the key.
            DiskFull: There is no room for it.
        """
        from drystone.l10_engines.certificates import (  # noqa: PLC0415 - takes 40 ms to load
            belong_together,
            ends,
            is_for,
            pkcs8,
        )

        place = self._place(host)
        if len(certificate) > MOST or len(key) > MOST:
            raise CertificateUnfit(f"a certificate and its key have {MOST >> 10} KiB at most each")
        try:
            private = pkcs8(key)
        except ValueError as e:
            raise CertificateUnfit(
                "the key cannot be used: give a private key as PEM, without a password"
            ) from e
        try:
            is_its_own, is_fit, until = (
                belong_together(certificate, private),
                is_for(certificate, host),
                ends(certificate),
            )
        except ValueError as e:
            raise CertificateUnfit(
                "the certificate cannot be read: give it as PEM, with those of its authorities behind it"
            ) from e
        if not is_its_own:
            raise CertificateUnfit("the key is not the one of the first certificate of the file")
        if not is_fit:
            raise CertificateUnfit(f"the certificate is not for {host}", host=host)
        if until <= now:
            raise CertificateUnfit(f"the certificate ended at {until:%Y-%m-%d %H:%M} UTC")
        make_private(place)
        write_atomically(place / "provided.pem", private + certificate)
        return _view(host, KeyAndCertificate(private, certificate), now)

    def withdraw(self, host: str) -> None:
        """Forget what a person provided. Idempotent.

        Raises:
            CertificateUnfit: It is no host.
        """
        (self._place(host) / "provided.pem").unlink(missing_ok=True)

    def _place(self, host: str) -> Path:
        if not _HOST.fullmatch(host) or len(host) > 253:  # it becomes a part of a path
            raise CertificateUnfit(f"{host[:80]!r} is no host: write for example shop.example.com")
        return self._folder / host.replace("*", "%2A")


def _view(host: str, one: KeyAndCertificate, now: datetime) -> ProvidedView:
    from drystone.l10_engines.certificates import ends, serial_of  # noqa: PLC0415

    until = ends(one.certificate)
    return ProvidedView(host, serial_of(one.certificate), until, until > now)


def _split(pair: bytes | None) -> KeyAndCertificate | None:
    if pair is None:
        return None
    key, end, certificate = pair.partition(_KEY_ENDS)
    return KeyAndCertificate(key + end, certificate)
