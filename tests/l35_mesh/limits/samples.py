"""Limits that tests of several modules use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import structs

from drystone.l25_deployer.stacks.limits import Limit

_LIMIT = Limit(
    count=5,
    period=timedelta(hours=1),
    match="*",
    per="caller",
    counted="local",
    algorithm="token-bucket",
)
"""An hour is so long that nothing is given back while a test runs."""


def limit(*, closed: bool = False, **changes: Any) -> Limit:
    """Return a limit of five calls an hour, with changes."""
    made = structs.replace(_LIMIT, **changes)
    if made.header is not None:
        made = structs.replace(made, per="header")
    if made.counted == "exact":
        made = structs.replace(made, when_down="closed" if closed else "open")
    return made
