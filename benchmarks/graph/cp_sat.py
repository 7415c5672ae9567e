"""The oracle for schedules: OR-Tools CP-SAT. It runs in an environment of its own and knows nothing of Drystone.

Reads a project as JSON from standard input, with the seconds that it may take, and writes makespan and lower bound.
"""

from __future__ import annotations

import json
import sys

from ortools.sat.python import cp_model  # type: ignore[import-not-found]


def main() -> None:
    """Solve the project that comes in."""
    asked = json.load(sys.stdin)
    durations, horizon = asked["durations"], sum(asked["durations"])
    model = cp_model.CpModel()
    starts = [model.new_int_var(0, horizon, f"s{one}") for one in range(len(durations))]
    spans = [
        model.new_fixed_size_interval_var(start, lasts, f"i{one}")
        for one, (start, lasts) in enumerate(zip(starts, durations, strict=True))
    ]
    end = model.new_int_var(0, horizon, "end")
    for one, start in enumerate(starts):
        model.add(end >= start + durations[one])
        for other in asked["after"][one]:
            model.add(start >= starts[other] + durations[other])
    for kind, capacity in enumerate(asked["capacities"]):
        demands = [every[kind] for every in asked["demands"]]
        model.add_cumulative(spans, demands, capacity)
    model.minimize(end)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = asked["seconds"]
    solver.solve(model)
    print(json.dumps({"makespan": solver.objective_value, "bound": solver.best_objective_bound}))


main()
