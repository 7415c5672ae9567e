"""Rollouts as they would go, a thousand times each, beside other judges: ``python -m benchmarks --only rollout-equal`` and so on.

The count given is in hundreds. Every run has a seed of its own, so that the same count gives the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

from benchmarks.rollout.judges import Bets, Fisher, Judge, Kayenta, Threshold
from benchmarks.rollout.trials import (
    EQUAL,
    LATE,
    SHARE,
    WORSE,
    Outcome,
    alarms,
    blast,
    late_alarms,
    outage_errors,
    slow_alarms,
    slow_user_alarms,
    user_alarms,
)
from benchmarks.stand import table

JUDGES: Mapping[str, Callable[[], Judge]] = {
    "Drystone": Bets,
    "Kayenta, once": lambda: Kayenta(30, only=True),
    "Kayenta, each minute": Kayenta,
    "below 99 %, 3 minutes": Threshold,
    "Fisher's test, each minute": Fisher,
}

EMPTY = [""] * (len(JUDGES) - 1)


async def rollout_equal(count: int) -> str:
    """How often a canary that is as good as stable is taken back, in 60 looks, one a minute."""
    runs = 100 * count
    rows = []
    for case in EQUAL:
        found = (alarms(case, judge, runs, 60) for judge in JUDGES.values())
        rows.append([case.name, *(_share(one) for one in found)])
    for number in (2000, 200):
        both = user_alarms(runs, 60, number, 0.01, 1.0)
        name = f"1 % of 20/s, {number} users, few of whom make most of it"
        rows.append([f"{name}, counted once each", _share(both["users"]), *EMPTY])
        rows.append([f"{name}, counted by requests", _share(both["requests"]), *EMPTY])
    slow = slow_alarms(count * 20, 60, 20.0, 1.0, 0.0)
    rows.append([f"answers of 20/s as quick as ever ({count * 20} runs)", _share(slow), *EMPTY])
    for number in (2000, 200):
        slow = slow_user_alarms(count * 20, 60, number, 1.0)
        name = f"as quick as ever, {number} users of whom some always wait ({count * 20} runs)"
        rows.append([name, _share(slow), *EMPTY])
    return table(f"Taken back for nothing, {_title(runs)}", ["both releases", *JUDGES], rows)


async def rollout_late(count: int) -> str:
    """How often a canary as good as stable is taken back where answers of the two do not take the same time, or both fail at once."""
    runs, shares = 100 * count, (0.05, 0.2, 0.5)
    rows = [
        [world.name, *(_share(late_alarms(world, share, runs)) for share in shares)]
        for world in LATE
    ]
    head = ["1 % of 20/s", *(f"{100 * share:g} % on the canary" for share in shares)]
    return table(f"Taken back for nothing in ten minutes, {runs} runs", head, rows)


async def rollout_worse(count: int) -> str:
    """How often and when a canary that is worse is taken back, in 30 minutes with a look each."""
    runs = 100 * count
    rows = []
    for case in WORSE:
        found = [alarms(case, judge, runs, 30) for judge in JUDGES.values()]
        rows.append([case.name, f"{100 * found[0].within(15):.1f} %", *found])
    for bad, times in ((0.001, 10.0), (0.01, 3.0)):
        users = user_alarms(runs, 30, 2000, bad, times)["users"]
        name = f"2000 users, few of whom make most of it: {times:g} times {100 * bad:g} % of 20/s"
        rows.append([name, f"{100 * users.within(15):.1f} %", users, *EMPTY])
    for name, rate, times, tail in (
        ("a fifth slower, 20/s", 20.0, 1.2, 0.0),
        ("2 % take 500 ms more, 20/s", 20.0, 1.0, 0.02),
        ("a twentieth slower, 20/s", 20.0, 1.05, 0.0),
    ):
        slow = slow_alarms(count * 20, 30, rate, times, tail)
        within = f"{100 * slow.within(15):.1f} %"
        rows.append([f"{name} ({count * 20} runs)", within, slow, *EMPTY])
    for number, times in ((2000, 2.0), (20_000, 1.2)):
        slow = slow_user_alarms(count * 20, 30, number, times)
        name = (
            f"{times:g} times as slow, one answer of each of {number:,} users ({count * 20} runs)"
        )
        rows.append([name, f"{100 * slow.within(15):.1f} %", slow, *EMPTY])
    head = ["stable → canary", "Drystone within 15 minutes", *JUDGES]
    return table(f"A worse canary taken back, and when, {_title(runs)}", head, rows)


async def rollout_found(count: int) -> str:
    """How surely what must be found within a quarter of an hour is found then, by many more runs from two series of seeds."""
    runs, rows = 400 * count, []
    for case, seconds, first in product(WORSE[:2], (60, 5), (0, 1_000_000)):
        found = alarms(case, Bets, runs, 15, seconds, first=first)
        least, most = found.bounds(15)
        cells = [f"{100 * found.within(15):.2f} %", f"{100 * least:.2f} to {100 * most:.2f} %"]
        rows.append([case.name, f"{seconds} s", f"from {first:,}", *cells])
    head = ["stable → canary", "a look each", "seeds", "found", "95 % confidence"]
    return table(f"Found within 15 minutes, {_title(runs)}", head, rows)


async def rollout_outage(count: int) -> str:
    """How many failed requests it takes to take back a canary that always fails."""
    runs = 100 * count
    rows = []
    for share in (0.01, 0.05, 0.1, 0.2, 0.5):
        cells = []
        for even in (True, False):
            errors = sorted(outage_errors(share, runs, even=even))
            few = sum(one <= 3 for one in errors) / runs
            cells += [f"{100 * few:.1f} %", errors[runs // 2], errors[-1 - runs // 100]]
        rows.append([f"{100 * share:g} %", *cells])
    head = ["on the canary", "at most 3, in turn", "median", "99 of 100"]
    head += ["at most 3, by chance", "median", "99 of 100"]
    return table(
        f"Errors until an outage is taken back, looked after each request, {runs} runs", head, rows
    )


async def rollout_blast(count: int) -> str:
    """How many requests of users fail on the canary in half an hour, or until it is taken back, in steps."""
    runs = 20 * count
    judges: Mapping[str, tuple[Callable[[], Judge], float]] = {
        "Drystone, each 5 s": (Bets, 5),
        "Drystone, each minute": (Bets, 60),
        "Kayenta, each minute from the 5th": (lambda: Kayenta(5), 60),
        "below 99 %, 3 minutes": (Threshold, 60),
    }
    rows = []
    for case in WORSE:
        cells = []
        for judge, seconds in judges.values():
            failed, back = blast(case, judge, runs, seconds)
            cells.append(f"{failed:,.0f}, {100 * back:.0f} %")
        rows.append([case.name, *cells])
    title = "Failed requests on the canary until it is taken back, and how often it is"
    return table(
        f"{title}: steps of 1, 10, 50 and 100 % in 5 minutes each, {runs} runs",
        ["stable → canary", *judges],
        rows,
    )


def _share(outcome: Outcome) -> str:
    return f"{100 * outcome.alarms:.1f} %"


def _title(runs: int) -> str:
    return f"{100 * SHARE:g} % on the canary, {runs} runs"
