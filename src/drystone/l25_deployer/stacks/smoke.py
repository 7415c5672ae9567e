"""What a new release is asked before it serves, as a stack holds it."""

from __future__ import annotations

import msgspec


class Smoke(msgspec.Struct, frozen=True):
    """A request that a new release must answer well before it gets traffic."""

    method: str
    path: str
