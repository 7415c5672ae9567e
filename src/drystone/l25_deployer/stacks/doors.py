"""Who may send some requests, as a stack holds it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Door(msgspec.Struct, frozen=True):
    """Which people and builds may send some requests.

    Attributes:
        public: Everybody.
        staff: Everybody who is signed in.
        groups: Who is signed in and in one of these groups.
        builds: These pipelines.
    """

    public: Literal[True] | None = None
    staff: Literal[True] | None = None
    groups: tuple[str, ...] | None = None
    builds: tuple[str, ...] | None = None
