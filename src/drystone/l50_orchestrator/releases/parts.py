"""What carrying out releases needs of the other parts of the orchestrator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.ports import Book, Environment, Gate, Guard, Registry
from drystone.l50_orchestrator.target import Target

TargetOf = Callable[[Environment], Target]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often something is looked at.

    Attributes:
        look: A rollout.
        first: A rollout in the first seconds of a step: most of what is wrong shows at once, and to more users than before.
        orders: What people ordered meanwhile.
        evidence: How long after its last request is waited for what proxies write down of a release that goes.
    """

    look: timedelta = timedelta(seconds=3)
    first: timedelta = timedelta(milliseconds=250)
    orders: timedelta = timedelta(milliseconds=500)
    evidence: timedelta = timedelta(seconds=1.5)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What carrying out a release needs of others.

    Attributes:
        database: Where the tables of releases and workflows are.
        gate: Who may do what.
        registry: Services and environments.
        guard: Policies.
        book: The audit log.
        target: Where an environment's releases run.
        pace: How often something is looked at.
    """

    database: Database
    gate: Gate
    registry: Registry
    guard: Guard
    book: Book
    target: TargetOf
    pace: Pace = Pace()
