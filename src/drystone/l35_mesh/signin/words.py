"""What the sign-in and the proxies in front of services have in common: names, and how a service is introduced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from drystone.l00_kernel.settings import Settings

NAME = "signin"
"""Of the service, of its socket and of its cluster in the proxy."""

HOST = "signin.localhost"
"""Where it answers on this machine: a host of its own, so that its cookies go nowhere else."""

PATH = "/.drystone/signin/"
"""Below this path of every service the sign-in answers."""

STEPS = ("begin", "finish", "out")
"""What there is below that path."""

AT = "/at"
"""Where requests arrive at the sign-in that came to a service."""

TICKET = "x-drystone-place"
"""By this header a proxy says which service a request came to; sealed, since others could say it too."""

USER, GROUPS, BUILD = "x-drystone-user", "x-drystone-groups", "x-drystone-build"
"""Headers by which a service learns who asks; taken from whoever sends them himself."""

COOKIE = "__Host-drystone"
"""At a service: what its proxy verifies."""


class Place(msgspec.Struct, frozen=True):
    """A service, as its proxy introduces it to the sign-in.

    Attributes:
        audience: ``<environment>/<service>``.
        hosts: Its names.
        groups: The groups that its rules mention.
    """

    audience: str
    hosts: tuple[str, ...]
    groups: tuple[str, ...] = ()


def address_of(settings: Settings) -> str:
    """Return where people reach the sign-in, without a slash at the end."""
    return (settings.signin.url or f"http://{HOST}:{settings.port}").rstrip("/")
