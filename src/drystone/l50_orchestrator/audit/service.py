"""Writes the audit log and reads it: the implementations of :class:`Book` and :class:`AuditApi`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.context import Context
from drystone.l00_kernel.contract.page import Page, make_cursor, read_cursor
from drystone.l00_kernel.errors import Invalid, PlatformError
from drystone.l00_kernel.ports import Field, Log
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l50_orchestrator.audit import domain, store
from drystone.l50_orchestrator.audit.api import AuditApi, EntryView, Problem, Verdict
from drystone.l50_orchestrator.audit.domain import Entry, Head, Walk
from drystone.l50_orchestrator.audit.errors import EntryUnfit, NothingRestored, NotMended
from drystone.l50_orchestrator.audit.heads import Heads
from drystone.l50_orchestrator.audit.past import turned
from drystone.l50_orchestrator.audit.store import Unnumbered, Wanted
from drystone.l50_orchestrator.ports import Action, Actor, Book, Gate

EVERY = timedelta(minutes=5)
"""How long it takes until a head is written down again."""

_MOST = 1000


class ChainedBook(Book):
    """Appends to the chain. From the first note on, a transaction holds the end of the log: note last, and commit soon."""

    @override
    async def note(
        self, session: Session, actor: Actor, action: str, subject: str, **fields: Field
    ) -> None:
        text = domain.checked(action, subject, fields)
        await store.append(
            session,
            Unnumbered(
                actor=actor.name,
                kind=actor.kind,
                behind=actor.behind,
                glass=actor.glass,
                action=action,
                subject=subject,
                fields=text,
            ),
        )


class Audits(AuditApi):
    """The log, for those who read it.

    Args:
        database: Of the orchestrator; :func:`~drystone.l50_orchestrator.audit.store.prepare` was done.
        gate: Who may read.
        book: Writes what is accepted.
        heads: Kept outside of the database.
        clock: When a head was written down.
    """

    def __init__(
        self, database: Database, *, gate: Gate, book: Book, heads: Heads, clock: Clock
    ) -> None:
        self._database = database
        self._gate = gate
        self._book = book
        self._heads = heads
        self._clock = clock
        self._writing = asyncio.Lock()

    @override
    async def entries(
        self,
        ctx: Context,
        *,
        actor: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        most: int = 100,
    ) -> Page[EntryView]:
        if not 1 <= most <= _MOST:
            raise Invalid(f"ask for 1 to {_MOST} entries at once, not for {most}")
        for name, moment in (("since", since), ("until", until)):
            if moment is not None and moment.tzinfo is None:
                raise Invalid(f"{name} needs an offset: 2026-01-31T12:00:00Z")
        if "\x00" in f"{actor}{subject}{action}":
            raise Invalid("no entry holds the character U+0000")
        await self._require(ctx, subject)
        begins = action is not None and action.endswith(".")
        wanted = Wanted(
            actor=actor,
            subject=subject,
            action=None if begins else action,
            prefix=action if begins else None,
            since=since,
            until=until,
            before=None if cursor is None else _place(cursor),
        )
        found = await store.find(self._database, wanted, most + 1)
        page = [_view(entry) for entry in found[:most]]
        return Page(page, make_cursor(page[-1].number) if len(found) > most else None)

    async def _require(self, ctx: Context, subject: str | None) -> None:
        environment, slash, service = (subject or "").partition("/")
        # A subject such as team/NAME is no service's, and read by those who may read everything.
        if slash and service and "/" not in service and environment not in domain.OWN_SUBJECTS:
            await self._gate.require(ctx, Action.AUDIT, service=service, environment=environment)
        else:
            await self._gate.require(ctx, Action.AUDIT)

    @override
    async def verify(self, ctx: Context) -> Verdict:
        await self._gate.require(ctx, Action.AUDIT)
        return await self.judge()

    async def judge(self) -> Verdict:
        """Read the whole log, for the platform itself.

        Raises:
            HeadsUnreadable: The heads kept outside are not what they must be.
            DatabaseUnavailable: The server cannot do it now.
        """
        heads = await asyncio.to_thread(self._heads.read)
        walk = Walk(domain.standing(heads))
        problem: Problem | None = None
        async with aclosing(store.read(self._database)) as pages:
            async for page in pages:
                problem = walk.read(page)
                if problem is not None:
                    break
            else:
                problem = walk.end()
        return Verdict(
            is_whole=problem is None,
            entries=walk.entries,
            head=walk.head if walk.entries else "",
            anchored=walk.anchored,
            heads=len(heads),
            accepted=sum(head.is_restored for head in heads),
            problem=problem,
            is_sealed=await store.is_sealed(self._database),
        )

    async def checkpoint(self) -> Problem | None:
        """Write the head of the log down outside of the database, unless it is there already.

        It costs a look at two entries. Where the last head is not in the log any more, nothing is written, so that what the file
        tells is not covered up by heads of another log.

        Returns:
            What is wrong, when the database is not the one whose head was written down last.

        Raises:
            HeadsUnreadable: The heads kept outside are not what they must be.
            DatabaseUnavailable: The server cannot do it now.
            DiskFull: There is no room for the head.
        """
        async with self._writing:
            held = domain.standing(await asyncio.to_thread(self._heads.read))
            last = held[max(held)] if held else None
            problem = await turned(self._database, last)
            if problem is not None:
                return problem
            number, own = await store.head(self._database)
            if number and (last is None or number != last.number):
                head = Head(number, own, self._clock.now())
                await asyncio.to_thread(self._heads.append, head)
            return None

    async def watch(self, log: Log, every: timedelta = EVERY) -> None:
        """Write heads down until this is cancelled, and tell the log when the database is not the one that it was.

        Args:
            log: Hears what is wrong; the same as long as it lasts.
            every: How long it takes until the next head.
        """
        while True:
            try:
                problem = await self.checkpoint()
            except PlatformError as e:
                log.warning("the head of the audit log cannot be written down", error=e)
            else:
                if problem is not None:
                    log.error(
                        "the audit log is not what it was", fault=problem.fault, text=problem.text
                    )
            await self._clock.sleep(every)

    @override
    async def accept_restored(self, ctx: Context, *, reason: str) -> Verdict:
        actor = await self._gate.require(ctx, Action.ADMINISTER)
        if not reason.strip():
            raise EntryUnfit("say why the database was restored: the log keeps it")
        async with self._writing:
            verdict = await self.judge()
            problem = verdict.problem
            if problem is None:
                raise NothingRestored
            if problem.fault not in {"rewritten", "cut"}:
                raise NotMended(f"{problem.text}; no older copy of the database explains that")
            heads = domain.standing(await asyncio.to_thread(self._heads.read))
            lost = max(heads)
            agreed = heads.get(verdict.anchored)
            async with self._database.session() as session, session.transaction():
                await self._book.note(
                    session,
                    actor,
                    "audit.restored",
                    "audit/log",
                    reason=reason,
                    agreed_up_to=verdict.anchored,
                    had_been_at=lost,
                )
            mark = Head(
                verdict.anchored,
                agreed.hash if agreed else domain.BEGINNING,
                self._clock.now(),
                is_restored=True,
            )
            await asyncio.to_thread(self._heads.append, mark)
        await self.checkpoint()
        return await self.judge()


def _place(cursor: str) -> int:
    place = read_cursor(cursor, int)
    if not 0 < place < 2**63:
        raise Invalid("the cursor is not one that this list gave out; start again without a cursor")
    return place


def _view(entry: Entry) -> EntryView:
    try:
        fields = msgspec.json.decode(entry.fields, type=dict[str, Field])
    except msgspec.MsgspecError:  # edited by hand; `verify` tells
        fields = {}
    return EntryView(
        number=entry.number,
        at=entry.at.astimezone(UTC),
        actor=entry.actor,
        kind=entry.kind,
        behind=entry.behind,
        glass=entry.glass,
        action=entry.action,
        subject=entry.subject,
        fields=fields,
        text=entry.fields,
        previous=entry.previous,
        hash=entry.hash,
    )
