"""Tabletop exercises: how a recovery would go, with the people that there are.

Once with the likely durations, and many times with durations drawn from triangular distributions of what people said
(least, likely, most): the spread of the whole, and how often each component lies on the critical chain (the criticality
index of Martin, Operations Research 13, 1965, and Van Slyke, Operations Research 11, 1963).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec
import numpy as np

from drystone.l05_graph.disaster import DAY, NOTHING, Disaster
from drystone.l05_graph.model import Model
from drystone.l05_graph.outcome import (
    Bar,
    CrewUse,
    Day,
    Glass,
    Many,
    Product,
    Spread,
    Step,
    Tabletop,
    Unrecovered,
)
from drystone.l05_graph.recovery import recovery_order
from drystone.l05_graph.rehearsal import NEVER, Run
from drystone.l05_graph.rehearsal_plan import Plan, Reason, Work


def tabletop(
    model: Model,
    disaster: Disaster,
    *,
    runs: int = 0,
    seed: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> Tabletop:
    """Rehearse a recovery.

    Args:
        model: The components.
        disaster: What is lost, and who brings it back.
        runs: How many times to rehearse it with durations drawn at random; 0 for the likely ones alone.
        seed: Of the durations.
        on_progress: Told after each run how many there were.

    Raises:
        ModelInvalid: The disaster does not fit the model.
    """
    plan = Plan(model, disaster)
    # Without any time passing, what then does not serve never would: that is brought up by hand from the begin.
    dry = Run(plan, [0] * plan.needs.size, has_events=False)
    dry.go()
    run = Run(plan, plan.likely, dry.broken)
    run.go()
    many, spreads = (None, {}) if not runs else _many(plan, dry.broken, runs, seed, on_progress)
    return _Telling(plan, run).told(many, spreads)


def chain_of(run: Run) -> list[Work]:
    """Return the work that the end of a run waited for, the last piece first."""
    last_work = {work.component: work for work in run.works if work.is_done}
    lost = [one for one in last_work if run.served[one] != NEVER]
    if not lost:
        return []
    one = max(lost, key=lambda one: (run.served[one], last_work[one].ends, -one))
    found: list[Work] = []
    is_work, seen = False, set()
    while (is_work, one) not in seen and one != NEVER:
        seen.add((is_work, one))
        if not is_work and run.cause[one] != one:
            one = run.cause[one]  # what it lacked in the end was that this one serves
            continue
        work = last_work.get(one)
        if work is None:
            break
        found.append(work)
        one, is_work = work.because, work.reason is Reason.CREW
    return found


def _many(
    plan: Plan,
    by_hand: Sequence[int],
    runs: int,
    seed: int,
    on_progress: Callable[[int], None] | None,
) -> tuple[Many, Mapping[str, Spread]]:
    """Rehearse many times; returns what that says, and the spread of each product."""
    source, size = np.random.default_rng(seed), plan.needs.size
    estimates = [one.recovery or plan.disaster.recovery for one in plan.model.components]
    shape = np.array(
        [[part.total_seconds() for part in msgspec.structs.astuple(one)] for one in estimates]
    ).reshape(size, 3)
    lost_data = frozenset(plan.disaster.data)
    factor = [
        plan.disaster.data_factor if one.name in lost_data else 1.0 for one in plan.model.components
    ]
    least, likely, most = shape.T * np.array(factor)
    is_fixed = most <= least
    most = np.where(is_fixed, least + 1, most)
    lasts: list[int] = []
    critical = np.zeros(size, np.int64)
    products = _products(plan.model)
    back: dict[str, list[int]] = {name: [] for name in products}
    for number in range(runs):
        drawn = np.where(
            is_fixed, least, source.triangular(least, np.clip(likely, least, most), most)
        )
        run = Run(plan, drawn.astype(np.int64).tolist(), by_hand)
        run.go()
        lasts.append(max(0, *run.served))
        critical[[work.component for work in chain_of(run)]] += 1
        for name, members in products.items():
            back[name].append(_all_back(run, members))
        if on_progress is not None:
            on_progress(number + 1)
    names = plan.needs.names
    shares = {names[one]: int(critical[one]) / runs for one in np.nonzero(critical)[0].tolist()}
    every = tuple(timedelta(seconds=one) for one in sorted(lasts))
    many = Many(runs=runs, lasts=_spread(lasts), criticality=shares, every=every)
    return many, {name: _spread(every) for name, every in back.items()}


def _spread(seconds: list[int]) -> Spread:
    """Return the times within which half and nine tenths of the runs were done."""
    ordered = sorted(second if second != NEVER else _TOO_LATE for second in seconds)

    def within(share: float) -> timedelta | None:
        found = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        return None if found == _TOO_LATE else timedelta(seconds=found)

    return Spread(p50=within(0.5), p90=within(0.9))


_TOO_LATE = 1 << 62


def _products(model: Model) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, one in enumerate(model.components):
        for product in one.products:
            found.setdefault(product, []).append(number)
    return dict(sorted(found.items()))


def _all_back(run: Run, members: Iterable[int]) -> int:
    times = [run.served[one] for one in members]
    return NEVER if NEVER in times else max(times, default=0)


class _Telling:
    """Puts a run into words."""

    def __init__(self, plan: Plan, run: Run) -> None:
        self._plan, self._run = plan, run
        self._names = plan.needs.names
        self._lasts = max(0, *run.served)

    def told(self, many: Many | None, spreads: Mapping[str, Spread]) -> Tabletop:
        plan, run, names = self._plan, self._run, self._names
        gone = {name for name, lost in zip(names, plan.lost, strict=True) if lost}
        order = recovery_order(plan.model, plan.disaster.waived)
        waves = (tuple(name for name in wave if name in gone) for wave in order.waves)
        return Tabletop(
            lost=tuple(name for name in names if name in gone),
            lasts=timedelta(seconds=self._lasts),
            bars=tuple(self._bar(work) for work in run.works),
            serves={
                name: timedelta(seconds=at)
                for name, at in zip(names, run.served, strict=True)
                if at != NEVER
            },
            waves=tuple(wave for wave in waves if wave),
            chain=tuple(self._step(work) for work in reversed(chain_of(run))),
            days=tuple(self._days()),
            unrecovered=tuple(self._unrecovered()),
            crews=tuple(self._crews()),
            products=tuple(self._back(spreads)),
            glass=tuple(self._glass()),
            many=many,
        )

    def _name(self, one: int) -> str | None:
        return None if one == NEVER else self._names[one]

    def _bar(self, work: Work) -> Bar:
        return Bar(
            component=self._names[work.component],
            crew=self._plan.crews[work.crew].name,
            begins=timedelta(seconds=work.begins),
            ends=timedelta(seconds=work.ends),
            reason=work.reason,
            because=self._name(work.because),
            is_break_glass=work.is_break_glass,
            is_done=work.is_done,
        )

    def _step(self, work: Work) -> Step:
        bar = self._bar(work)
        return Step(
            component=bar.component,
            crew=bar.crew,
            begins=bar.begins,
            ends=bar.ends,
            serves=timedelta(seconds=self._run.served[work.component]),
            reason=bar.reason,
            because=bar.because,
        )

    def _days(self) -> Iterable[Day]:
        when = sorted(
            (at, name) for at, name in zip(self._run.served, self._names, strict=True) if at > 0
        )
        down = sum(at != 0 for at in self._run.served)
        by_day: dict[int, list[str]] = {}
        for at, name in when:
            by_day.setdefault((at - 1) // _DAY_S, []).append(name)
        for number in range(-(-self._lasts // _DAY_S)):
            now = tuple(by_day.get(number, ()))
            yield Day(
                number=number + 1,
                down_at_begin=down,
                down_at_end=down - len(now),
                serves_now=now,
            )
            down -= len(now)

    def _unrecovered(self) -> Iterable[Unrecovered]:
        for one, at in enumerate(self._run.served):
            if at == NEVER:
                path = tuple(self._names[n] for n in self._run.waits(one))
                yield Unrecovered(
                    component=self._names[one], is_placed=self._run.is_placed(one), path=path
                )

    def _crews(self) -> Iterable[CrewUse]:
        worked = [0] * len(self._plan.crews)
        end = self._lasts
        for work in self._run.works:
            worked[work.crew] += work.ends - work.begins
            end = max(end, work.ends)
        for crew, seconds in zip(self._plan.crews, worked, strict=True):
            whole = crew.people * end
            yield CrewUse(
                name=crew.name,
                people=crew.people,
                worked=timedelta(seconds=seconds),
                share=seconds / whole if whole else 0.0,
            )

    def _back(self, spreads: Mapping[str, Spread]) -> Iterable[Product]:
        for name, members in _products(self._plan.model).items():
            at = _all_back(self._run, members)
            serves = None if at == NEVER else timedelta(seconds=at)
            yield Product(name=name, serves=serves, spread=spreads.get(name))

    def _glass(self) -> Iterable[Glass]:
        by_hand = dict.fromkeys(work.component for work in self._run.works if work.is_break_glass)
        for one in by_hand:
            component = self._plan.model.components[one]
            step = component.break_glass
            yield Glass(
                component=component.name,
                owner=component.owner,
                takes=step.takes if step else NOTHING,
                cost=step.cost if step else 0.0,
                runbook=step.runbook if step else "",
            )


_DAY_S = int(DAY.total_seconds())
