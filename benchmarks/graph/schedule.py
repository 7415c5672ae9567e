"""How good schedules are, beside published optima and beside CP-SAT; what recovery orders and rehearsals cost.

``python -m benchmarks.graph.schedule [--sm FOLDER] [--oracle PYTHON] [--count N] [--seconds S]``

FOLDER holds files of the project scheduling library with their ``optimum.csv`` (name, optimum or ``lower..best``). PYTHON
is an interpreter that has OR-Tools. All times are CPU seconds of this process, and CP-SAT's are its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import mean
from typing import TypeVar

from benchmarks.stand import table

from drystone.l05_graph.disaster import Disaster
from drystone.l05_graph.forms.sm import read_sm
from drystone.l05_graph.model import Component, Dependency, Model, checked
from drystone.l05_graph.project import Project
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.rehearsal import Run
from drystone.l05_graph.rehearsal_plan import Plan
from drystone.l05_graph.schedule import Schedule, schedule
from drystone.l05_graph.words import Phase, Strength

SERVICES, NEEDS, LAYERS, TEAMS = 2_000, 40_000, 40, 26
Result = TypeVar("Result")


def published(folder: Path, count: int, seconds: float) -> str:
    """Schedule files of a folder beside their best known makespans."""
    with next(folder.rglob("optimum.csv")).open() as file:
        known = {
            row["problem"]: int(row["optimum"].split("..")[-1]) for row in csv.DictReader(file)
        }
    names = random.Random(1).sample(sorted(known), min(count, len(known)))  # noqa: S311
    found = [_solved(read_sm((folder / name).read_text(), name), seconds) for name in names]
    best = [known[name] for name in names]
    gaps = [one.makespan / optimum - 1 for (one, _), optimum in zip(found, best, strict=True)]
    below = [1 - one.lower_bound / optimum for (one, _), optimum in zip(found, best, strict=True)]
    row = [
        folder.name,
        str(len(names)),
        f"{100 * mean(gaps):.2f} %",
        f"{100 * max(gaps):.1f} %",
        str(sum(gap == 0 for gap in gaps)),
        str(sum(one.is_optimal for one, _ in found)),
        f"{100 * mean(below):.1f} %",
        f"{mean(cpu for _, cpu in found):.2f} s",
    ]
    heads = [
        "set",
        "projects",
        "mean gap",
        "worst",
        "at the best known",
        "proven",
        "bound below",
        "CPU",
    ]
    return table(f"Published projects, at most {seconds:g} s of CPU each", heads, [row])


def beside_cp_sat(python: str, count: int, seconds: float) -> str:
    """Schedule recoveries of 300 services beside CP-SAT, which has a minute for each."""
    rows = []
    for seed in range(count):
        project = services_of_teams(300, 12, seed)
        mine, cpu = _solved(project, seconds)
        asked = {
            "durations": project.durations,
            "after": project.after,
            "demands": project.demands,
            "capacities": project.capacities,
            "seconds": 60,
        }
        began = time.monotonic()
        done = subprocess.run(
            [python, str(Path(__file__).parent / "cp_sat.py")],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        other = json.loads(done.stdout)
        rows.append(
            [
                str(seed),
                str(mine.makespan),
                str(mine.lower_bound),
                f"{cpu:.2f} s",
                f"{other['makespan']:g}",
                f"{other['bound']:g}",
                f"{time.monotonic() - began:.1f} s",
                f"{100 * (mine.makespan / other['makespan'] - 1):.2f} %",
            ]
        )
    heads = ["seed", "makespan", "bound", "CPU", "CP-SAT", "its bound", "its time", "longer by"]
    return table("Recovery of 300 services by 12 teams", heads, rows)


def costs(count: int) -> str:
    """What an order and a rehearsal of 2,000 services cost, beside Python's own topological sort."""
    model = layered_model(0)
    edges: dict[str, list[str]] = {one.name: [] for one in model.components}
    for one in model.dependencies:
        if one.is_hard:
            edges[one.source].append(one.target)
    disaster = Disaster(everything=True, people=3)
    plan = Plan(model, disaster)
    parts: list[tuple[str, Callable[[], object]]] = [
        (
            "`graphlib`, hard dependencies alone",
            lambda: list(TopologicalSorter(edges).static_order()),
        ),
        ("recovery order", lambda: recovery_order(model)),
        ("plan of a rehearsal", lambda: Plan(model, disaster)),
        ("one rehearsal", lambda: Run(plan, plan.likely).go()),
    ]
    taken = [(name, min(_timed(what)[1] for _ in range(count))) for name, what in parts]
    base = taken[0][1]
    rows = [[name, f"{1000 * cpu:.0f} ms", f"{cpu / base:.1f}"] for name, cpu in taken]
    title = f"{SERVICES} services, {NEEDS} dependencies, CPU time, least of {count}"
    return table(title, ["what", "CPU", "ratio"], rows)


def services_of_teams(size: int, teams: int, seed: int) -> Project:
    """Make a project: each service is brought back by one of three people of its team, in quarters of an hour."""
    source = random.Random(seed)  # noqa: S311
    team = [source.randrange(teams) for _ in range(size)]
    after = [
        sorted({source.randrange(max(0, one - 60), one) for _ in range(source.randint(1, 3))})
        if one > 10
        else []
        for one in range(size)
    ]
    return Project(
        durations=[source.randint(1, 16) for _ in range(size)],
        after=after,
        demands=[[int(team[one] == kind) for kind in range(teams)] for one in range(size)],
        capacities=[3] * teams,
    )


def layered_model(seed: int) -> Model:
    """Make a model without tangles: hard and soft dependencies lead to lower layers."""
    source = random.Random(seed)  # noqa: S311
    components = [
        Component(
            name=f"s{one:04}",
            owner=f"team-{source.randrange(TEAMS)}",
            layer=one * LAYERS // SERVICES,
        )
        for one in range(SERVICES)
    ]
    found: dict[object, Dependency] = {}
    while len(found) < NEEDS:
        user, need = source.choice(components), source.choice(components)
        if (need.layer or 0) < (user.layer or 0):
            one = Dependency(
                source=user.name,
                target=need.name,
                strength=Strength.HARD if source.random() < 0.55 else Strength.SOFT,
                at=(Phase.DEPLOY,) if source.random() < 0.25 else (Phase.RUN,),
            )
            found[one.key] = one
    return checked(components, found.values())


def _solved(project: Project, seconds: float) -> tuple[Schedule, float]:
    limit = timedelta(seconds=seconds)
    return _timed(lambda: schedule(project, limit, clock=time.process_time))


def _timed(what: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    result = what()
    return result, time.process_time() - began


def main() -> None:
    """Print the tables that can be made here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sm", type=Path, action="append", default=[])
    parser.add_argument("--oracle")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    asked = parser.parse_args()
    print(costs(asked.count))
    for folder in asked.sm:
        print(published(folder, asked.count, asked.seconds))
    if asked.oracle:
        print(beside_cp_sat(asked.oracle, asked.count, asked.seconds))


if __name__ == "__main__":
    main()
