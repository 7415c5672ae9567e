"""Certificates by which the parts of one object store know each other, and nobody else.

SeaweedFS' gRPC ports ask for no key: whoever reaches one may list, read and write everything in the store. What
guards them is mutual TLS (``weed scaffold -config=security``). The authority is made for one start of the
store, signs one certificate that all parts share, and is forgotten: nothing else can ever be signed by it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from drystone.l00_kernel.atomic import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_TOLERANCE = timedelta(days=2)
"""For a clock that is set back after the start."""

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
    """Make new certificates in a folder, in the place of earlier ones (RFC 5280; ECDSA on P-256)."""
    files = Certificates(folder / "authority.pem", folder / "parts.pem", folder / "parts-key.pem")
    folder.mkdir(mode=0o700, exist_ok=True)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("authority", authority_key, authority_key, is_authority=True)
    parts = _certificate("parts", key, authority_key, is_authority=False)
    write_atomically(files.authority, authority.public_bytes(Encoding.PEM))
    write_atomically(files.certificate, parts.public_bytes(Encoding.PEM))
    write_atomically(
        files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return files


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _TOLERANCE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        uses = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(part: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"drystone object store {part}")])
