"""How certificates are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l20_trust.certificates.api import Issued, ProvidedView


def issued(found: Sequence[Issued], *, paint: Paint = PLAIN) -> Iterator[str]:
    """List certificates, one per line."""
    rows = [
        (
            Piece(one.owner, Style.NAME),
            one.name,
            ", ".join(one.hosts),
            one.use,
            one.state,
            moment(one.until),
            one.serial,
        )
        for one in found
    ]
    titles = ("owner", "for", "names", "use", "state", "ends", "number")
    yield from table(titles, rows, paint=paint)


def provided(found: Sequence[ProvidedView], *, paint: Paint = PLAIN) -> Iterator[str]:
    """List certificates that people provided, one per line."""
    rows = [
        (
            Piece(one.host, Style.NAME),
            "shown" if one.is_shown else "ended",
            moment(one.until),
            one.serial,
        )
        for one in found
    ]
    yield from table(("host", "state", "ends", "number"), rows, paint=paint)
