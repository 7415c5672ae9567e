"""Encryption with keys of an account: AES-256-GCM.

The simulator's own cipher is a stand-in: nothing would notice a changed ciphertext. What a service encrypts here is encrypted.
A sealed text is the key's id (36 bytes), a version (1), a nonce (12 random bytes) and the ciphertext with its tag; the
encryption context is authenticated, as at AWS. A key may seal 2**32 texts (NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from drystone.l10_engines.aws import simulator
from drystone.l10_engines.aws.signature import Refused

ACTIONS = frozenset(
    ("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext")
)

_VERSION = b"\x01"
_ID = 36
_NONCE = 12
MOST = 4096
"""Bytes that are encrypted at once, as at AWS; more are encrypted with a data key."""


def answer(
    action: str, data: Mapping[str, Any], account: str, region: str
) -> dict[str, Any] | None:
    """Answer one of :data:`ACTIONS`.

    Args:
        action: Which.
        data: What the request says.
        account: Of the one who asks.
        region: In which region.

    Returns:
        The answer; None when the key is none of these, and the simulator is to answer.

    Raises:
        Refused: The key is not there or cannot be used, or the ciphertext is not one of it.
    """
    context = data.get("EncryptionContext") or {}
    if action in ("Decrypt", "ReEncrypt"):
        sealed = _bytes(data, "CiphertextBlob")
        wanted = str(data.get("KeyId" if action == "Decrypt" else "SourceKeyId") or "")
        if action == "ReEncrypt":
            context = data.get("SourceEncryptionContext") or {}
        key = _key(
            sealed[:_ID].decode("ascii", "replace"),
            account,
            region,
            missing="InvalidCiphertextException",
        )
        if wanted and _key(wanted, account, region)["KeyId"] != key["KeyId"]:
            raise Refused(
                "IncorrectKeyException", "the ciphertext is of another key than the one named"
            )
        if "_symmetric_key" not in key:
            return None
        plain = _open(key, sealed, context)
        if action == "Decrypt":
            return {**_named(key), "Plaintext": _text(plain)}
        target = _key(str(data.get("DestinationKeyId", "")), account, region)
        new = _seal(target, plain, data.get("DestinationEncryptionContext") or {})
        return {"CiphertextBlob": _text(new), "SourceKeyId": key["Arn"], "KeyId": target["Arn"]}
    key = _key(str(data.get("KeyId", "")), account, region)
    if "_symmetric_key" not in key:
        return None
    if action == "Encrypt":
        plain = _bytes(data, "Plaintext")
        if not 0 < len(plain) <= MOST:
            raise Refused(
                "ValidationException", f"1 to {MOST} bytes are encrypted at once; use a data key"
            )
        return {**_named(key), "CiphertextBlob": _text(_seal(key, plain, context))}
    plain = os.urandom(_length(data))
    made = {"KeyId": key["Arn"], "CiphertextBlob": _text(_seal(key, plain, context))}
    return made if action != "GenerateDataKey" else {**made, "Plaintext": _text(plain)}


def _key(
    name: str, account: str, region: str, *, missing: str = "NotFoundException"
) -> dict[str, Any]:
    key = simulator.key_of(account, region, name)
    if key is None:
        raise Refused(missing, f"the account has no key {name[:200]!r}")
    if simulator.key_trouble(key) is not None:
        raise Refused(
            "DisabledException", f"the key {key['KeyId']} cannot be used: it is {key['KeyState']}"
        )
    return key


def _named(key: Mapping[str, Any]) -> dict[str, str]:
    return {"KeyId": key["Arn"], "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def _beside(key: Mapping[str, Any], context: Mapping[str, str]) -> bytes:
    return json.dumps([key["Arn"], context], sort_keys=True).encode()


def _seal(key: Mapping[str, Any], plain: bytes, context: Mapping[str, str]) -> bytes:
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(key["_symmetric_key"]).encrypt(nonce, plain, _beside(key, context))
    return str(key["KeyId"]).encode() + _VERSION + nonce + sealed


def _open(key: Mapping[str, Any], sealed: bytes, context: Mapping[str, str]) -> bytes:
    begin = _ID + len(_VERSION)
    nonce, content = sealed[begin : begin + _NONCE], sealed[begin + _NONCE :]
    try:
        if sealed[_ID:begin] == _VERSION and len(nonce) == _NONCE:
            return AESGCM(key["_symmetric_key"]).decrypt(nonce, content, _beside(key, context))
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
