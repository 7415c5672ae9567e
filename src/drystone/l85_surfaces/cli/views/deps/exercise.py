"""An exercise as its facilitator sees it: the time, what serves, who works on what, and what could begin now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from drystone.l05_graph.exercise import Facilitator
from drystone.l05_graph.exercise_state import Entry, Exercise, Startable
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import bounded, count, duration, labelled, more

NOTHING = timedelta()
MOST_ROWS = 12
HELP = (
    "begin COMPONENT [by hand]   a crew begins with it",
    "go [TIME]                   time passes, to the next thing that happens (also: an empty line)",
    "done COMPONENT              it is in place, earlier than thought",
    "failed COMPONENT            it is lost again",
    "people CREW +1              people come or go",
    "longer COMPONENT FACTOR     it takes so many times as long",
    "show, log, undo, help, quit",
)


def state(
    facilitator: Facilitator, now: Exercise, paint: Paint = PLAIN, *, show_all: bool = False
) -> Iterator[str]:
    """Tell where the exercise stands."""
    names = facilitator.names
    serving = facilitator.serving(now)
    time = paint(f"after {duration(now.now)}", Style.NAME)
    yield ""
    yield f"{time}: {len(serving):,} of {count(len(names), 'component')} serve"
    placed = now.placed - serving
    if placed:
        yield from labelled(
            "waits", f"in place, and waiting: {', '.join(sorted(placed))}", paint=paint
        )
    for task in now.tasks:
        until = duration(task.ends)
        yield from labelled("works", f"{task.crew} on {task.component} until {until}", paint=paint)
    ready = [one for one in facilitator.startable(now) if one.is_free and not one.by_hand]
    others = [one for one in facilitator.startable(now) if one not in ready]
    some, left_out = bounded(ready, show_all=show_all, most=MOST_ROWS)
    for one in some:
        yield from labelled("ready", _startable(one), paint=paint)
    if left_out:
        yield f"  {more(left_out).replace('--all', 'show')}"
    for one in others if show_all else ():
        why = "by hand, without what it needs" if one.by_hand else "its crew is busy or asleep"
        yield from labelled("later", f"{_startable(one)}; {why}", paint=paint)
    if len(serving) == len(names):
        yield paint("everything serves: the exercise is over", Style.GOOD)


def _startable(one: Startable) -> str:
    return f"{one.component} by {one.crew}, takes {duration(one.takes)}"


def log(entries: Iterable[Entry]) -> Iterator[str]:
    """Tell what happened."""
    for entry in entries:
        yield f"  {duration(entry.at):>10}  {entry.text}"


def refused(why: str, paint: Paint = PLAIN) -> Iterator[str]:
    """Say why a step is not possible."""
    for number, line in enumerate(why.split("\n")):
        yield f"{paint('no:', Style.BAD)} {line}" if number == 0 else f"    {line}"
