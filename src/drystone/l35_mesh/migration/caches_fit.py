"""Whether keys can move from one server to another, and what to do when a server refuses."""

from __future__ import annotations

from collections.abc import Sequence

from drystone.l00_kernel.errors import PlatformError, Unavailable
from drystone.l10_engines.cache.moving import About, CacheEnd
from drystone.l10_engines.cache.resp import Refused
from drystone.l35_mesh.migration.errors import DataUnfit

OLDEST = 7
"""Of Redis: the first that tells when a key expires, and not only in how long."""


def require_fit(source: CacheEnd, target: CacheEnd, pairs: Sequence[tuple[int, int]]) -> About:
    """Make sure that keys can move; return what the old server tells of itself.

    Args:
        source: The old server.
        target: The new one.
        pairs: Numbers of the databases at the old one and at the new one.

    Raises:
        DataUnfit: They cannot.
        Refused: The new server does not let keys be written.
        Unavailable: A server does not answer.
    """
    here, there = source.about(), target.about()
    major = here.version.partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST:
        raise DataUnfit(
            f"the old server is of version {here.version or 'unknown'}; {OLDEST} is the oldest that can be moved from"
        )
    for name, about in (("old", here), ("new", there)):
        if not about.is_alone:
            raise DataUnfit(
                f"the {name} server is a replica or one of a cluster: name a primary that stands alone"
            )
    if here.life == there.life and any(one == other for one, other in pairs):
        raise DataUnfit("the new server is the old one: name another")
    filled = target.databases()
    if target.access.database:
        filled &= {target.access.database}
    if filled:
        raise DataUnfit("the new server has keys already: empty it first")
    target.may_restore()
    return here


def refused(e: Refused, target: CacheEnd) -> PlatformError:
    """Return what to tell when a server refuses a command."""
    said = str(e)
    if said.startswith(("WRONGPASS", "NOAUTH")):
        return DataUnfit(f"a server does not accept the user and password ({said}): check the URL")
    if said.startswith("NOPERM"):
        return DataUnfit(f"a user may not do what a move needs ({said}): allow it and try again")
    if said.startswith("OOM"):
        return DataUnfit(f"{target} is full: give it more memory, then say the same again")
    if "payload version" in said:
        return DataUnfit(
            f"{target} does not understand how the old server writes values down: it must be as new"
        )
    return Unavailable(f"a server refuses: {said}; nothing has moved, try again")
