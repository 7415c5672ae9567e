"""What an exercise is made of: actions, and the state that they lead to; both can be written down and read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from drystone.l05_graph.disaster import NOTHING, Disaster, Event


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """A crew begins to work on a component; by hand: without what it needs."""

    component: str
    by_hand: bool = False


class Advance(msgspec.Struct, frozen=True, kw_only=True, tag="advance"):
    """Time passes; to the next thing that happens when ``by`` is None."""

    by: timedelta | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A component is in place, earlier than thought or without anybody's work."""

    component: str


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A component is lost, or the work on it came to nothing."""

    component: str


class Inject(msgspec.Struct, frozen=True, kw_only=True, tag="inject"):
    """The facilitator lets something happen, now or later; its time counts from now."""

    event: Event


Action = Begin | Advance | Done | Failed | Inject


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Work that goes on."""

    component: str
    crew: str
    begins: timedelta
    ends: timedelta


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log."""

    at: timedelta
    text: str


class Exercise(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an exercise.

    Attributes:
        model: Digest of the model that it is played with.
        disaster: What it begins with.
        actions: All steps so far.
        now: How much time has passed in it.
        placed: What is in place, by name.
        tasks: What is worked on, by when it ends.
        people: How many of each crew are there, busy or not.
        pending: What happens later; each time counts from the begin.
        needs: What was discovered: who cannot be brought into place without whom.
        slower: How many times as long work on a component takes.
        log: What happened.
    """

    model: str
    disaster: Disaster
    actions: tuple[Action, ...] = ()
    now: timedelta = NOTHING
    placed: frozenset[str] = frozenset()
    tasks: tuple[Task, ...] = ()
    people: Mapping[str, int] = {}
    pending: tuple[Event, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    slower: Mapping[str, float] = {}
    log: tuple[Entry, ...] = ()


class Startable(msgspec.Struct, frozen=True, kw_only=True):
    """A component that work could begin on.

    Attributes:
        crew: Who would do it.
        is_free: Whether somebody of the crew is there, awake and not busy.
        takes: How long it would take, as far as is known, pauses included.
        by_hand: Whether that is its break-glass step, without what it needs.
        urgency: The longest chain of work that begins with it.
    """

    component: str
    crew: str
    is_free: bool
    takes: timedelta
    by_hand: bool
    urgency: timedelta
