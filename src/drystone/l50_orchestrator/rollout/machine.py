"""A rollout as a state and what changes it: looks and orders.

::

    rising ──▶ promoted         every step was held or proven good, or by order
      │ ▲
      ▼ │
    held, paused                waits: for proof or an order; for an order to go on
      │
      ├──▶ alarmed              proven bad, and a person is to decide
      └──▶ rolled-back, aborted nothing goes to the canary any more

Orders are taken in every state, also afterwards, and the last one counts: ``promote`` ends with all traffic on the canary,
``abort`` with none. By itself the share only rises, or falls to none; once the canary is proven bad it never rises but by
an order to promote. Only while it is found out whether somebody's errors follow the release, it goes down to hardly
anything and comes back, by lot (:mod:`~drystone.l50_orchestrator.rollout.crossing`). Time passes by looks: what cannot be looked at goes nowhere. A clock that goes back has stood still.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec

from drystone.l50_orchestrator.rollout import words
from drystone.l50_orchestrator.rollout.crossing import AWAY, Crossing, lot
from drystone.l50_orchestrator.rollout.evidence import Evidence
from drystone.l50_orchestrator.rollout.looks import Counted, Look, check
from drystone.l50_orchestrator.rollout.parting import share_of
from drystone.l50_orchestrator.rollout.plan import BY_REQUESTS, SLOW, Cohort, Plan, checked
from drystone.l50_orchestrator.rollout.standing import Finding, Standing
from drystone.l50_orchestrator.rollout.standing import begin as nothing_known

Phase = Literal["rising", "held", "paused", "alarmed", "promoted", "rolled-back", "aborted"]
Verdict = Literal["quiet", "good", "bad"]
Verb = Literal["promote", "pause", "resume", "abort"]

OVER: frozenset[Phase] = frozenset({"promoted", "rolled-back", "aborted"})

SPREAD_EVERY = timedelta(minutes=5)
"""How often some of the money is spread anew, so that a canary that turns bad late is found as well."""

SPREAD_THEN = 0.1
SPREAD_AT_STEP = 0.5
"""The parts that are spread: while a step is held, and when more users come to the canary than ever."""

POOLED = timedelta(minutes=1)
"""What waits for a request on the other side waits no longer."""

LEAST_TRIED = 3
"""A canary that failed in all of so many requests is not promoted for want of proof, as where one user makes them all."""

FOOTHOLD, MOST_AT_ONCE = 0.05, 0.1
"""The share with which a rollout begins whose first step is larger than the second: at half of the traffic seven errors tell as
much of an outage as three at a twentieth."""

FEW, FIRST = 10, timedelta(seconds=15)
"""So many answers of the canary, or so long: then the first step has its share."""

MOST_TURNS = 200


class Order(msgspec.Struct, frozen=True):
    """What a person wants.

    Attributes:
        at: Since the rollout began.
        verb: What.
        by: Who.
    """

    at: timedelta
    verb: Verb
    by: str = ""


class Turn(msgspec.Struct, frozen=True):
    """A change of phase or share, or an order that changed nothing, and why."""

    at: timedelta
    phase: Phase
    share: float
    why: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout at a moment.

    Attributes:
        plan: How it is to go.
        phase: What it does.
        number: The step, from 0.
        share: Of the traffic that is to go to the canary, 0 to 1.
        verdict: What is known of the canary. Bad stays bad.
        at: The time of the latest look or order.
        held: How long this step has lasted, without pauses.
        spread: When money was last spread anew.
        pooled: Since when looks wait for one in which both sides have a request.
        tried: All requests at this step, and failures.
        standing: The bets.
        evidence: What is kept to be shown.
        unmeasured: By metric that is to be watched, why nothing is known of it.
        seed: Of the lots.
        crossing: The trials of those who get nothing but errors on the canary.
        turns: What happened; the latest :data:`MOST_TURNS`.
    """

    plan: Plan
    phase: Phase = "rising"
    number: int = 0
    share: float = 0.0
    verdict: Verdict = "quiet"
    at: timedelta = timedelta()
    held: timedelta = timedelta()
    spread: timedelta = timedelta()
    pooled: timedelta = timedelta()
    tried: Counted = Counted()
    standing: Standing
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    turns: tuple[Turn, ...] = ()
    unmeasured: dict[str, str] = {}
    seed: int = 0
    crossing: Crossing = Crossing()

    @property
    def why(self) -> str:
        """Why it is as it is."""
        return self.turns[-1].why

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more but by an order."""
        return self.phase in OVER

    @property
    def allowed(self) -> float:
        """The share of the step; of a first one that is large, less until some answers of the canary are known."""
        share = self.plan.steps[self.number].share
        is_known = self.number > 0 or self.tried.canary.n >= FEW or self.held >= FIRST
        return share if is_known or not MOST_AT_ONCE < share < 1 else FOOTHOLD

    @property
    def wanted(self) -> Wanted:
        """What is to be brought about."""
        header = self.plan.header if not self.is_over else None
        return Wanted(self.share, self.plan.cohort, header, self.plan.watch.by)


class Wanted(msgspec.Struct, frozen=True):
    """How requests are to be parted.

    Attributes:
        share: Of the traffic that goes to the canary, 0 to 1.
        cohort: What stays on one release.
        header: The request header by which somebody chooses a release; nobody can when None.
        by: Who is told apart when errors are counted.
    """

    share: float
    cohort: Cohort
    header: str | None
    by: Cohort = "request"


def begin(plan: Plan, seed: int = 0) -> State:
    """Return a rollout at its first step.

    Args:
        plan: How it is to go.
        seed: Of the lots that it draws; nobody who is tried is to know it.

    Raises:
        PlanUnfit: It cannot be carried out so.
    """
    state = State(plan=checked(plan), standing=nothing_known(plan.watch), seed=seed)
    return _to_step(state, 0, "begun")


def looked(state: State, look: Look) -> State:
    """Return the rollout after a look.

    Raises:
        ObservationUnfit: It cannot have been seen so; the rollout is as before.
    """
    watch = state.plan.watch
    check(look, frozenset(watch.weights) - {SLOW})
    if state.is_over:
        return state
    state = _at(state, look.at)
    if look.is_blind:
        return state
    tried = state.tried.plus(look.requests or Counted())
    standing = state.standing.after(_parted(state, look, tried))
    crossing = _crossed(state, look)
    finding = standing.finding(watch, crossing.log_e)
    before, state = (
        state,
        msgspec.structs.replace(
            state,
            standing=standing,
            crossing=crossing,
            tried=tried,
            unmeasured=look.unmeasured or state.unmeasured,
            evidence=state.evidence.after(look, state.share, finding),
            verdict=_verdict(state, finding),
        ),
    )
    if finding.is_bad and state.phase != "alarmed":
        if finding.is_crossed:
            return _alarm(state, words.crossed(crossing, watch, finding.evidence))
        return _alarm(state, words.bad(standing, finding, watch))
    if state.phase in {"rising", "held"}:
        state = _tried_out(state, before, look)
        if state.crossing.trial is None:
            state = _go_on(state, finding, look.turned)
    return _refreshed(state)


def _crossed(state: State, look: Look) -> Crossing:
    """Return the trials after a look; nobody is sent back and forth while a person keeps the rollout where it is."""
    before = state.crossing
    if before.trial is None or state.phase not in {"rising", "held"}:
        return before
    return before.after(look.crossed, state.at, is_there=lot(state.seed, before.lots))


def _tried_out(state: State, before: State, look: Look) -> State:
    """Begin and end trials, and give the canary the share that the lot says."""
    watch, share = state.plan.watch, state.allowed
    trial, crossing = state.crossing.trial, state.crossing
    if trial is None and before.crossing.trial is not None:
        is_lost = not look.crossed.keys() & set(before.crossing.trial.left)
        return _turn(state, words.uncrossed(watch, is_lost=is_lost), share=share)
    if trial is None and look.crossed and watch.by != "request":
        crossing = crossing.begun(look.crossed, state.at)
        if trial := crossing.trial:
            state = _turn(state, words.tried(len(trial.tried), watch), crossing=crossing)
    if trial is None:
        first = words.step(state.plan, state.number)
        return _turn(state, f"begun with {first}", share=share) if state.share < share else state
    return msgspec.structs.replace(state, share=share if trial.is_there else min(share, AWAY))


def witnessed(state: State, look: Look) -> State:
    """Return a rollout that is over with the events of one more look, for people; nothing else of it counts any more."""
    kept = state.evidence.with_events(look.events)
    return msgspec.structs.replace(state, evidence=kept)


def _parted(state: State, look: Look, tried: Counted) -> Look:
    """Say of what is counted by requests how it was parted, where chance parts them and nobody has said so."""
    plan = state.plan
    if plan.cohort != "request" or plan.watch.by != "request":
        return look
    share = share_of(state.share, tried)
    counts = {
        metric: msgspec.structs.replace(one, share=share)
        if metric in BY_REQUESTS and one.share is None
        else one
        for metric, one in look.counts.items()
    }
    return msgspec.structs.replace(look, counts=counts)


def ordered(state: State, order: Order) -> State:
    """Return the rollout after an order; there is none that it refuses."""
    state = _at(state, order.at)
    by = f" by {order.by}" if order.by else ""
    match order.verb:
        case "promote":
            return _promoted(state, by)
        case "abort":
            if state.phase == "aborted":
                return _turn(state, f"abort{by}: it is aborted already")
            return _turn(state, f"aborted{by}", phase="aborted", share=0.0)
        case "pause":
            if state.phase in {"rising", "held"}:
                share = state.allowed if state.crossing.trial else state.share
                crossing = state.crossing.ended()
                return _turn(state, f"paused{by}", phase="paused", share=share, crossing=crossing)
        case "resume":
            if state.phase in {"paused", "held"}:
                return _turn(state, f"resumed{by}", phase="rising", held=timedelta())
    return _turn(state, f"{order.verb}{by}: {words.STANDS[state.phase]}")


def _promoted(state: State, by: str) -> State:
    if state.phase == "promoted":
        return _turn(state, f"promote{by}: it is promoted already")
    but = ", although it is proven bad" if state.verdict == "bad" else ""
    return _turn(state, f"promoted{by}{but}", phase="promoted", share=1.0)


def _verdict(state: State, finding: Finding) -> Verdict:
    if finding.is_bad or state.verdict == "bad":
        return "bad"
    return "good" if finding.is_good else "quiet"


def _alarm(state: State, why: str) -> State:
    """Do what an alarm does; also while paused, since nobody is to wait for a person to be spared errors."""
    if state.plan.watch.on_alarm == "pause":
        return _turn(state, why, phase="alarmed")
    return _turn(state, why, phase="rolled-back", share=0.0)


def _go_on(state: State, finding: Finding, turned: int) -> State:
    """Go to the next step if it is time, or wait.

    Args:
        state: Rising or held.
        finding: What the bets come to.
        turned: How many users were well on stable, and got nothing but errors since they are on the canary. One of them
            proves nothing, and may be a whole tenant: a person is to look.
    """
    watch, hold = state.plan.watch, state.plan.steps[state.number].hold
    is_time = state.held >= hold
    if not is_time and not (finding.is_good and watch.early):
        return state
    if turned:
        return _hold(state, words.turned(turned, watch))
    if finding.is_good:
        return _to_step(state, state.number + 1, words.good(state.standing, finding, watch))
    what = words.step(state.plan, state.number)
    if why := _kept_by(state, finding, what):
        return _hold(state, why)
    return _to_step(state, state.number + 1, f"nothing proven against it at {what}")


def _kept_by(state: State, finding: Finding, what: str) -> str:
    """Say why a canary of which nothing is proven stays where it is; nothing where it goes on."""
    if finding.is_stable_broken and finding.is_over:
        return "both releases break the objective: held until the canary keeps it"
    tried = state.tried.canary
    if tried.n >= LEAST_TRIED and tried.bad == tried.n:
        return f"no answer of it was good at {what}: held, whatever else is proven"
    if state.plan.watch.quiet == "promote":
        return ""
    return f"nothing proven at {what}: held; promote it, abort it, or wait for proof"


def _hold(state: State, why: str) -> State:
    return state if state.phase == "held" else _turn(state, why, phase="held")


def _to_step(state: State, number: int, why: str) -> State:
    """Begin a step; at the last one all traffic is on the canary, and there is nothing to compare with."""
    share = state.plan.steps[number].share
    if share >= 1:
        return _turn(state, why, phase="promoted", number=number, share=1.0)
    standing = state.standing.without_waiting().at_next_step(state.plan.watch, SPREAD_AT_STEP)
    if number == 0:
        share = state.allowed
    return _turn(
        state,
        why,
        phase="rising",
        number=number,
        share=share,
        standing=standing,
        held=timedelta(),
        spread=state.at,
        pooled=state.at,
        tried=Counted(),
        verdict="quiet",
    )


def _refreshed(state: State) -> State:
    """Do what is done to the bets from time to time."""
    if state.at - state.pooled >= POOLED:
        standing = state.standing.without_waiting()
        state = msgspec.structs.replace(state, standing=standing, pooled=state.at)
    if state.at - state.spread < SPREAD_EVERY:
        return state
    standing = state.standing.spread(SPREAD_THEN)
    return msgspec.structs.replace(state, standing=standing, spread=state.at)


def _at(state: State, at: timedelta) -> State:
    """Let time pass."""
    passed = max(timedelta(), at - state.at)
    held = state.held + passed if state.phase in {"rising", "held"} else state.held
    return msgspec.structs.replace(state, at=state.at + passed, held=held)


def _turn(state: State, why: str, **changes: object) -> State:
    """Change a state, and remember why."""
    changed = msgspec.structs.replace(state, **changes)
    turn = Turn(changed.at, changed.phase, changed.share, why)
    return msgspec.structs.replace(changed, turns=(*changed.turns, turn)[-MOST_TURNS:])
