"""Encryption with keys of an account: AES-256-GCM.

The simulator's own cipher is a stand-in: nothing would notice a changed ciphertext. What a service encrypts here is encrypted.
A sealed text is the key's id (36 bytes), a form (1), from the second version of a key on its number (4, big-endian), a nonce (12
random bytes) and the ciphertext with its tag; the encryption context is authenticated, as at AWS. A version may seal 2**32 texts
(NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drystone.l10_engines.aws import versions
from drystone.l10_engines.aws.key_finding import Asker, Use, account_of, find
from drystone.l10_engines.aws.signature import Refused

ACTIONS = frozenset(
    ("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext")
)
NAMES = frozenset(("KeyId", "SourceKeyId", "DestinationKeyId"))
"""What of a request for one of these names keys, which may be another account's."""

_FIRST, _LATER = b"\x01", b"\x02"
"""Forms of a sealed text: of the first version of a key, and of a later one."""

_ID = 36
_NUMBER = 4
_NONCE = 12
MOST = 4096
"""Bytes that are encrypted at once, as at AWS; more are encrypted with a data key."""


class Sealed(msgspec.Struct, frozen=True):
    """An answer.

    Attributes:
        content: It.
        changed: Accounts of which a key was given a new version, which is to be on disk before the answer goes out.
    """

    content: dict[str, Any]
    changed: frozenset[str] = frozenset()


def answer(action: str, data: Mapping[str, Any], asker: Asker, now: datetime) -> Sealed | None:
    """Answer one of :data:`ACTIONS`, or of those of versions.

    Args:
        action: Which.
        data: What the request says.
        asker: Who asks.
        now: The time.

    Returns:
        The answer; None when the key is none of these, and the simulator is to answer.

    Raises:
        Refused: The key is not there or cannot be used, or the ciphertext is not one of it.
    """
    if action in versions.ACTIONS:
        key = _key(data, "KeyId", asker, "encrypt")
        if account_of(key) != asker.account:
            raise Refused(
                "AccessDeniedException", "versions of a key are its own service's business"
            )
        return Sealed(versions.answer(action, key, now))
    if action in ("Decrypt", "ReEncrypt"):
        return _decrypted(action, data, asker, now)
    key = _key(data, "KeyId", asker, "encrypt")
    if "_symmetric_key" not in key:
        return None
    context = data.get("EncryptionContext") or {}
    if action == "Encrypt":
        plain = _bytes(data, "Plaintext")
        if not 0 < len(plain) <= MOST:
            raise Refused(
                "ValidationException", f"1 to {MOST} bytes are encrypted at once; use a data key"
            )
        made = _named(key)
    else:
        plain = os.urandom(_length(data))
        made = {"KeyId": key["Arn"]}
        if action == "GenerateDataKey":
            made["Plaintext"] = _text(plain)
    changed = _renewed(key, now)
    return Sealed({**made, "CiphertextBlob": _text(_seal(key, plain, context))}, changed)


def _decrypted(action: str, data: Mapping[str, Any], asker: Asker, now: datetime) -> Sealed | None:
    name, beside = "KeyId", "EncryptionContext"
    if action == "ReEncrypt":
        name, beside = "SourceKeyId", "SourceEncryptionContext"
    sealed = _bytes(data, "CiphertextBlob")
    id_ = sealed[:_ID].decode("ascii", "replace")
    key = find(id_, asker, "decrypt", missing="InvalidCiphertextException")
    if data.get(name) and _key(data, name, asker, "decrypt")["KeyId"] != key["KeyId"]:
        raise Refused(
            "IncorrectKeyException", "the ciphertext is of another key than the one named"
        )
    if "_symmetric_key" not in key:
        return None
    plain = _open(key, sealed, data.get(beside) or {})
    if action == "Decrypt":
        return Sealed({**_named(key), "Plaintext": _text(plain)})
    target = _key(data, "DestinationKeyId", asker, "encrypt")
    if "_symmetric_key" not in target:
        raise Refused(
            "InvalidKeyUsageException", "what is encrypted anew here is so with a symmetric key"
        )
    changed = _renewed(target, now)
    new = _seal(target, plain, data.get("DestinationEncryptionContext") or {})
    content = {"CiphertextBlob": _text(new), "SourceKeyId": key["Arn"], "KeyId": target["Arn"]}
    return Sealed(content, changed)


def _key(data: Mapping[str, Any], name: str, asker: Asker, use: Use) -> dict[str, Any]:
    return find(str(data.get(name) or ""), asker, use, missing="NotFoundException")


def _renewed(key: dict[str, Any], now: datetime) -> frozenset[str]:
    """Give a key a new version if one is due; return its account if it was given one."""
    return frozenset([account_of(key)]) if versions.add_if_due(key, now) else frozenset()


def _named(key: Mapping[str, Any]) -> dict[str, str]:
    return {"KeyId": key["Arn"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def _beside(key: Mapping[str, Any], context: Mapping[str, str]) -> bytes:
    return json.dumps([key["Arn"], context], sort_keys=True).encode()


def _seal(key: Mapping[str, Any], plain: bytes, context: Mapping[str, str]) -> bytes:
    nonce = os.urandom(_NONCE)
    number, material = versions.newest(key)
    sealed = AESGCM(material).encrypt(nonce, plain, _beside(key, context))
    form = _LATER + number.to_bytes(_NUMBER, "big") if number else _FIRST
    return str(key["KeyId"]).encode() + form + nonce + sealed


def _open(key: Mapping[str, Any], sealed: bytes, context: Mapping[str, str]) -> bytes:
    form, content, number = sealed[_ID : _ID + 1], sealed[_ID + 1 :], 0
    if form == _LATER:
        number, content = int.from_bytes(content[:_NUMBER], "big"), content[_NUMBER:]
    material = versions.material(key, number) if form in (_FIRST, _LATER) else None
    nonce, content = content[:_NONCE], content[_NONCE:]
    try:
        if material is not None and len(nonce) == _NONCE:
            return AESGCM(material).decrypt(nonce, content, _beside(key, context))
    except InvalidTag:
        pass  # said below, as of one that is cut short
    raise Refused(
        "InvalidCiphertextException",
        "the ciphertext was changed, or its encryption context is another one",
    )


def _bytes(data: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(str(data.get(name, "")), validate=True)
    except (binascii.Error, ValueError) as e:
        raise Refused("SerializationException", f"{name} is not base64") from e


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _length(data: Mapping[str, Any]) -> int:
    if data.get("KeySpec") in ("AES_128", "AES_256"):
        return 16 if data["KeySpec"] == "AES_128" else 32
    wanted = data.get("NumberOfBytes")
    if not isinstance(wanted, int) or not 1 <= wanted <= 1024:
        raise Refused(
            "ValidationException",
            "a data key has a KeySpec, AES_128 or AES_256, or 1 to 1024 bytes",
        )
    return wanted
