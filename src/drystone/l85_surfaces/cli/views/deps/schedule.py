"""A schedule of a project: how long it is, how short one could be, and when each activity starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from drystone.l05_graph.limits import Progress
from drystone.l05_graph.project import Project
from drystone.l05_graph.schedule import Schedule
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import count, percent, wrapped

MOST_STARTS = 200


def progress(one: Progress) -> str:
    """Say how far the search has come."""
    return (
        f"{one.cost:.0f} long, at least {one.bound:.0f}, {one.elapsed.total_seconds():.0f} s;"
        " Ctrl-C takes the best so far"
    )


def schedule(
    name: str, project: Project, found: Schedule, took: timedelta, *, paint: Paint = PLAIN
) -> Iterator[str]:
    """Tell a schedule."""
    size = count(project.size, "activity", "activities")
    shared = count(len(project.capacities), "resource")
    yield f"{paint(name, Style.NAME)}: {size}, {shared}; makespan {paint(str(found.makespan), Style.NAME)}"
    after = f"after {took.total_seconds():.1f} s and {count(found.schedules, 'schedule')}"
    if found.is_optimal:
        yield paint(f"none is shorter (proven {after})", Style.GOOD)
    else:
        yield f"none is shorter than {found.lower_bound} ({percent(found.gap)} less), {after}"
    yield ""
    yield paint("starts", Style.NAME)
    starts = [f"{number}: {start}" for number, start in enumerate(found.starts[:MOST_STARTS], 1)]
    rest = len(found.starts) - len(starts)
    yield from wrapped(", ".join(starts) + (f" … and {rest:,} more (--json)" if rest else ""), "  ")


def document(found: Schedule, took: timedelta) -> Mapping[str, Any]:
    """Return what a machine is told."""
    return {
        "makespan": found.makespan,
        "lower_bound": found.lower_bound,
        "gap": found.gap,
        "proven": found.is_optimal,
        "bounds": {
            "critical_path": found.bounds.critical_path,
            "energy": found.bounds.energy,
            "disjunctive": found.bounds.disjunctive,
            "destructive": found.bounds.destructive,
        },
        "starts": found.starts,
        "schedules": found.schedules,
        "seconds": round(took.total_seconds(), 3),
    }
