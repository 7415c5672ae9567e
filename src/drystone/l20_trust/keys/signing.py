"""Key pairs and signatures: what tokens need of cryptography, and nothing else.

This takes some 40 ms and a few megabytes to load, so it is imported by those functions that sign or verify.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from typing_extensions import override

if TYPE_CHECKING:
    from drystone.l20_trust.keys.api import Algorithm

RSA_BITS = 2048
_EXPONENT = 65537
_LARGEST_RSA_BITS = 8192
"""A key of somebody else that is longer would take long to verify with."""
_COORDINATE = 32
"""Bytes of each of the two numbers of a signature on P-256 (RFC 7518 section 3.4)."""

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyPair(msgspec.Struct, frozen=True):
    """A new key pair.

    Attributes:
        private: PKCS #8 in PEM, without a password.
        public: SubjectPublicKeyInfo in PEM.
        jwk: The public key as a JSON Web Key.
    """

    private: str
    public: str
    jwk: dict[str, str]

    @override
    def __repr__(self) -> str:
        return "KeyPair(…)"


def make_pair(algorithm: Algorithm) -> KeyPair:
    """Make a key pair: on P-256 for ES256, of 2048 bits for RS256."""
    key: PrivateKey
    if algorithm == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "RS256":
        key = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=RSA_BITS)
    else:
        assert_never(algorithm)
    public = key.public_key()
    return KeyPair(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        _pem(public),
        _jwk(public),
    )


def _jwk(public: PublicKey) -> dict[str, str]:
    if isinstance(public, ec.EllipticCurvePublicKey):
        at = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _number(at.x), "y": _number(at.y)}
    numbers = public.public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {"kty": "RSA", "n": _number(numbers.n, size), "e": _number(numbers.e, 3)}


def _number(value: int, size: int = _COORDINATE) -> str:
    return base64.urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()


def public_pem(jwk: Mapping[str, Any]) -> str | None:
    """Return a JSON Web Key as SubjectPublicKeyInfo in PEM; None where it is no key that signs ES256 or RS256.

    Args:
        jwk: As somebody else published it (RFC 7518 section 6).
    """
    key = _of_others(jwk)
    return None if key is None else _pem(key)


def public_jwk(jwk: Mapping[str, Any]) -> dict[str, str] | None:
    """Return a JSON Web Key with nothing but what signs, written as our own are; None where it is no key of ours.

    A proxy refuses a whole set for one key that is none, so that whoever could put one in would silence all others.

    Args:
        jwk: As somebody else published it (RFC 7518 section 6).
    """
    key = _of_others(jwk)
    if key is None or (isinstance(key, rsa.RSAPublicKey) and key.public_numbers().e != _EXPONENT):
        return None
    return {**_jwk(key), "alg": "ES256" if isinstance(key, ec.EllipticCurvePublicKey) else "RS256"}


def _of_others(jwk: Mapping[str, Any]) -> PublicKey | None:
    try:
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            at = (_integer(jwk["x"]), _integer(jwk["y"]))
            key: PublicKey = ec.EllipticCurvePublicNumbers(*at, ec.SECP256R1()).public_key()
        elif jwk.get("kty") == "RSA":
            key = rsa.RSAPublicNumbers(_integer(jwk["e"]), _integer(jwk["n"])).public_key()
        else:
            return None
    except (KeyError, TypeError, ValueError):
        return None
    if isinstance(key, rsa.RSAPublicKey) and not RSA_BITS <= key.key_size <= _LARGEST_RSA_BITS:
        return None
    return key


def _pem(key: PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _integer(text: str) -> int:
    """Read a number of a JSON Web Key (RFC 7518 section 2, Base64urlUInt).

    Raises:
        ValueError: It is none.
    """
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def load_private(pem: str) -> PrivateKey:
    """Load a private key that was made here: to check an RSA key again would take as long as two hundred signatures."""
    key = load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError("a key of services is one on P-256, or an RSA key")
    return key


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign as ES256 or RS256 does, by the kind of the key (RFC 7518 sections 3.3 and 3.4)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


@functools.lru_cache(maxsize=512)
def _loaded(pem: str) -> PublicKey | None:
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS else None


def is_signed(public: str, algorithm: str, message: bytes, signature: bytes) -> bool:
    """Tell whether the owner of a key signed a message with an algorithm.

    Args:
        public: The key in PEM; one of another kind than the algorithm's has signed nothing.
        algorithm: ``ES256`` or ``RS256``; nothing is signed with any other.
        message: What is said to be signed.
        signature: As it stands in a token.
    """
    key = _loaded(public)
    try:
        if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey):
            if len(signature) != 2 * _COORDINATE:
                return False
            r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
            return True
        if algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
            return True
    except InvalidSignature:
        return False
    return False
