"""How platforms are shown whose keys are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l00_kernel.visible import visible
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l20_trust.keys.peers.api import Checked, PeerView


def peers(found: Sequence[PeerView], *, now: datetime, paint: Paint = PLAIN) -> Iterator[str]:
    """List platforms, one per line, and below them what is wrong."""
    rows = [
        (
            Piece(one.name, Style.NAME),
            str(one.keys),
            f"{age(one.answered, now)} ago" if one.answered else "not yet",
            ", ".join(one.issuers),
            ", ".join(one.callees),
        )
        for one in found
    ]
    yield from table(("platform", "keys", "answered", "callers", "to"), rows, paint=paint)
    for one in found:
        if one.problem:
            yield f"{one.name}: {visible(one.problem)}"
    if found:
        longest = max(one.within.total_seconds() for one in found)
        yield f"a key that is revoked there is refused here within {longest:g} seconds, while its platform answers"


def proven(found: Checked) -> str:
    """Tell what a token proves."""
    whose = f"a key of {found.peer}" if found.peer else "a key of this platform"
    ends = f", until {moment(found.expires)}" if found.expires else ""
    return f"{found.issuer} calls, proven by {whose} ({found.key}){ends}"
