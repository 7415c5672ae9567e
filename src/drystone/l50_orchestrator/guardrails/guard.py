"""Judges changes: the implementation of :class:`~drystone.l50_orchestrator.ports.Guard`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l50_orchestrator.guardrails import domain, judging
from drystone.l50_orchestrator.guardrails.api import PolicyView
from drystone.l50_orchestrator.guardrails.errors import JudgedUnreadable
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.guardrails.judged import judged
from drystone.l50_orchestrator.guardrails.store import Store
from drystone.l50_orchestrator.ports import Change, Finding, Guard, Withdrawals

if TYPE_CHECKING:
    from drystone.l10_engines.policies.evaluator import Evaluator
    from drystone.l10_engines.postgres.database import Database, Session


class PolicyGuard(Guard):
    """Policies, exceptions and freezes, as they stand in the tables when a change is judged.

    Args:
        database: The orchestrator's schema.
        evaluator: Evaluates; made with :func:`~drystone.l50_orchestrator.guardrails.judged.known`.
        withdrawals: What was taken away, where a database that is restored does not give it back.
    """

    def __init__(
        self, database: Database, evaluator: Evaluator, withdrawals: Withdrawals | None = None
    ) -> None:
        self._database = database
        self._evaluator = evaluator
        self._withdrawals = withdrawals
        self._kept: tuple[int, tuple[PolicyView, ...]] = (0, ())

    @override
    async def judge(self, change: Change) -> list[Finding]:
        async with self._database.session() as session:
            # One snapshot: a policy that is put meanwhile judges the next change.
            store = Store(session)
            policies = await self.policies(session)
            exceptions = [
                domain.as_it_stands(one, self._withdrawals)
                for one in await store.exceptions_of(change.service)
            ]
            frozen = await store.freezes()
        found = await self.findings(change, policies, exceptions, frozen)
        async with self._database.session() as session, session.transaction():
            await Store(session).note_judgement(change, found)
        return found

    async def findings(
        self,
        change: Change,
        policies: Sequence[PolicyView],
        exceptions: Sequence[domain.Asked],
        frozen: Sequence[domain.Frozen],
    ) -> list[Finding]:
        """Say what these policies say of a change; nothing is noted."""
        try:
            seen = judged(change)
        except JudgedUnreadable as e:
            is_back = change.kind == "rollback"
            return [Finding("guardrails", "warn" if is_back else "refuse", e.message)]
        tier = seen.stacks.environment.tier
        asked = [
            policy
            for policy in policies
            if policy.mode != "off" and domain.applies(policy.said, change.environment, tier)
        ]
        modules = [domain.module_of(policy) for policy in asked]
        answers = await self._evaluator.judge(modules, msgspec.json.encode(seen))
        return judging.findings(change, asked, answers, exceptions, frozen)

    async def policies(self, session: Session) -> tuple[PolicyView, ...]:
        """Return all policies by name with their modes; what was read is kept until one changes.

        Args:
            session: Stands in no transaction: what that may undo must not be kept.
        """
        version = await Store(session).version()
        if self._kept[0] != version:
            # Read after the version: what changes in between is read once more, and never missed.
            self._kept = (version, await read_policies(session))
        return self._kept[1]


async def read_policies(session: Session) -> tuple[PolicyView, ...]:
    """Return all policies by name with their modes, as the session sees them."""
    store = Store(session)
    modes = await store.modes()
    every = [*house_policies(), *await store.policies()]
    told = [_with_mode(policy, modes.get(policy.name)) for policy in every]
    return tuple(sorted(told, key=lambda policy: policy.name))


def _with_mode(policy: PolicyView, mode: tuple[object, ...] | None) -> PolicyView:
    if mode is None:
        return policy
    return msgspec.structs.replace(
        policy, **dict(zip(("mode", "reason", "by", "at"), mode, strict=True))
    )
