"""How a rollout is to go: its steps, whom it concerns, and what decides."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import pairwise
from typing import Literal

import msgspec

from drystone.l50_orchestrator.rollout.crossing import PART
from drystone.l50_orchestrator.rollout.errors import PlanUnfit
from drystone.l50_orchestrator.rollout.race import MOST_TOLERATED

Cohort = Literal["request", "user", "tenant", "visitor"]

ERRORS, SLOW = "errors", "slow"

LOG_ERRORS, DEPENDENCY_ERRORS = "log-errors", "dependency-errors"

WEIGHTS = {ERRORS: 0.7, SLOW: 0.2, "restarts": 0.05, LOG_ERRORS: 0.05, DEPENDENCY_ERRORS: 0.05}
"""The part of the money that is bet on each metric. ``slow`` is fed by timings, every other one by counts."""

ALWAYS = (ERRORS, SLOW, "restarts", LOG_ERRORS)
"""What is watched where nobody says anything else."""

BY_REQUESTS = frozenset({ERRORS, LOG_ERRORS})
"""What is parted as requests are. Calls are not: a release makes some of them without any request."""

BY_USER = frozenset({ERRORS, DEPENDENCY_ERRORS})
"""Where users, tenants or visitors are told apart, each counts once in these."""

MOST_STEPS = 100


class Step(msgspec.Struct, frozen=True):
    """One step.

    Attributes:
        share: Of the traffic that goes to the canary, above 0, at most 1.
        hold: How long it stays, unless something is proven.
    """

    share: float
    hold: timedelta = timedelta(minutes=5)


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether a rollout goes on.

    Attributes:
        weights: The metrics that are watched; the money is bet on them in proportion.
        false_alarm: The probability, above 0, at most 0.5, that a canary as good as stable is found bad, in the whole rollout.
        tolerate: How many times as bad as stable is still good, 1 to 10.
        worse: Proven good is what is proven not to be so many times as bad as what is tolerated.
        false_proof: The probability, at each step, that such a one is proven good.
        by: What is counted once, with its first error.
        on_alarm: What follows when the canary is proven bad.
        quiet: What follows when a hold is over and nothing is proven.
        early: Whether what is proven good goes on before its hold is over.
        budget: The share of requests that may be bad by the objective of the service, if it has one.
    """

    weights: dict[str, float] = msgspec.field(
        default_factory=lambda: {one: WEIGHTS[one] for one in ALWAYS}
    )
    false_alarm: float = 0.01
    tolerate: float = 1.0
    worse: float = 2.0
    false_proof: float = 0.05
    by: Cohort = "request"
    on_alarm: Literal["rollback", "pause"] = "rollback"
    quiet: Literal["promote", "hold"] = "promote"
    early: bool = True
    budget: float | None = None

    @property
    def alarm(self) -> float:
        """The logarithm of the evidence that proves a canary bad."""
        return -math.log(self.false_alarm)

    def aim(self, metric: str) -> float:
        """Return the logarithm of the evidence of one metric that proves a canary bad whatever the others say."""
        return self.alarm - math.log(self.shares[metric] * self.on_metrics)

    @property
    def on_metrics(self) -> float:
        """The part of the money that is bet on metrics; the rest is for trials of single users, where these are told apart."""
        return 1.0 if self.by == "request" else 1 - PART

    @property
    def proof(self) -> float:
        """The logarithm of the evidence that proves it good."""
        return -math.log(self.false_proof)

    @property
    def shares(self) -> dict[str, float]:
        """The part of the money on each metric; together 1."""
        whole = math.fsum(self.weights.values())
        return {metric: weight / whole for metric, weight in self.weights.items()}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a rollout is to go.

    Attributes:
        steps: In their order, rising, the last one with a share of 1.
        cohort: What stays on one release.
        header: The request header by which somebody chooses a release; nobody can when None.
        watch: What decides.
    """

    steps: tuple[Step, ...] = tuple(Step(share) for share in (0.01, 0.1, 0.5, 1.0))
    cohort: Cohort = "request"
    header: str | None = None
    watch: Watch = msgspec.field(default_factory=Watch)


def checked(plan: Plan) -> Plan:
    """Return a plan that can be carried out.

    Raises:
        PlanUnfit: It cannot; the message says what to write instead.
    """
    shares = [step.share for step in plan.steps]
    if not 0 < len(shares) <= MOST_STEPS:
        raise PlanUnfit(f"a rollout has 1 to {MOST_STEPS} steps, not {len(shares)}")
    if not (shares[0] > 0 and shares[-1] == 1 and all(a < b for a, b in pairwise(shares))):
        raise PlanUnfit(
            "the steps must rise from above 0 to 1: write for example 0.01, 0.1, 0.5, 1"
        )
    if any(step.hold < timedelta() for step in plan.steps):
        raise PlanUnfit("a step cannot be held for less than no time")
    _check_watch(plan.watch)
    return plan


def _check_watch(watch: Watch) -> None:
    weights = watch.weights.values()
    if not weights or not all(0 < weight < math.inf for weight in weights):
        raise PlanUnfit("watch at least one metric, each with a weight above 0")
    ranges = [
        ("false_alarm", watch.false_alarm, 1e-9, 0.5),
        ("false_proof", watch.false_proof, 1e-9, 0.5),
        ("tolerate", watch.tolerate, 1.0, MOST_TOLERATED),
        ("worse", watch.worse, 1.1, 100.0),
        ("budget", 0.5 if watch.budget is None else watch.budget, 1e-9, 1 - 1e-9),
    ]
    for name, value, least, most in ranges:
        if not least <= value <= most:
            raise PlanUnfit(f"{name} is {value:g}: write a number from {least:g} to {most:g}")
