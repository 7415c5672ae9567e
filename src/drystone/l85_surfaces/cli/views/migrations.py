"""How services that move are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drystone.l35_mesh.migration.api import Compared, Counted, MigrationView

_STATES = {
    "moving": Piece("moving", Style.GOOD),
    "back": Piece("went back", Style.BAD),
    "moved": Piece("moved", Style.QUIET),
}


def migrations(found: Sequence[MigrationView], *, paint: Paint = PLAIN) -> Iterator[str]:
    """List services that move, one per line; below it what is to be known of them."""
    rows = [
        (
            one.service,
            one.environment,
            _STATES[one.state],
            f"{one.share:g}%",
            one.to,
            _counted(one.here),
            _counted(one.there),
        )
        for one in found
    ]
    yield from table(
        ("service", "env", "state", "over there", "other side", "here", "there"), rows, paint=paint
    )
    for one in found:
        name = f"{one.service} in {one.environment}"
        if one.who:
            named = " or ".join(f"{who.header}: {who.value}" for who in one.who)
            yield f"{name}: every request with {named} goes over"
        if one.sticky:
            yield f"{name}: clients stay on their side by {one.sticky}"
        if one.compared:
            yield f"{name}: both sides are compared by {one.compared:g}% of the safe requests"
        if one.reason:
            yield f"{name} is answered here: {one.reason}"
        if one.trouble:
            yield f"{name}: {one.trouble}"


def compared(found: Compared, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell how alike both sides answer."""
    yield (
        f"since {found.since:%Y-%m-%d %H:%M:%S} UTC: {found.same} answers alike,"
        f" {found.different} different"
    )
    for reason, count in sorted(found.left_out.items()):
        yield f"not compared: {reason} ({count})"
    if found.examples:
        rows = [
            (str(one.count), one.method, one.path, "; ".join(one.differences))
            for one in found.examples
        ]
        yield from table(("times", "method", "path", "what differs"), rows, paint=paint)


def _counted(counted: Counted) -> str:
    """Say what became of requests of late."""
    if counted.failed:
        return f"{counted.answered} answered, {counted.failed} failed"
    return f"{counted.answered} answered"
