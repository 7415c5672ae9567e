"""What all parts of the implementation share: how something about access is changed.

Changes happen one after the other, each decided by what its own transaction sees, so that of two admins who remove each other one is
too late. While a transaction is open no other session is asked for: who waits for the lock holds one, and there are few.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.context import Context
from drystone.l00_kernel.contract.page import read_cursor
from drystone.l00_kernel.errors import Invalid
from drystone.l00_kernel.ports import Field, Log
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l50_orchestrator.access import domain, store
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.access.domain import Grant, Question, Standing, Wider
from drystone.l50_orchestrator.access.errors import CannotGive, LastAdmin, NotAllowed, SaidUnfit
from drystone.l50_orchestrator.access.gate import AccessGate, actor_of
from drystone.l50_orchestrator.access.withdrawn import taken_by
from drystone.l50_orchestrator.ports import Action, Book, Places

MOST = 1000
ADMINISTER = Question(Action.ADMINISTER)


class Change:
    """One change, in its transaction.

    Attributes:
        session: Stands in the transaction.
        standing: Who changes, as the transaction sees it, without what broken glass gives.
        at: Now.
    """

    def __init__(self, session: Session, standing: Standing, at: datetime) -> None:
        self.session = session
        self.at = at
        self.actor = actor_of(standing, at)
        self.with_glass = standing
        self.standing = msgspec.structs.replace(standing, glass=0, until=None)
        self.notes: list[tuple[str, str, dict[str, Field]]] = []
        self.taken: list[str] = []
        self.given: list[str] = []
        """What holds no more, beside what is noted, and what holds even if it was taken away before; see :mod:`~.withdrawn`."""

    def note(self, action: str, subject: str, **fields: Field) -> None:
        """Have an entry written in the audit log at the end of the transaction."""
        self.notes.append((action, subject, fields))

    @property
    def may_administer(self) -> bool:
        """Whether who changes is an admin."""
        return domain.decide(self.standing, ADMINISTER, self.at).allowed

    def require_admin(self, what: str) -> None:
        """Go on only for an admin.

        Raises:
            NotAllowed: It is none.
        """
        if not self.may_administer:
            raise NotAllowed(f"{self.actor.name} may not {what}: an admin of the platform may")

    def require_to_give(self, grant: Grant, known: Wider) -> None:
        """Go on only for somebody who may give this, or take it.

        Raises:
            CannotGive: The caller may not.
        """
        if not domain.may_give(self.standing, grant, known):
            raise CannotGive(
                f"{self.actor.name} cannot give or take the role {grant.role.value} over {grant.over} in {grant.place}: that"
                " takes the same role, and at least owner, over all of it; access by broken glass does not count"
            )


class Part(AccessApi):
    """A part of the implementation.

    Args:
        database: Of the orchestrator; :func:`~drystone.l50_orchestrator.access.store.prepare` was done.
        gate: Decides.
        book: The audit log.
        places: Whose services are, and of what type environments.
        clock: The time.
        log: Hears of broken glass.
    """

    def __init__(
        self,
        database: Database,
        *,
        gate: AccessGate,
        book: Book,
        places: Places,
        clock: Clock,
        log: Log,
    ) -> None:
        self._database = database
        self._gate = gate
        self._book = book
        self._places = places
        self._clock = clock
        self._log = log

    @asynccontextmanager
    async def _change(self, ctx: Context, what: str, subject: str) -> AsyncIterator[Change]:
        """Change something: decided, made and noted in one transaction.

        Args:
            ctx: Who changes it.
            what: In a word, for the log of refusals.
            subject: Likewise.
        """
        change: Change | None = None
        try:
            async with self._database.session() as session, session.transaction():
                await store.lock(session)
                admins = await store.count_admins(session)
                standing = await self._gate.fresh(session, ctx)
                change = Change(session, standing, self._clock.now())
                yield change
                if admins and not await store.count_admins(session):
                    raise LastAdmin(
                        "nobody would be left to administer the platform; make somebody else an admin of all first"
                    )
                for action, about, fields in change.notes:
                    await self._book.note(session, change.actor, action, about, **fields)
                await self._gate.take([*change.taken, *taken_by(change.notes)])
            await self._gate.give(change.given)
        except (NotAllowed, CannotGive) as e:
            if change is not None:
                await self._gate.tell(change.with_glass, what, subject, e.message)
            raise
        finally:
            self._gate.forget()

    async def _see(self, ctx: Context) -> None:
        await self._gate.require(ctx, Action.SEE)

    async def _wider(self, grant: Grant) -> Wider:
        """Return what has to be known to compare a grant with others."""
        team = type_ = None
        if grant.over.startswith("service:"):
            team = await self._gate.team_of(grant.over.removeprefix("service:"))
        if grant.place.startswith("environment:"):
            type_ = await self._places.type_of(grant.place.removeprefix("environment:"))
        return Wider(team, type_)


def check_most(most: int) -> None:
    """Refuse a page that is none.

    Raises:
        Invalid: It is.
    """
    if not 1 <= most <= MOST:
        raise Invalid(f"ask for 1 to {MOST} at once, not for {most}")


def after(cursor: str | None) -> str:
    """Return where a page begins whose order is that of names.

    Raises:
        Invalid: There is no such cursor.
    """
    place = "" if cursor is None else read_cursor(cursor, str)
    return plain(place, "the cursor", 200)


def plain(text: str, what: str, longest: int) -> str:
    """Return a text that can be kept.

    Raises:
        SaidUnfit: It is too long, or has characters that do not show.
    """
    if len(text) > longest:
        raise SaidUnfit(f"{what} has {len(text)} characters; {longest} are the most")
    if not text.isprintable():
        raise SaidUnfit(f"{what} holds a character that does not show")
    return text
