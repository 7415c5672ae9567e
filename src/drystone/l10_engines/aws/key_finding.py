"""Which key a request means: one of the asker's account, or one that its owner lets the asker use. Nothing else is told of others' keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from drystone.l10_engines.aws import simulator
from drystone.l10_engines.aws.signature import Refused

Use: TypeAlias = Literal["encrypt", "decrypt"]

_GRANTS = "_grants"
"""Field of a record: by use the owners that may, beside the key's own."""

_ARN = re.compile(r"arn:aws:kms:[a-z0-9-]+:(\d{12}):(?:key|alias)/[A-Za-z0-9/_-]{1,256}")
_ID = re.compile(r"[0-9a-f-]{36}")


class Asker(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        account: Number of the account.
        owner: Whose it is.
        region: In which region.
    """

    account: str
    owner: str
    region: str


def account_of(record: Mapping[str, Any]) -> str:
    """Return the number of the account that a key is in."""
    return str(record["Arn"]).split(":")[4]


def grant(record: dict[str, Any], uses: Mapping[Use, tuple[str, ...]]) -> None:
    """Say who may use a key beside its owner, in place of what was said before."""
    record[_GRANTS] = {use: list(owners) for use, owners in uses.items()}


def find(name: str, asker: Asker, use: Use, *, missing: str) -> dict[str, Any]:
    """Return the record of a key.

    Args:
        name: Its id, alias or ARN, or the beginning of a ciphertext.
        asker: Who asks.
        use: What for.
        missing: How it is refused when there is no such key, or none that may be used.

    Raises:
        Refused: There is no such key, or it is another's who does not let the asker use it, or it cannot be used now.
    """
    arn = _ARN.fullmatch(name)
    account = arn[1] if arn is not None else asker.account
    key = None
    if arn is not None or not name.lower().startswith("arn:"):
        key = simulator.key_of(account, asker.region, name)
    if key is None and arn is None and _ID.fullmatch(name):
        account = simulator.account_of_key(asker.region, name) or asker.account
        key = simulator.key_of(account, asker.region, name)
    if account != asker.account:
        key = key if _may(key, asker.owner, use) else None
    if key is None:
        whose = "the account" if account == asker.account else "another account"
        raise Refused(
            missing if account == asker.account or arn is None else "AccessDeniedException",
            f"{whose} has no key {name[:200]!r} with which this service may {use}; the service that has it names those that may"
            f" with '{use}'",
        )
    if simulator.key_trouble(key) is not None:
        raise Refused(
            "DisabledException", f"the key {key['KeyId']} cannot be used: it is {key['KeyState']}"
        )
    return key


def _may(key: Mapping[str, Any] | None, owner: str, use: Use) -> bool:
    return (
        key is not None
        and "_symmetric_key" in key
        and bool(owner)
        and owner in key.get(_GRANTS, {}).get(use, ())
    )
