"""Policies, exceptions and freezes: the implementation of :class:`GuardrailsApi`."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Context, Page
from drystone.l00_kernel.contract.page import make_cursor, read_cursor
from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.policies.errors import PolicyUnfit
from drystone.l10_engines.policies.reading import Module
from drystone.l10_engines.postgres.migrating import migrate, steps_of
from drystone.l50_orchestrator.guardrails import cases, domain
from drystone.l50_orchestrator.guardrails.api import (
    ExceptionSaid,
    ExceptionView,
    FreezeSaid,
    FreezeView,
    GuardrailsApi,
    Judgement,
    Mode,
    PolicySaid,
    PolicyView,
    Tried,
)
from drystone.l50_orchestrator.guardrails.domain import FREEZE, Asked, Frozen
from drystone.l50_orchestrator.guardrails.errors import (
    ExceptionHasChanged,
    ExceptionHasEnded,
    ExceptionNotFound,
    ExceptionUnfit,
    FreezeUnfit,
    JudgementNotFound,
    PolicyNotFound,
    PolicyRefused,
)
from drystone.l50_orchestrator.guardrails.guard import read_policies
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.guardrails.store import Store
from drystone.l50_orchestrator.ports import Action, Actor, Withdrawals

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l10_engines.policies.evaluator import Evaluator
    from drystone.l10_engines.postgres.database import Database, Session
    from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
    from drystone.l50_orchestrator.ports import Book, Finding, Gate

PART = "guardrails"
MOST_AT_ONCE = 1000


class Guardrails(GuardrailsApi):
    """What may be deployed.

    Args:
        database: The orchestrator's schema.
        gate: Decides who may.
        book: The audit log.
        guard: Judges changes.
        evaluator: Tries policies; the same as the guard's, or one of its own so that trials hold up no deploy.
        clock: The time.
        withdrawals: What was taken away, where a database that is restored does not give it back.
    """

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        book: Book,
        guard: PolicyGuard,
        evaluator: Evaluator,
        clock: Clock,
        withdrawals: Withdrawals | None = None,
    ) -> None:
        self._database = database
        self._gate = gate
        self._book = book
        self._guard = guard
        self._evaluator = evaluator
        self._clock = clock
        self._withdrawals = withdrawals

    async def prepare(self) -> None:
        """Bring the tables to the present. Idempotent."""
        await migrate(self._database, PART, steps_of(__package__))

    def _today(self) -> date:
        return self._clock.now().date()

    # Policies

    @override
    async def policies(
        self, ctx: Context, *, cursor: str | None = None, limit: int = 100
    ) -> Page[PolicyView]:
        await self._gate.require(ctx, Action.SEE)
        most = _checked_limit(limit)
        after = read_cursor(cursor, str) if cursor else ""
        async with self._database.session() as session:
            every = [one for one in await self._guard.policies(session) if one.name > after]
        more = make_cursor(every[most - 1].name) if len(every) > most else None
        return Page(every[:most], more)

    @override
    async def policy(self, ctx: Context, *, name: str) -> PolicyView:
        await self._gate.require(ctx, Action.SEE)
        async with self._database.session() as session:
            return await self._known(session, name)

    async def _known(self, session: Session, name: str) -> PolicyView:
        # Not what the guard keeps: within a transaction this sees what may never be.
        every = {policy.name: policy for policy in await read_policies(session)}
        if name not in every:
            raise PolicyNotFound(f"there is no policy {name[:60]!r}; `drystone policies` lists all")
        return every[name]

    @override
    async def put_policy(self, ctx: Context, *, name: str, said: PolicySaid) -> PolicyView:
        actor = await self._gate.require(ctx, Action.ADMINISTER)
        await self._check(name, said)
        if failed := await cases.failed(name, said, self._evaluator):
            raise PolicyRefused(
                "\n".join((f"the policy '{name}' fails cases of its own:", *failed))
            )
        async with self._database.session() as session, session.transaction():
            store = Store(session)
            before = {policy.name: policy for policy in await read_policies(session)}.get(name)
            if before is not None and before.said == said:
                return before
            await store.put_policy(name, said, actor.name, self._clock.now())
            if len(await store.policies()) > domain.MOST_POLICIES:
                raise PolicyRefused(
                    f"there are {domain.MOST_POLICIES} policies already: remove one"
                )
            digest = hashlib.sha256(msgspec.json.encode(said)).hexdigest()
            await self._book.note(session, actor, "policy.put", f"policy/{name}", digest=digest)
            return await self._known(session, name)

    async def _check(self, name: str, said: PolicySaid) -> None:
        domain.checked_name(name, PolicyRefused)
        _require_own(name)
        try:
            await self._evaluator.check(Module(name, said.text))
        except PolicyUnfit as e:
            raise PolicyRefused(e.message) from e

    @override
    async def remove_policy(self, ctx: Context, *, name: str) -> None:
        actor = await self._gate.require(ctx, Action.ADMINISTER)
        _require_own(name)
        async with self._database.session() as session, session.transaction():
            if await Store(session).remove_policy(name):
                await self._book.note(session, actor, "policy.removed", f"policy/{name}")

    @override
    async def set_mode(self, ctx: Context, *, name: str, mode: Mode, reason: str) -> PolicyView:
        actor = await self._gate.require(ctx, Action.ADMINISTER)
        if mode != "refuse" and not reason.strip():
            raise Invalid(f"say why '{name}' is to refuse nothing: the audit log keeps it")
        async with self._database.session() as session, session.transaction():
            before = await self._known(session, name)
            if (before.mode, before.reason) == (mode, reason):
                return before
            await Store(session).set_mode(name, mode, reason, actor.name, self._clock.now())
            await self._book.note(
                session, actor, "policy.mode", f"policy/{name}", mode=mode, reason=reason
            )
            return await self._known(session, name)

    @override
    async def try_policy(
        self, ctx: Context, *, name: str, said: PolicySaid, judgement: int | None = None
    ) -> Tried:
        await self._gate.require(ctx, Action.SEE)
        await self._check(name, said)
        failed = await cases.failed(name, said, self._evaluator)
        found: list[Finding] = []
        if judgement is not None:
            async with self._database.session() as session:
                change = await Store(session).judgement(judgement)
            if change is None:
                raise JudgementNotFound(f"judgement {judgement} is not kept any more")
            await self._gate.require(
                ctx, Action.SEE, service=change.service, environment=change.environment.name
            )
            view = PolicyView(name, said, is_house=False)
            found = await self._guard.findings(change, [view], [], [])
        wanted = {name, "guardrails"}
        return Tried(failed, tuple(one for one in found if one.policy in wanted))

    @override
    async def judgements(self, ctx: Context, *, service: str) -> list[Judgement]:
        await self._gate.require(ctx, Action.SEE, service=service)
        async with self._database.session() as session:
            found = await Store(session).judgements(service)
        return [
            Judgement(
                number=number,
                service=change.service,
                environment=change.environment.name,
                at=change.at,
                kind=change.kind,
                by=change.actor.name,
                findings=findings,
            )
            for number, change, findings in found
        ]

    # Exceptions

    @override
    async def exceptions(
        self, ctx: Context, *, cursor: str | None = None, limit: int = 100
    ) -> Page[ExceptionView]:
        await self._gate.require(ctx, Action.SEE)
        most = _checked_limit(limit)
        after = read_cursor(cursor, str) if cursor else ""
        async with self._database.session() as session:
            found = await Store(session).exceptions(after, most + 1)
        today = self._today()
        views = [domain.exception_view(self._standing(one), today) for one in found[:most]]
        return Page(views, make_cursor(views[-1].name) if len(found) > most else None)

    @override
    async def ask_exception(self, ctx: Context, *, name: str, said: ExceptionSaid) -> ExceptionView:
        actor = await self._gate.require(
            ctx, Action.DEPLOY, service=said.service, environment=said.environment or None
        )
        domain.checked_name(name, ExceptionUnfit)
        today = self._today()
        async with self._database.session() as session, session.transaction():
            store = Store(session)
            names = {policy.name for policy in await read_policies(session)}
            names |= {f"{FREEZE}{one.name}" for one in await store.freezes()}
            before = await store.exception(name)
            if before is not None:
                if before.said == said:  # nothing changes, and nobody has to allow it again
                    return domain.exception_view(self._standing(before), today)
                await self._require_about(ctx, before)
                await self._take(name)
            asked = Asked(
                name=name,
                said=domain.checked_exception(said, names, today),
                asked_by=actor.name,
                asked_behind=actor.behind,
                asked_at=self._clock.now(),
            )
            await store.put_exception(asked)
            if await store.count_exceptions() > domain.MOST_EXCEPTIONS:
                raise ExceptionUnfit(
                    f"there are {domain.MOST_EXCEPTIONS} exceptions already: end some that expired"
                )
            await self._note(session, actor, "exception.asked", asked)
        return domain.exception_view(asked, today)

    async def _require_about(self, ctx: Context, asked: Asked) -> Actor:
        """Let pass who may deploy what an exception is for: nobody else may change or end it."""
        said = asked.said
        return await self._gate.require(
            ctx, Action.DEPLOY, service=said.service, environment=said.environment or None
        )

    @override
    async def allow_exception(
        self, ctx: Context, *, name: str, said: ExceptionSaid
    ) -> ExceptionView:
        async with self._database.session() as session, session.transaction():
            store = Store(session)
            asked = await self._asked(store, name)
            if asked.said != said:
                raise ExceptionHasChanged(f"'{name}' is another one by now: read it again")
            actor = await self._gate.require(
                ctx, Action.EXCEPT, service=said.service, environment=said.environment or None
            )
            domain.require_another(asked, actor)
            today = self._today()
            if today > said.until:
                raise ExceptionHasEnded(
                    f"the last day of '{name}' was {said.until}; ask for another one"
                )
            if not self._standing(asked).allowed_by:
                at = self._clock.now()
                await store.allow_exception(name, actor.name, at)
                asked = msgspec.structs.replace(asked, allowed_by=actor.name, allowed_at=at)
                await self._note(session, actor, "exception.allowed", asked)
        if self._withdrawals is not None:
            await self._withdrawals.give([domain.allowance(name)])
        return domain.exception_view(asked, today)

    @override
    async def end_exception(self, ctx: Context, *, name: str) -> None:
        async with self._database.session() as session, session.transaction():
            store = Store(session)
            asked = await store.exception(name)
            if asked is None:
                await self._gate.require(ctx, Action.SEE)
                return
            actor = await self._require_about(ctx, asked)
            await store.end_exception(name)
            await self._note(session, actor, "exception.ended", asked)
            await self._take(name)

    def _standing(self, asked: Asked) -> Asked:
        return domain.as_it_stands(asked, self._withdrawals)

    async def _take(self, name: str) -> None:
        """Let no older copy of the database allow an exception again."""
        if self._withdrawals is not None:
            await self._withdrawals.take([domain.allowance(name)])

    async def _asked(self, store: Store, name: str) -> Asked:
        asked = await store.exception(name)
        if asked is None:
            raise ExceptionNotFound(f"there is no exception {name[:60]!r}")
        return asked

    async def _note(self, session: Session, actor: Actor, action: str, asked: Asked) -> None:
        said = asked.said
        where = said.environment or f"type {said.type}"
        await self._book.note(
            session,
            actor,
            action,
            f"exception/{asked.name}",
            policy=said.policy,
            service=said.service,
            where=where,
            until=said.until.isoformat(),
            reason=said.reason,
        )

    # Freezes

    @override
    async def freezes(self, ctx: Context) -> list[FreezeView]:
        await self._gate.require(ctx, Action.SEE)
        async with self._database.session() as session:
            found = await Store(session).freezes()
        at = self._clock.now()
        views = [domain.freeze_view(frozen, at) for frozen in found]
        return sorted(views, key=lambda view: (view.start, view.name))

    @override
    async def freeze(self, ctx: Context, *, name: str, said: FreezeSaid) -> FreezeView:
        actor = await self._gate.require(ctx, Action.FREEZE)
        domain.checked_name(name, FreezeUnfit)
        frozen = Frozen(name, domain.checked_freeze(said), actor.name)
        async with self._database.session() as session, session.transaction():
            store = Store(session)
            if frozen in await store.freezes():
                return domain.freeze_view(frozen, self._clock.now())
            await store.put_freeze(frozen)
            if len(await store.freezes()) > domain.MOST_FREEZES:
                raise FreezeUnfit(f"there are {domain.MOST_FREEZES} freezes already: lift some")
            start, end = domain.span(said)
            await self._book.note(
                session,
                actor,
                "freeze.put",
                f"freeze/{name}",
                start=start.isoformat(),
                end=end.isoformat(),
                reason=said.reason,
            )
        return domain.freeze_view(frozen, self._clock.now())

    @override
    async def lift(self, ctx: Context, *, name: str) -> None:
        actor = await self._gate.require(ctx, Action.FREEZE)
        async with self._database.session() as session, session.transaction():
            if await Store(session).lift(name):
                await self._book.note(session, actor, "freeze.lifted", f"freeze/{name}")


def _require_own(name: str) -> None:
    if any(policy.name == name for policy in house_policies()):
        raise PolicyRefused(
            f"'{name}' is a policy of the house: set its mode, or give yours another name"
        )


def _checked_limit(limit: int) -> int:
    if not 1 <= limit <= MOST_AT_ONCE:
        raise Invalid(f"a page has 1 to {MOST_AT_ONCE} items, not {limit}")
    return limit
