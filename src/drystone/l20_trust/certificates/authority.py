"""The certificate authority of one home, and the certificates that its servers show.

The authority is made once and lasts ten years; it can sign for this machine alone (localhost and what lies below it, the
loopback addresses), so that whoever trusts it trusts nothing else, and a stolen key of it is worth nothing elsewhere.
What servers show is short-lived and made anew when a third of its life is over. Who makes it needs nothing but the
folder, so that a server may do so by itself while nobody looks after it::

    python -m drystone.l20_trust.certificates --folder FOLDER --into FOLDER

Everything is a file::

    authority-key.pem  for nobody else's eyes
    ca.pem             what clients trust
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.ownership import make_private

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=30)
RENEWED_AFTER = SERVER_LIFE / 3
"""A server whose certificate cannot be renewed goes on for twenty days."""

DOMAINS, NETWORKS = ("localhost",), ("127.0.0.0/8", "::1/128")
"""The only names for which the authority can sign, with all that lies below them."""

NAMES, ADDRESSES = ("localhost",), ("127.0.0.1", "::1")


class ServerFiles(msgspec.Struct, frozen=True):
    """What a server shows, as files of one folder.

    Attributes:
        pair: Its private key and its certificate in one PEM file, so that both are replaced at once.
        due: When it is to be renewed, as seconds since 1970 (UTC).
    """

    pair: Path
    due: Path


def files_in(folder: Path) -> ServerFiles:
    """Name the files of a server."""
    return ServerFiles(folder / "server.pem", folder / "server.due")


class Authority:
    """The authority of one home.

    Making this object touches nothing.

    Args:
        folder: Where it keeps its files; made when the first certificate is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def certificate(self) -> Path:
        """What clients trust; a file once :meth:`ensure` returned."""
        return self._folder / "ca.pem"

    @property
    def _key(self) -> Path:
        return self._folder / "authority-key.pem"

    def ensure(self) -> None:
        """Make the authority, once and for all. Idempotent; resumes what was cut short.

        Raises:
            DiskFull: There is no room for it.
        """
        if self.certificate.exists():
            return
        # With cryptography, which takes some 40 ms to load.
        from drystone.l10_engines.certificates import Within, make_authority  # noqa: PLC0415

        make_private(self._folder)
        made = make_authority(
            "Drystone, this machine only",
            life=AUTHORITY_LIFE,
            within=Within(DOMAINS, NETWORKS),
            key=read_if_exists(self._key),
        )
        write_atomically(self._key, made.key)
        write_atomically(self.certificate, made.certificate)

    def serve(self, folder: Path) -> ServerFiles:
        """Make what a server of this machine shows, in the place of what it showed before.

        Args:
            folder: The server's own; it exists.

        Raises:
            DiskFull: There is no room for it; the server shows what it showed.
        """
        from drystone.l10_engines.certificates import Pair, ends, make_certificate  # noqa: PLC0415

        self.ensure()
        files = files_in(folder)
        made = make_certificate(
            "Drystone server",
            authority=Pair(self.certificate.read_bytes(), self._key.read_bytes()),
            life=SERVER_LIFE,
            domains=NAMES,
            addresses=ADDRESSES,
        )
        write_atomically(files.pair, made.key + made.certificate)
        due = ends(made.certificate) - SERVER_LIFE + RENEWED_AFTER
        write_atomically(files.due, str(int(due.timestamp())).encode())
        return files
