"""Makes certificates: the one place that knows how they are put together (RFC 5280; ECDSA on P-256).

Who makes authorities of which kind, and how long what lives, is decided by those who call this.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typing_extensions import override

TOLERANCE = timedelta(days=2)
"""A certificate is valid from so long before it was made: a clock may be set back afterwards."""

_EVERY_USE = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class Pair(msgspec.Struct, frozen=True):
    """A certificate and the private key that belongs to it, both as PEM.

    Attributes:
        certificate: For everybody.
        key: PKCS #8, without a password; for its owner alone.
    """

    certificate: bytes
    key: bytes

    @override
    def __repr__(self) -> str:
        return "Pair(…)"


class Within(msgspec.Struct, frozen=True):
    """The only names for which an authority may sign (RFC 5280 section 4.2.1.10).

    Attributes:
        domains: Each with all that lies below it.
        networks: Such as ``127.0.0.0/8``.
    """

    domains: tuple[str, ...]
    networks: tuple[str, ...]


def make_authority(
    name: str, *, life: timedelta, within: Within | None = None, key: bytes | None = None
) -> Pair:
    """Make an authority that signs certificates, and none of further authorities.

    Args:
        name: What people read in it.
        life: How long it is valid from now on.
        within: The names for which it may sign; any when None.
        key: Its private key as PEM; a new one when None.
    """
    own = _loaded(key) if key else ec.generate_private_key(ec.SECP256R1())
    builder = _begin(name, name, own, life).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    builder = builder.add_extension(_usage(is_authority=True), critical=True)
    if within is not None:
        domains = [x509.DNSName(domain) for domain in within.domains]
        networks = [x509.IPAddress(ipaddress.ip_network(one)) for one in within.networks]
        builder = builder.add_extension(
            x509.NameConstraints([*domains, *networks], None), critical=True
        )
    return _signed(builder, own, own)


def make_certificate(
    name: str,
    *,
    authority: Pair,
    life: timedelta,
    domains: Sequence[str] = (),
    addresses: Sequence[str] = (),
    is_client: bool = False,
    is_server: bool = True,
    now: datetime | None = None,
) -> Pair:
    """Make a certificate with a new key.

    Args:
        name: What people read in it.
        authority: Who signs it.
        life: How long it is valid from now on.
        domains: Names of the server that shows it.
        addresses: IP addresses of the server that shows it.
        is_client: Whether clients may show it, too.
        is_server: Whether servers may.
        now: From when on its life counts; the time of this machine when None.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    own = ec.generate_private_key(ec.SECP256R1())
    builder = _begin(name, "", own, life, now).issuer_name(issuer.subject)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    builder = builder.add_extension(_usage(is_authority=False), critical=True)
    uses = [use for use, may in zip(_EVERY_USE, (is_server, is_client), strict=True) if may]
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    names = [
        *(x509.DNSName(domain) for domain in domains),
        *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses),
    ]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _signed(builder, own, _loaded(authority.key))


def private_key(kind: Literal["rsa", "ed25519"]) -> str:
    """Make a private key for whatever somebody wants to sign.

    Args:
        kind: RSA of 3072 bits, or Ed25519.

    Returns:
        PKCS #8 as PEM, without a password.
    """
    made = (
        rsa.generate_private_key(public_exponent=65537, key_size=3072)
        if kind == "rsa"
        else ed25519.Ed25519PrivateKey.generate()
    )
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ends(certificate: bytes) -> datetime:
    """Return until when a certificate is valid."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def serial_of(certificate: bytes) -> str:
    """Return the number of a certificate, in hexadecimal."""
    return f"{x509.load_pem_x509_certificate(certificate).serial_number:x}"


def hosts_of(certificate: bytes) -> tuple[str, ...]:
    """Return the names that a certificate is for."""
    try:
        found = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in found.value.get_values_for_type(x509.DNSName))


def due(certificate: bytes) -> datetime:
    """Return when two thirds of the life of a certificate that was made here are over, and another is to take its place."""
    loaded = x509.load_pem_x509_certificate(certificate)
    life = loaded.not_valid_after_utc - loaded.not_valid_before_utc - TOLERANCE
    return loaded.not_valid_after_utc - life / 3


def facts_of(certificate: bytes) -> tuple[tuple[str, ...], bool, bool]:
    """Return the names that a certificate is for, and whether servers and clients may show it."""
    loaded = x509.load_pem_x509_certificate(certificate)
    uses = loaded.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    is_server, is_client = (use in uses for use in _EVERY_USE)
    return hosts_of(certificate), is_server, is_client


def is_for(certificate: bytes, host: str) -> bool:
    """Tell whether a certificate is for a host (RFC 9525 section 6.3): a star stands for one label, the first."""
    below = f"*.{host.partition('.')[2]}"
    return not {host, below}.isdisjoint(hosts_of(certificate))


def pkcs8(key: bytes) -> bytes:
    """Return a private key as PEM in PKCS #8, in whatever form of PEM it was.

    Raises:
        ValueError: It cannot be read, or has a password.
    """
    try:
        loaded = load_pem_private_key(key, password=None)
    except (TypeError, UnsupportedAlgorithm) as e:
        raise ValueError("the key has a password, or is of an unknown kind") from e
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def belong_together(certificate: bytes, key: bytes) -> bool:
    """Tell whether a key without a password is the private one of a certificate, the first of its file.

    Raises:
        ValueError: One of them cannot be read.
    """
    own = load_pem_private_key(key, password=None).public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    shown = x509.load_pem_x509_certificate(certificate).public_key()
    return own.public_bytes(*form) == shown.public_bytes(*form)


def _begin(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    life: timedelta,
    now: datetime | None = None,
) -> x509.CertificateBuilder:
    now = now or datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - TOLERANCE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.issuer_name(_name(issuer)) if issuer else builder


def _signed(
    builder: x509.CertificateBuilder,
    own: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
) -> Pair:
    whose = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    signed = builder.add_extension(whose, critical=False).sign(signing, hashes.SHA256())
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(signed.public_bytes(Encoding.PEM), key)


def _loaded(key: bytes) -> ec.EllipticCurvePrivateKey:
    loaded = load_pem_private_key(key, password=None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of an authority is one on an elliptic curve")
    return loaded


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
