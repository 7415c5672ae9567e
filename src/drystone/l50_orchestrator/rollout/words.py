"""What a rollout says of itself."""

from __future__ import annotations

import math

from drystone.l50_orchestrator.rollout.crossing import Crossing
from drystone.l50_orchestrator.rollout.plan import BY_USER, ERRORS, SLOW, Plan, Watch
from drystone.l50_orchestrator.rollout.standing import Finding, Standing

MOST_SHOWN = math.log(1e9)

STANDS = {
    "rising": "it goes on already",
    "held": "it is held already",
    "paused": "it is paused already",
    "alarmed": "it is proven bad, and waits: promote it all the same, or abort it",
    "promoted": "it is promoted; abort it to go back",
    "rolled-back": "it was rolled back; promote it all the same, or deploy another version",
    "aborted": "it is aborted; promote it all the same, or deploy it again",
}
"""Why an order changes nothing, by phase."""


def bad(standing: Standing, finding: Finding, watch: Watch) -> str:
    """Say why a canary is proven bad."""
    shares = watch.shares
    first = max(finding.by_metric, key=lambda one: finding.by_metric[one] + math.log(shares[one]))
    return f"proven bad by {counts(standing, first, watch.by)}; {odds(finding.evidence)}"


def turned(count: int, watch: Watch) -> str:
    """Say that some were well on stable, and are not on the canary."""
    who = f"1 {watch.by} who was" if count == 1 else f"{count:,} {watch.by}s who were"
    return f"{who} well on the stable release got nothing but errors on the canary: held; promote it, or abort it"


def tried(count: int, watch: Watch) -> str:
    """Say that some are sent back and forth."""
    who = f"1 {watch.by}" if count == 1 else f"{count:,} {watch.by}s"
    return (
        f"{who} got nothing but errors on the canary: its share goes to none, and then back and forth by lot, to see whether the errors"
        " follow it"
    )


def crossed(crossing: Crossing, watch: Watch, evidence: float) -> str:
    """Say what is proven by a trial."""
    trial = crossing.trial
    periods = trial.periods if trial else 0
    one = len(trial.left) if trial else 1
    who = f"1 {watch.by}" if one == 1 else f"{one:,} {watch.by}s"
    return (
        f"proven bad by errors of {who} alone: sent to the canary and back by lot {periods} times, and got nothing but errors there and"
        f" none on the stable release; {odds(evidence)}"
    )


def uncrossed(watch: Watch, *, is_lost: bool) -> str:
    """Say what became of a trial that proved nothing."""
    if not is_lost:
        return f"too few requests of the {watch.by} to see whether its errors follow the release: nothing is proven"
    return f"the errors of the {watch.by} do not follow the release: nothing is proven"


def good(standing: Standing, finding: Finding, watch: Watch) -> str:
    """Say why it is proven good."""
    if finding.is_stable_broken:
        return "proven good: it keeps the objective, which the stable release breaks"
    times = f"{watch.worse * watch.tolerate:g} times"
    return f"proven good: not {times} as bad as the stable release, {counts(standing, ERRORS, watch.by)}"


def counts(standing: Standing, metric: str, by: str = "request") -> str:
    """Say what was counted of a metric; of errors and of failed calls, whether each user, tenant or visitor counted once."""
    if metric not in standing.counted:
        return f"no {metric} counted"
    one = standing.counted[metric]
    name = "slow answers (over the 90th percentile)" if metric == SLOW else metric
    name = f"{metric} by {by}" if metric in BY_USER and by != "request" else name
    return (
        f"{name}: {one.canary.bad:,} of {one.canary.n:,} on the canary, "
        f"{one.stable.bad:,} of {one.stable.n:,} on the stable release"
    )


def odds(evidence: float) -> str:
    """Say what an amount of evidence, a natural logarithm, means."""
    if evidence >= MOST_SHOWN:
        return "were it no worse, this would happen in fewer than 1 of a thousand million rollouts"
    once = math.floor(math.exp(max(0.0, evidence)))
    if once < 2:
        return "nothing speaks against it"
    return f"were it no worse, this would happen in fewer than 1 of {once:,} rollouts"


def step(plan: Plan, number: int) -> str:
    """Name a step."""
    return f"step {number + 1} of {len(plan.steps)}, {plan.steps[number].share:.4g} of the traffic"
