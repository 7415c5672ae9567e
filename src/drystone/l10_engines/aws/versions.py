"""Versions of keys that encrypt: a new one is used from the moment it is made, and the earlier ones decrypt what they encrypted.

They stand in the record of their key, beside what the simulator keeps there, and so on disk with it. A key is given a new version by
whoever uses it, when its period is over or by ``RotateKeyOnDemand``; whoever only decrypts notices nothing.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from drystone.l10_engines.aws.signature import Refused

ACTIONS = frozenset(("RotateKeyOnDemand", "ListKeyRotations", "GetKeyRotationStatus"))
MOST_ON_DEMAND = 25
"""Versions of one key that may be asked for, as at AWS."""

_EARLIER, _ROTATIONS, _EVERY = "_earlier", "_rotations", "_rotate_every"
"""Fields of a record. The simulator keeps, and shows nobody, what begins with an underscore."""

_DAY = 86400


def newest(record: Mapping[str, Any]) -> tuple[int, bytes]:
    """Return number and key material of the version that encrypts."""
    material: bytes = record["_symmetric_key"]
    return len(record.get(_EARLIER, ())), material


def material(record: Mapping[str, Any], number: int) -> bytes | None:
    """Return the key material of a version; None for one that there is not."""
    earlier = record.get(_EARLIER, ())
    if number == len(earlier):
        found: bytes = record["_symmetric_key"]
        return found
    return base64.b64decode(earlier[number]) if number < len(earlier) else None


def add(record: dict[str, Any], now: datetime, *, kind: str) -> None:
    """Give a key a new version.

    Args:
        record: Of the key.
        now: The time.
        kind: ``AUTOMATIC`` or ``ON_DEMAND``.
    """
    former = base64.b64encode(record["_symmetric_key"]).decode()
    record[_EARLIER] = [*record.get(_EARLIER, ()), former]
    done = {"KeyId": record["KeyId"], "RotationDate": now.timestamp(), "RotationType": kind}
    record[_ROTATIONS] = [*record.get(_ROTATIONS, ()), done]
    record["_symmetric_key"] = os.urandom(32)


def add_if_due(record: dict[str, Any], now: datetime) -> bool:
    """Give a key a new version when its period is over; tell whether it was given one."""
    at = _next(record)
    if at is None or now.timestamp() < at:
        return False
    add(record, now, kind="AUTOMATIC")
    return True


def declare(record: dict[str, Any], every: timedelta) -> None:
    """Let a key have a new version after each period, in place of what a client said."""
    record[_EVERY] = every.total_seconds()
    record["KeyRotationEnabled"] = True
    record["RotationPeriodInDays"] = max(1, round(every.total_seconds() / _DAY))


def answer(action: str, record: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Answer one of :data:`ACTIONS`.

    Raises:
        Refused: The key is not one of these, or has been given as many versions as may be asked for.
    """
    if "_symmetric_key" not in record:
        raise Refused(
            "UnsupportedOperationException",
            f"{record['Arn']} has no versions; symmetric keys that encrypt have",
        )
    rotations = record.get(_ROTATIONS, [])
    if action == "ListKeyRotations":
        return {"Rotations": rotations, "Truncated": False}
    if action == "GetKeyRotationStatus":
        return _status(record)
    asked = sum(one["RotationType"] == "ON_DEMAND" for one in rotations)
    if asked >= MOST_ON_DEMAND:
        raise Refused(
            "LimitExceededException",
            f"{record['Arn']} was given {asked} versions on demand, and no more may be asked for; new ones come at their age",
        )
    add(record, now, kind="ON_DEMAND")
    return {"KeyId": record["KeyId"]}


def _status(record: Mapping[str, Any]) -> dict[str, Any]:
    status = {
        "KeyId": record["KeyId"],
        "KeyRotationEnabled": bool(record.get("KeyRotationEnabled")),
    }
    at = _next(record)
    if at is not None:
        status |= {
            "RotationPeriodInDays": record.get("RotationPeriodInDays", 365),
            "NextRotationDate": at,
        }
    return status


def _next(record: Mapping[str, Any]) -> float | None:
    """Return when the next version is due, in seconds since 1970; None when none is."""
    if not record.get("KeyRotationEnabled") or "_symmetric_key" not in record:
        return None
    days = int(record.get("RotationPeriodInDays", 365))
    every = float(record.get(_EVERY) or days * _DAY)
    rotations = record.get(_ROTATIONS) or [{"RotationDate": record["CreationDate"]}]
    return float(rotations[-1]["RotationDate"]) + every
