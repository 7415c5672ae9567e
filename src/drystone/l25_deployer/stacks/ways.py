"""What stacks hold of ways in: hosts of a service's own, and the certificates for them. None of it holds data."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class EdgeRoute(msgspec.Struct, frozen=True, tag_field="type", tag="edge-route"):
    """A way in for people outside.

    Attributes:
        hosts: Names that lead here; ``*.`` before one means all below it.
        paths: Below which they do, without a slash at the end.
        allow: Networks that may come in, by name.
        deny: Networks that may not.
        tls: Whether it is there over HTTPS alone.
        guard: Whether requests are looked at for attacks.
    """

    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    tls: bool
    guard: Literal["off", "report", "on"] = "off"
    protect: bool = False


class Certificate(msgspec.Struct, frozen=True, tag_field="type", tag="certificate"):
    """A certificate and its key.

    Attributes:
        hosts: Names that it proves; those of the service itself when empty.
        use: What it is shown as.
        days: Its life.
    """

    hosts: tuple[str, ...]
    use: Literal["server", "client", "both"]
    days: int
    protect: bool = False


WayIn: TypeAlias = EdgeRoute | Certificate
WAY_IN = (EdgeRoute, Certificate)
"""The types of it, to tell: their addresses are the service's own, nothing that it needs, and hold no data."""
