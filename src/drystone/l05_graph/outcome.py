"""What a tabletop exercise says, in words and times after the begin of its disaster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from drystone.l05_graph.rehearsal_plan import Reason


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Work of a crew on a component.

    Attributes:
        begins: After the begin of the disaster.
        ends: The same.
        reason: Why it began then and no earlier.
        because: The component that it waited for, or that its crew worked on before.
        is_break_glass: Whether it was brought up without what it needs.
        is_done: Whether the work was ended, and not stopped by an event.
    """

    component: str
    crew: str
    begins: timedelta
    ends: timedelta
    reason: Reason
    because: str | None
    is_break_glass: bool
    is_done: bool


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the critical chain.

    Attributes:
        begins: When work on the component began.
        ends: When it was in place.
        serves: When it began to serve.
        reason: Why work began then and no earlier.
        because: The component of the step before.
    """

    component: str
    crew: str
    begins: timedelta
    ends: timedelta
    serves: timedelta
    reason: Reason
    because: str | None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the recovery.

    Attributes:
        number: 1 for the first 24 hours.
        down_at_begin: How many components do not serve when it begins.
        down_at_end: The same when it ends.
        serves_now: Those that began to serve in it, in that order.
    """

    number: int
    down_at_begin: int
    down_at_end: int
    serves_now: tuple[str, ...]


class Unrecovered(msgspec.Struct, frozen=True, kw_only=True):
    """A component that does not serve in the end.

    Attributes:
        is_placed: Whether it is in place and lacks something that it needs while serving.
        path: What it waits for, and so on, until a circle closes or somebody waits for nothing but a crew.
    """

    component: str
    is_placed: bool
    path: tuple[str, ...]


class CrewUse(msgspec.Struct, frozen=True, kw_only=True):
    """How busy a crew was.

    Attributes:
        worked: Of all its people together, pauses within a piece of work included.
        share: Of the time of all its people until everything served and the last work was done.
    """

    name: str
    people: int
    worked: timedelta
    share: float


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How long something takes in half and in nine tenths of the runs; None when it does not come back in so many."""

    p50: timedelta | None
    p90: timedelta | None


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """When all components of a product serve; None when they never do."""

    name: str
    serves: timedelta | None
    spread: Spread | None = None


class Glass(msgspec.Struct, frozen=True, kw_only=True):
    """A break-glass step that was taken."""

    component: str
    owner: str | None
    takes: timedelta
    cost: float
    runbook: str


class Many(msgspec.Struct, frozen=True, kw_only=True):
    """What many runs say.

    Attributes:
        runs: How many there were.
        lasts: Until everything served that can.
        criticality: Share of the runs in which a component was on the critical chain; those that never were are left out.
        every: How long each run lasted, the shortest first.
    """

    runs: int
    lasts: Spread
    criticality: Mapping[str, float]
    every: tuple[timedelta, ...] = ()


class Tabletop(msgspec.Struct, frozen=True, kw_only=True):
    """How a recovery goes.

    Attributes:
        lost: What is lost, by name.
        lasts: Until everything serves that can.
        bars: All work, by begin.
        serves: When each component begins to serve for good; those that never do are left out.
        waves: What is lost, in the order of the library, whatever the people.
        chain: Why it takes so long: each step waited for the one before.
        days: The picture at the begin and end of each day.
        unrecovered: What does not serve in the end, and why.
        crews: How busy each was.
        products: When each product is back.
        glass: Break-glass steps that were taken.
        many: What many runs say, if there were any.
    """

    lost: tuple[str, ...]
    lasts: timedelta
    bars: tuple[Bar, ...]
    serves: Mapping[str, timedelta]
    waves: tuple[tuple[str, ...], ...]
    chain: tuple[Step, ...]
    days: tuple[Day, ...]
    unrecovered: tuple[Unrecovered, ...]
    crews: tuple[CrewUse, ...]
    products: tuple[Product, ...]
    glass: tuple[Glass, ...]
    many: Many | None = None
