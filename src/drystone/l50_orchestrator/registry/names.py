"""The rules of services' names: their form, whom they can be taken for, and when they are free again. Pure.

A name is worth something: it is in addresses, in policies and in the heads of those who answer at night. So that nobody keeps
names that are not used, nor one that looks like somebody else's, what is registered lapses unless it runs, and what
is near to another team's name needs an admin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from drystone.l00_kernel.visible import visible
from drystone.l50_orchestrator.registry.errors import NameRefused

HELD = timedelta(days=90)
"""How long a name stays its team's while nothing of that name runs."""

MOST_UNUSED = 20
"""Services of one team that never ran."""

CRITICAL_TIER = 1
"""Up to this tier a single wrong letter counts as the same name."""

RESERVED = frozenset(
    {
        *("admin", "api", "auth", "console", "dashboard", "health", "localhost", "login", "logout"),
        *("metrics", "root", "security", "www"),
        *("agent", "audit", "cache", "dependencies", "deployer", "drystone", "edge", "keys"),
        *("limits", "mesh", "objects", "observed", "orchestrator", "platform", "postgres"),
        *("proxy", "registry", "sidecar", "signin"),
    }
)
"""Names that lead people or programs to the platform itself."""

_FORM = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_COUNTED = re.compile(r"(.*?[a-z-])([0-9]+)")
_ALIKE = (("0", "o"), ("1", "l"), ("5", "s"), ("rn", "m"), ("vv", "w"))


class Holding(msgspec.Struct, frozen=True):
    """What decides for how long a name is held.

    Attributes:
        since: When it was registered.
        ran: When it first ran; None where it never did.
        gone: When it ceased to run everywhere; None while it runs, and where it never did.
        retired: When its team gave it up.
    """

    since: datetime
    ran: datetime | None = None
    gone: datetime | None = None
    retired: datetime | None = None

    @property
    def free_from(self) -> datetime | None:
        """When others may register the name; None where they never may, as things are."""
        if self.retired is not None:
            return self.retired + HELD
        if self.ran is None:
            return self.since + HELD
        return None if self.gone is None else self.gone + HELD

    def is_free(self, now: datetime) -> bool:
        """Whether others may register the name."""
        return self.free_from is not None and self.free_from <= now


class Neighbour(msgspec.Struct, frozen=True):
    """Another team's service that a name is held against."""

    name: str
    team: str
    tier: int | None


def check_form(name: str, reserved: frozenset[str] = RESERVED) -> None:
    """Refuse what no service may be called.

    Raises:
        NameRefused: The message says why.
    """
    if name in reserved:
        raise NameRefused(
            f"{name!r} is reserved: people and programs take it for a part of the platform; choose another name"
        )
    if _FORM.fullmatch(name):
        return
    strange = next((char for char in name if not char.isascii()), None)
    why = ""
    if strange is not None:
        called = unicodedata.name(strange, "a character without a name")
        why = f"; it holds U+{ord(strange):04X} {called}, which can look like another letter"
    raise NameRefused(
        f"'{visible(name[:60])}' is no name of a service: it has a-z, 0-9 and -, at most 40 of them, begins with a"
        f" letter and does not end with -{why}"
    )


def skeleton(name: str) -> str:
    """Return what a name looks like: names with the same skeleton are hard to tell apart.

    The idea is that of Unicode Technical Standard 39, section 4, for the few characters that a name may have.
    """
    plain = name.lower().replace("-", "").replace("_", "")
    for written, seen in _ALIKE:
        plain = plain.replace(written, seen)
    return plain


def is_near(one: str, other: str) -> bool:
    """Tell whether one letter added, left out, changed, or two exchanged makes the one of the other."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    shorter = min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    if len(a) == len(b):
        swapped = len(a) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
        return a[1:] == b[1:] or swapped
    return a[1:] == b if len(a) > len(b) else a == b[1:]


def is_counted_apart(one: str, other: str) -> bool:
    """Tell whether two names are the same but for the numbers at their ends, as ``worker-1`` and ``worker-2`` are."""
    ours, theirs = _COUNTED.fullmatch(one), _COUNTED.fullmatch(other)
    if ours is None or theirs is None:
        return False
    return ours[1] == theirs[1] and int(ours[2]) != int(theirs[2])


def looks_like(name: str, neighbours: Iterable[Neighbour]) -> Neighbour | None:
    """Return the first service of another team that a name can be taken for.

    Args:
        name: What is to be registered.
        neighbours: Services of other teams.
    """
    own = skeleton(name)
    for one in neighbours:
        if is_counted_apart(name, one.name):
            continue
        if skeleton(one.name) == own:
            return one
        if one.tier is not None and one.tier <= CRITICAL_TIER and is_near(name, one.name):
            return one
    return None
