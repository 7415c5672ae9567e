"""What stacks hold of ways in: hosts of a service's own, and the certificates for them. None of it holds data."""

from __future__ import annotations

from datetime import timedelta
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


class StaticSite(msgspec.Struct, frozen=True, tag_field="type", tag="static-site"):
    """Files of the service that the edge serves at hosts of their own.

    Attributes:
        dir: Their folder, relative to that of the descriptor.
        hosts: Names that lead there.
        index: File that answers for a folder.
        spa: Whether the index answers for paths that do not exist.
        keep_assets: Of how many earlier releases files are still served.
        cache: How long a browser may keep files, by pattern of their path.
        headers: Headers of every answer.
        csp: Content-Security-Policy; the platform's own when None.
        tls: Whether it is there over HTTPS alone.
    """

    dir: str
    hosts: tuple[str, ...]
    index: str
    spa: bool
    keep_assets: int
    tls: bool
    cache: dict[str, timedelta] = {}
    headers: dict[str, str] = {}
    csp: str | None = None
    protect: bool = False

    @property
    def route(self) -> EdgeRoute:
        """The way in that it has."""
        return EdgeRoute(self.hosts, ("/",), ("public",), (), tls=self.tls)


_GROUP = "static-site-"


def group_of_site(name: str) -> str:
    """Name the group of instances that serves a static site."""
    return _GROUP + name


def is_of_site(group: str) -> bool:
    """Tell whether a group of instances serves a static site."""
    return group.startswith(_GROUP)


WayIn: TypeAlias = EdgeRoute | Certificate | StaticSite
WAY_IN = (EdgeRoute, Certificate, StaticSite)
"""The types of it, to tell: their addresses are the service's own, nothing that it needs, and hold no data."""
