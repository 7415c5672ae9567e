"""How runs of jobs are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Piece, Style
from drystone.l85_surfaces.cli.views.tables import table
from drystone.l85_surfaces.cli.views.times import age, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from drystone.l25_deployer.jobs.api import RunView

_STYLES = {"succeeded": Style.GOOD, "failed": Style.BAD, "stopped": Style.BAD}


def runs(found: Sequence[RunView], now: datetime, *, paint: Paint = PLAIN) -> Iterator[str]:
    """List runs, one a line."""
    if not found:
        yield "no run is remembered; `drystone jobs run SERVICE JOB` begins one"
        return
    head = ("run", "job", "state", "age", "took", "exit", "attempts", "release", "by", "reason")
    yield from table(head, [_row(one, now) for one in found], paint=paint)


def standing(run: RunView) -> str:
    """Say how a run stands, in a line."""
    reason = f": {run.reason}" if run.reason else ""
    return f"run {run.id} of '{run.job}' {_WORDS[run.state]}{reason}"


_WORDS = {
    "waiting": "waits",
    "running": "runs",
    "succeeded": "has succeeded",
    "failed": "has failed",
    "stopped": "was stopped",
}


def _row(one: RunView, now: datetime) -> tuple[str | Piece, ...]:
    last = one.attempts[-1] if one.attempts else None
    took = None
    if last is not None:
        took = ((last.ended or now) - last.began).total_seconds()
    style = _STYLES.get(one.state)
    return (
        one.id,
        one.job,
        Piece(one.state, style) if style else one.state,
        age(one.asked, now),
        taken(took),
        "-" if last is None or last.code is None else str(last.code),
        str(len(one.attempts)),
        "-" if last is None else str(last.release),
        one.by,
        one.reason,
    )
