"""What callers are told of how a service stands, so that it can be compared with how it should."""

from __future__ import annotations

from typing import Any

import msgspec


class DeviationView(msgspec.Struct, frozen=True):
    """That an engine has a resource otherwise than the platform made it.

    Attributes:
        resource: Its name.
        field: What differs.
        wanted: What should be; None for nothing. No secret, nor is the next.
        found: What is.
    """

    resource: str
    field: str
    wanted: str | None
    found: str | None


class StandingView(msgspec.Struct, frozen=True, kw_only=True):
    """What serves: as it is written down, and as requests are routed.

    Attributes:
        release: Number of the release that serves.
        version: What it is called.
        artifact: Digest of what it runs.
        key: Of the deploy that brought it; empty where that had none.
        stacks: Its five stacks, as its record on the disk has them, as JSON objects. In place of the resources that its descriptor
            names stand those that exist and that it names, with the settings last applied.
        shares: Share of the requests by release, 0 to 1; a release that gets none is left out.
        hosts: Names under which the edge answers for it.
        kept: Numbers of the releases to which one can go back.
        is_busy: Whether something is being done to it.
        deviations: Where engines have its resources otherwise; empty when they were not asked, or cannot tell.
    """

    release: int
    version: str
    artifact: str
    key: str
    stacks: dict[str, Any]
    shares: dict[int, float]
    hosts: tuple[str, ...]
    kept: tuple[int, ...]
    is_busy: bool
    deviations: tuple[DeviationView, ...] = ()
