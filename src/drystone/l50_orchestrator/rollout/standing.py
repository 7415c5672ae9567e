"""What is known of a rollout: the bets on every metric, and what they come to."""

from __future__ import annotations

import msgspec

from drystone.l50_orchestrator.rollout import purse, slow
from drystone.l50_orchestrator.rollout.budget import Budget
from drystone.l50_orchestrator.rollout.looks import Counted, Look
from drystone.l50_orchestrator.rollout.plan import ERRORS, SLOW, Watch
from drystone.l50_orchestrator.rollout.race import Proof, Race
from drystone.l50_orchestrator.rollout.slow import Slow


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the bets come to. All evidence is in natural logarithms.

    Attributes:
        evidence: That the canary is worse, by anything that is watched.
        by_metric: The same of each metric alone, before it is weighted.
        good: That it is not much worse.
        is_bad: It is proven bad.
        is_good: It is proven good.
        is_stable_broken: Stable is proven to break the objective.
        is_over: The canary is proven to break it.
        is_crossed: That it is the cause of somebody's errors is proven by a trial alone.
    """

    evidence: float
    by_metric: dict[str, float]
    good: float
    is_bad: bool
    is_good: bool
    is_stable_broken: bool
    is_over: bool
    is_crossed: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The bets on every metric.

    Attributes:
        races: Of each metric that is counted.
        slow: Of the times of answers, if they are watched.
        proof: That errors are no more than so many times as frequent, at this step.
        canary: Whether the canary keeps the objective, if there is one.
        stable: Whether stable does.
        counted: What was seen of each metric so far.
    """

    races: dict[str, Race]
    slow: Slow | None
    proof: Proof
    canary: Budget | None
    stable: Budget | None
    counted: dict[str, Counted]

    def after(self, look: Look) -> Standing:
        """Return what is known after one more look."""
        races, counted = dict(self.races), dict(self.counted)
        for metric, seen in look.counts.items():
            races[metric] = races[metric].after(seen)
            counted[metric] = counted[metric].plus(seen)
        requests = look.requests or Counted()
        speed = self.slow
        if speed is not None and look.timings is not None:
            speed = speed.after(look.timings)
            counted[SLOW] = speed.seen
        return Standing(
            races=races,
            slow=speed,
            proof=self.proof.after(look.counts.get(ERRORS, Counted())),
            canary=self.canary and self.canary.after(requests.canary),
            stable=self.stable and self.stable.after(requests.stable),
            counted=counted,
        )

    def without_waiting(self) -> Standing:
        """Return the same without what waits for a request on the other side."""
        return msgspec.structs.replace(
            self,
            races={metric: race.without_waiting() for metric, race in self.races.items()},
            slow=self.slow and self.slow.without_waiting(),
            proof=self.proof.without_waiting(),
        )

    def spread(self, part: float) -> Standing:
        """Split a part of the money on each metric as at the beginning."""
        races = {metric: race.spread(part) for metric, race in self.races.items()}
        return msgspec.structs.replace(
            self,
            races=races,
            slow=self.slow and self.slow.spread(part),
            canary=self.canary and self.canary.spread(part),
            stable=self.stable and self.stable.spread(part),
        )

    def at_next_step(self, watch: Watch, part: float) -> Standing:
        """Return the same for a larger share: what was proven good is to be proven again there."""
        worse = watch.tolerate * watch.worse
        speed = self.slow and self.slow.proven_anew(worse)
        fresh = self.canary and Budget(self.canary.allowed)
        return msgspec.structs.replace(self, slow=speed, proof=Proof(worse), canary=fresh).spread(
            part
        )

    def finding(self, watch: Watch, crossed: float = 0.0) -> Finding:
        """Tell what the bets come to.

        Args:
            watch: What decides.
            crossed: The evidence of trials of single users.
        """
        by_metric = {metric: race.log_e for metric, race in self.races.items()}
        if self.slow is not None:
            by_metric[SLOW] = self.slow.log_e
        shares = watch.shares
        evidence = purse.weighted((shares[one], log) for one, log in by_metric.items())
        is_crossed = False
        if watch.on_metrics < 1:
            parts = (watch.on_metrics, evidence), (1 - watch.on_metrics, crossed)
            evidence = purse.weighted(parts)
            is_crossed = purse.weighted(parts[1:]) >= watch.alarm
        broken = self.stable is not None and self.stable.log_over >= watch.alarm
        over = self.canary is not None and self.canary.log_over >= watch.alarm
        within = self.canary is not None and self.canary.log_within >= watch.proof
        if not broken:
            bad, good = evidence >= watch.alarm, self._log_good()
            is_good = good >= watch.proof
        else:
            # Who answers with an error at once is no yardstick for how long an answer may take.
            others = [
                (watch.on_metrics * shares[one], log)
                for one, log in by_metric.items()
                if one != SLOW
            ]
            bad = over and bool(others) and purse.weighted(others) >= watch.alarm
            good, is_good = self.canary.log_within if self.canary else 0.0, within
        bad = bad or is_crossed
        return Finding(
            evidence=evidence,
            by_metric=by_metric,
            good=good,
            is_bad=bad,
            is_good=is_good and not bad,
            is_stable_broken=broken,
            is_over=over,
            is_crossed=is_crossed,
        )

    def _log_good(self) -> float:
        """Return the evidence that errors are not much more frequent and answers, if any were timed, not much slower."""
        is_timed = self.slow is not None and bool(self.slow.bounds)
        return (
            min(self.proof.log_e, self.slow.log_good)
            if self.slow and is_timed
            else self.proof.log_e
        )


def begin(watch: Watch) -> Standing:
    """Return what is known before the first look: nothing."""
    worse = watch.tolerate * watch.worse
    metrics = [metric for metric in watch.weights if metric != SLOW]
    allowed = watch.budget
    return Standing(
        races={metric: Race(watch.tolerate, aim=watch.aim(metric)) for metric in metrics},
        slow=slow.begin(watch.tolerate, worse) if SLOW in watch.weights else None,
        proof=Proof(worse),
        canary=None if allowed is None else Budget(allowed),
        stable=None if allowed is None else Budget(allowed),
        counted={metric: Counted() for metric in watch.weights},
    )
