"""How people and tokens of builds are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l35_mesh.signin.accounts import Account, BuildToken
    from drystone.l35_mesh.signin.api import Who


def who(one: Who) -> Iterator[str]:
    """Tell who somebody is."""
    yield one.user
    if one.groups:
        yield f"groups: {', '.join(one.groups)}"
    yield f"until {moment(one.until)}, as {one.issuer} says"


def users(found: Sequence[Account], *, paint: Paint = PLAIN) -> Iterator[str]:
    """List people, one per line."""
    rows = [
        (Piece(one.name, Style.NAME), str(one.sessions), one.email or "-", ", ".join(one.groups))
        for one in found
    ]
    return table(("user", "signed in", "email", "groups"), rows, paint=paint)


def tokens(found: Sequence[BuildToken], *, now: datetime, paint: Paint = PLAIN) -> Iterator[str]:
    """List tokens of builds, one per line."""
    rows = [(one.id, age(one.made, now), moment(one.until), one.build) for one in found]
    return table(("id", "age", "until", "build"), rows, paint=paint)
