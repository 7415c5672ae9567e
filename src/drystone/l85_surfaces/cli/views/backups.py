"""How backups are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l25_deployer.backups.api import BackupView, PlannedBackups, ResourceBackups
    from drystone.l25_deployer.backups.whole_domain import Recovered

_TRIALS = 3
_NAMED = 5


def backups(
    found: Sequence[ResourceBackups], now: datetime, *, paint: Paint = PLAIN
) -> Iterator[str]:
    """List the backups of each resource, the latest first, and what is to be known of them."""
    for one in found:
        yield paint(one.resource, Style.NAME) + (f"  {one.type}" if one.type else "  it is gone")
        yield from _plan(one)
        if one.trouble:
            yield paint(f"  {one.trouble}", Style.BAD)
        for text in one.unreadable:
            yield paint(f"  {text}", Style.BAD)
        if one.backups:
            rows = [_row(each, now) for each in one.backups]
            head = ("backup", "age", "why", "release", "size", "holds", "restored in a test")
            yield from (f"  {line}" for line in table(head, rows, paint=paint))
        for trial in one.trials[:_TRIALS]:
            word = "; ".join(trial.differences) if trial.differences else "everything came back"
            yield (
                f"  test of {trial.backup}, {age(trial.at, now)} ago, {taken(trial.seconds)}:"
                f" {trial.counted} in {trial.compared} parts; {word}"
            )


def _plan(one: ResourceBackups) -> Iterator[str]:
    if one.every is not None and one.keep is not None:
        tested = f", tested every {_days(one.restore_test)}" if one.restore_test else ""
        yield f"  every {_days(one.every)}, kept {_days(one.keep)}{tested}"
    elif not one.backups:
        yield "  no backup"


def _row(one: BackupView, now: datetime) -> tuple[str | Piece, ...]:
    proven = Piece(f"{age(one.proven, now)} ago", Style.GOOD) if one.proven else Piece("never")
    return (
        one.id,
        age(one.at, now),
        one.reason,
        "-" if one.release is None else str(one.release),
        size(one.size),
        f"{one.counted} in {one.parts}",
        proven,
    )


def planned(found: PlannedBackups) -> Iterator[str]:
    """Tell how the platform is backed up by itself."""
    if found.every is None:
        yield "no backups of the platform are planned"
        return
    yield (
        f"the platform is backed up every {_days(found.every)} to {found.folder}, and backups are kept for"
        f" {_days(found.keep)}"
    )
    yield from found.troubles


def recovered(report: Recovered, *, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell how a recovery went, layer by layer."""
    rows = [
        (
            str(one.layer),
            taken(one.seconds),
            _ago(one.oldest),
            ", ".join(one.names[:_NAMED]) + (" …" if len(one.names) > _NAMED else ""),
        )
        for one in report.layers
    ]
    yield from table(("layer", "took", "age of its data", "what"), rows, paint=paint)
    word = "rehearsed" if report.is_rehearsal else "recovered"
    state = Style.BAD if report.failed else Style.GOOD
    yield (
        f"{paint(word, state)} in {taken(report.seconds)}, {taken(report.unpacking)} of it unpacking; the oldest data is of"
        f" {_ago(report.data_age)} before; {report.resources} resources, {size(report.size)}"
    )


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for step, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * step:
            return f"{seconds / step:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} B"


def _days(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for step, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= step and seconds % step == 0:
            return f"{seconds / step:g} {unit}"
    return f"{seconds:g} s"
