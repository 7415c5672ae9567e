"""What a run will do: drawn before it begins, all of it from one seed, so that a replay meets the same."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Literal, TypeVar

import msgspec

_T = TypeVar("_T")

COMMAND_BEGINS, OPERATION_ENDS = "command", "end"
"""Moments beside the steps of an operation: its command was started, and its command has ended."""

STEPS = {
    COMMAND_BEGINS: 3,
    "check": 1,
    "resources": 2,
    "build": 2,
    "start": 4,
    "health": 3,
    "warm-up": 2,
    "switch": 4,
    "drain": 3,
    "done": 3,
    OPERATION_ENDS: 2,
}
"""Moments after which a strike may come, and how often each is drawn."""

DELAYS = (timedelta(milliseconds=5), timedelta(milliseconds=50), timedelta(milliseconds=500))
"""A strike comes up to one of these after its moment: on it, around it, or somewhere in what follows."""

HOW_MANY = {0: 2, 1: 8, 2: 5, 3: 2}
"""Strikes of one operation, and how often each number is drawn."""

ROLLBACKS = 0.2
TOGETHER = 0.2
NEW_CODE = 0.3
MORE = 0.25
ASIDE = 0.2
GENTLE = 0.3
RESTLESS = 0.25


class Strike(msgspec.Struct, frozen=True):
    """One kill.

    Attributes:
        victim: The name of a :class:`~drystone.testing.faults.victims.Victim`.
        step: The moment after which it comes: a step's name as in ``Progress.step``, or one of the moments above.
        delay: How long after it.
        pick: Which one, where there are several: the remainder chooses.
    """

    victim: str
    step: str
    delay: timedelta
    pick: int

    def words(self) -> str:
        """Say it."""
        return f"{self.victim} {self.delay / timedelta(milliseconds=1):.0f} ms after {self.step}"


class Action(msgspec.Struct, frozen=True):
    """One operation on one service, and what is killed meanwhile.

    Attributes:
        kind: The verb.
        subject: The service's name.
        version: What the new release is called; empty for a rollback.
        new_code: Whether the code changes as well, so that something has to be built.
        more: Whether the release has a resource beside its own, which goes with the next that has not.
        keep_warm: How long the release before is kept running.
        strikes: What is killed.
        is_aside: Whether the release has its sidecar elsewhere than most of its service's: in the Envoy of the host, where
            others have one of their own.
    """

    kind: Literal["deploy", "rollback"]
    subject: str
    version: str
    new_code: bool
    more: bool
    keep_warm: timedelta
    strikes: tuple[Strike, ...]
    is_aside: bool = False


class Round(msgspec.Struct, frozen=True):
    """Operations that go on together.

    Attributes:
        actions: One for each of some services.
        rests: Whether the platform may come to rest afterwards and is looked at; otherwise the next round
            begins at once.
        is_gentle: Whether only those are struck whose death no request may notice.
    """

    actions: tuple[Action, ...]
    rests: bool
    is_gentle: bool = False


class Fighters(msgspec.Struct, frozen=True):
    """Who may be struck.

    Attributes:
        gentle: Victims whose death no request may notice, and how often each is drawn.
        all: All victims, and how often each is drawn.
    """

    gentle: dict[str, int]
    all: dict[str, int]


def draw(
    seed: int, deploys: int, subjects: tuple[str, ...], fighters: Fighters
) -> tuple[Round, ...]:
    """Draw a run.

    Args:
        seed: What everything is drawn from.
        deploys: How many deploys; rollbacks come on top.
        subjects: The services' names.
        fighters: Who may be struck.
    """
    dice = random.Random(seed)  # noqa: S311 - a replay must draw the same
    rounds: list[Round] = []
    drawn, ahead = 0, dict.fromkeys(subjects, 0)
    while drawn < deploys:
        gentle = dice.random() < GENTLE
        victims = fighters.gentle if gentle else fighters.all
        chosen = dice.sample(subjects, 2 if dice.random() < TOGETHER else 1)
        actions = []
        for subject in chosen:
            action = _action(
                dice, subject, f"v{drawn + 1}", victims, may_go_back=ahead[subject] > 0
            )
            is_deploy = action.kind == "deploy"
            drawn += is_deploy
            ahead[subject] += 1 if is_deploy else -1
            actions.append(action)
        # What a gentle round breaks could be blamed on the one before, had the platform not come to rest.
        rests = gentle or drawn >= deploys or dice.random() >= RESTLESS
        if gentle and rounds:
            rounds[-1] = msgspec.structs.replace(rounds[-1], rests=True)
        rounds.append(Round(tuple(actions), rests, gentle))
    return tuple(rounds)


def _action(
    dice: random.Random, subject: str, version: str, victims: dict[str, int], *, may_go_back: bool
) -> Action:
    goes_back = dice.random() < ROLLBACKS and may_go_back
    kind: Literal["deploy", "rollback"] = "rollback" if goes_back else "deploy"
    new_code, more = dice.random() < NEW_CODE, dice.random() < MORE
    keep_warm = timedelta(seconds=dice.choice((0, 0, 8)))
    is_aside = dice.random() < ASIDE
    count = _weighted(dice, HOW_MANY)
    strikes = tuple(_strike(dice, victims) for _ in range(count))
    name = version if kind == "deploy" else ""
    return Action(kind, subject, name, new_code, more, keep_warm, strikes, is_aside)


def _strike(dice: random.Random, victims: dict[str, int]) -> Strike:
    victim, step = _weighted(dice, victims), _weighted(dice, STEPS)
    delay = dice.random() * dice.choice(DELAYS)
    return Strike(victim, step, delay, dice.randrange(1000))


def _weighted(dice: random.Random, weights: dict[_T, int]) -> _T:
    return dice.choices(list(weights), weights=list(weights.values()))[0]
