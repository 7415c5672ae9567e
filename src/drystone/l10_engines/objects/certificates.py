"""Certificates by which the parts of one object store know each other, and nobody else.

SeaweedFS' gRPC ports ask for no key: whoever reaches one may list, read and write everything in the store. What
guards them is mutual TLS (``weed scaffold -config=security``). The authority is made for one start of the
store, signs one certificate that all parts share, and is forgotten: nothing else can ever be signed by it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.certificates import make_authority, make_certificate

if TYPE_CHECKING:
    from pathlib import Path

_LIFE = timedelta(days=3650)
"""Longer than any store runs without a start."""


class Certificates(msgspec.Struct, frozen=True):
    """Files in PEM, readable by their owner alone.

    Attributes:
        authority: Certificate of the authority.
        certificate: The parts' certificate, for both ends of a connection.
        key: Its private key.
    """

    authority: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Certificates:
    """Make new certificates in a folder, in the place of earlier ones."""
    files = Certificates(folder / "authority.pem", folder / "parts.pem", folder / "parts-key.pem")
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = make_authority("drystone object store authority", life=_LIFE)
    parts = make_certificate(
        "drystone object store parts", authority=authority, life=_LIFE, is_client=True
    )
    write_atomically(files.authority, authority.certificate)
    write_atomically(files.certificate, parts.certificate)
    write_atomically(files.key, parts.key)
    return files
