"""How keys are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l20_trust.keys.api import KeyView

_STYLES = {"active": Style.GOOD, "retired": Style.QUIET, "revoked": Style.BAD}


def keys(found: Sequence[KeyView], *, now: datetime, paint: Paint = PLAIN) -> Iterator[str]:
    """List keys, one per line; ids are never shortened, since they are copied."""
    rows = [
        (Piece(_state(one), _STYLES[one.state]), str(one.release), age(one.made, now), one.id)
        for one in found
    ]
    return table(("state", "release", "age", "key"), rows, paint=paint)


def _state(one: KeyView) -> str:
    if one.state == "retired" and one.until is not None:
        return f"retired, published until {moment(one.until)}"
    return one.state
