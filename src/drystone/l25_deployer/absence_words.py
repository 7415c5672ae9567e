"""What the deployer tells of a time in which nobody looked after the platform."""

from __future__ import annotations

from datetime import datetime

import msgspec


class AbsenceView(msgspec.Struct, frozen=True):
    """A time in which no agent looked after the platform, while what ran went on.

    Attributes:
        since: When the last agent was seen.
        until: When this one came.
        proxy_restarts: How often the proxy started again by itself meanwhile.
        requests: How many requests the access log tells of; None when that cannot be said.
        found: What this agent found to have ended meanwhile, and started again.
    """

    since: datetime
    until: datetime
    proxy_restarts: int
    requests: int | None
    found: list[str]
