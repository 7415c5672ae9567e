"""Whom a service is charged to, as its stack holds it."""

from __future__ import annotations

import msgspec


class Accounting(msgspec.Struct, frozen=True):
    """Whom a service is charged to.

    Attributes:
        cost_centre: Who pays; None where nobody says.
        business_unit: What it belongs to; None where nobody says.
        tags: Further tags, by name.
    """

    cost_centre: str | None = None
    business_unit: str | None = None
    tags: dict[str, str] = {}
