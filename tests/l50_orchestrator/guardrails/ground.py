"""Guardrails on a real database, people who ask, and changes as a deployer would bring them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, ManualClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l10_engines.policies.evaluator import Evaluator
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l25_deployer.api import PlanChange, PlanView
from drystone.l25_deployer.descriptor import read, resolve
from drystone.l25_deployer.stacks.acted_on import not_acted_on
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.origins import trace
from drystone.l25_deployer.stacks.plan import plan
from drystone.l50_orchestrator.guardrails.api import PolicySaid
from drystone.l50_orchestrator.guardrails.guard import PolicyGuard
from drystone.l50_orchestrator.guardrails.judged import known
from drystone.l50_orchestrator.guardrails.service import Guardrails
from drystone.l50_orchestrator.ports import Actor, Change, Environment, Withdrawals
from drystone.l50_orchestrator.releases.declaring import declared_in
from drystone.testing.orchestrator import AllowByRole, TableBook

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PROD = Environment("prod", "prod", after="staging")
DEV = Environment("dev", "dev")
OPENED: list[tuple[Database, Evaluator]] = []
"""Those of this process, which the fixture closes."""

ADA = Context(Caller("ada", frozenset({"team/commerce"})))
MAX = Context(Caller("max", frozenset({"team/money"})))
ROOT = Context(Caller("root", frozenset({"admin"})))

TIDY = """\
schema: 1
service: orders
description: Takes orders.
owner: {team: commerce, oncall: commerce-primary}
tier: 1
tags: {product: shop}
process: {command: [./serve], dir: app}
scale: {min: 2}
slo: {availability: 99.9%}
network: {ingress: {staff: true}}
resources:
  db: {type: postgres, backup: {keep: 7d}}
"""


def make(host: str, port: str, database: str, user: str, password: str) -> Guardrails:
    """Return guardrails whose tables are there."""
    access = DatabaseAccess(
        host=host, port=int(port), database=database, user=user, password=password
    )
    opened = Database(access, "orchestrator", most=8)
    evaluator = Evaluator(known())
    OPENED.append((opened, evaluator))
    return over(opened, evaluator)


class Remembered(Withdrawals):
    """What was taken away, in memory; a database that is restored does not change it."""

    def __init__(self) -> None:
        self.taken = set[str]()

    @override
    async def take(self, what: Collection[str]) -> None:
        self.taken |= set(what)

    @override
    async def give(self, what: Collection[str]) -> None:
        self.taken -= set(what)

    @override
    def is_taken(self, what: str) -> bool:
        return what in self.taken


def over(
    database: Database,
    evaluator: Evaluator,
    clock: Clock | None = None,
    withdrawals: Withdrawals | None = None,
) -> Guardrails:
    """Return guardrails over a database; their time stands still."""
    return Guardrails(
        database,
        gate=AllowByRole(),
        book=TableBook(),
        guard=PolicyGuard(database, evaluator, withdrawals),
        evaluator=evaluator,
        clock=clock or ManualClock(NOW),
        withdrawals=withdrawals,
    )


def change(text: str = TIDY, environment: Environment = PROD, **different: Any) -> Change:
    """Compile a descriptor, and bring it as a change."""
    merged = resolve(read(text, file="orders.sd.yml"), environment.name)
    stacks = compile_stacks(merged, version="7")
    made = plan(None, stacks, trace(stacks, merged), not_acted_on=not_acted_on(merged))
    view = PlanView(
        service=made.service,
        environment=made.environment,
        file="orders.sd.yml",
        changes=[
            PlanChange(
                stack=one.stack,
                path=one.field,
                action=one.action,
                line=one.origin.line if one.origin else None,
            )
            for one in made.changes
        ],
        refused=[],
        confirm=[],
        not_yet=[f"line {n.line}: {n.path}: {n.sentence}" for n in made.accepted_not_acted_on],
        notes=[],
        runtime="processes",
        at_rest="encrypted",
    )
    asked = Change(
        service=made.service,
        environment=environment,
        team="commerce",
        actor=Actor("ada", "person"),
        kind="deploy",
        stacks=msgspec.json.decode(msgspec.json.encode(stacks)),
        plan=view,
        at=NOW,
        declared=declared_in(merged),
    )
    return msgspec.structs.replace(asked, **different)


def said(
    body: str = 'input.service == "orders"', name: str = "no-orders", rules: str = "", **more: Any
) -> PolicySaid:
    """A policy that denies ``found`` when a body holds."""
    text = (
        f"package drystone.{name.replace('-', '_')}\n\nimport rego.v1\n\n"
        f'deny contains {{"text": "found", "line": 3}} if {{\n{textwrap.indent(body, "    ")}\n}}\n{rules}'
    )
    given: dict[str, Any] = {
        "description": "For tests.",
        "team": "platform",
        "since": NOW.date(),
    } | more
    return PolicySaid(text=text, **given)
