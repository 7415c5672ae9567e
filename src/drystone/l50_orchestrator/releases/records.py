"""A release as its table has it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from drystone.l00_kernel.context import Caller, Context
from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.releases.api import Kind, State

ENDED: frozenset[State] = frozenset({"served", "failed", "refused", "aborted", "rolled-back"})


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down when a release is asked for.

    Attributes:
        id: Unique for all time.
        environment: Where.
        service: Which.
        kind: A deploy, a promotion or a way back.
        origin: Id of the release whose code and configuration it brings.
        team: Who owns the service.
        version: What it is called.
        message: What for.
        actor: Who wants it.
        roles: What the caller could act as, so that the gate can be asked again.
        file: What the descriptor's file is called.
        folder: Where the descriptor lies.
        descriptor: Digest of its text; empty where there is none on record.
        confirm: Resources whose data may be deleted.
        rest: Environments that follow by themselves.
        expected: Digest of the artefact that it must run; empty where any will do.
        keep: How many releases can be gone back to while it serves.
        returns_to: Of a way back: id of the release of this place that is to serve again; empty for others.
    """

    id: str
    environment: str
    service: str
    kind: Kind
    origin: str
    team: str
    version: str
    message: str
    actor: Actor
    roles: frozenset[str]
    file: str
    folder: str
    descriptor: str
    confirm: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    expected: str = ""
    keep: int = 0
    returns_to: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A release.

    Attributes:
        asked: What was asked for.
        seq: In the order of all requests.
        number: In the order of its service and environment.
        state: How far it is, or how it ended.
        why: Why.
        artefact: Digest of what it runs.
        at_target: The target's number.
        before: Id of the release that served when it was brought up.
        asked_at: When it was asked for.
        ended_at: When it ended.
        is_serving: Whether it serves now.
        now: When it was read; a time of the database, as all of these.
    """

    asked: Asked
    seq: int
    number: int
    state: State
    why: str
    artefact: str
    at_target: int
    before: str
    asked_at: datetime
    ended_at: datetime | None
    is_serving: bool
    now: datetime

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.asked.environment}/{self.asked.service}/{self.number}"

    @property
    def lasting(self) -> str:
        """Id of the release of this place that serves where this one does: what a way back returned to, or itself."""
        return self.asked.returns_to or self.asked.id

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED

    def context(self) -> Context:
        """Return a context in the name of whoever asked."""
        return Context(Caller(self.asked.actor.name, self.asked.roles))
