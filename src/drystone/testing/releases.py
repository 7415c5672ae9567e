"""Releases on stand-ins: a registry that knows what it was told, a guard that says what it was told, simulated targets."""

from __future__ import annotations

from datetime import UTC, datetime

from typing_extensions import override

from drystone.l00_kernel.errors import Denied, NotFound
from drystone.l10_engines.postgres.database import Database, Session
from drystone.l50_orchestrator.ports import (
    Actor,
    Change,
    Environment,
    Finding,
    Gate,
    Guard,
    Registered,
    Registry,
)
from drystone.l50_orchestrator.releases.parts import Pace, Parts
from drystone.l50_orchestrator.target import Target
from drystone.testing.orchestrator import AllowAll, TableBook

ENVIRONMENTS = (
    Environment("dev", "dev", target="sim"),
    Environment("staging", "staging", target="sim"),
    Environment("prod", "prod", target="sim", after="staging"),
)


class TheseEnvironments(Registry):
    """Knows these environments, and lets every team have every service until another one has it.

    Args:
        environments: All of them.
    """

    def __init__(self, *environments: Environment) -> None:
        self._environments = {one.name: one for one in environments or ENVIRONMENTS}
        self.services: dict[str, Registered] = {}
        self.seen: set[tuple[str, str]] = set()

    @override
    async def claim(
        self,
        session: Session,
        actor: Actor,
        service: str,
        *,
        team: str,
        tier: int | None,
        description: str,
    ) -> Registered:
        found = self.services.get(service)
        if found is not None and found.team != team:
            raise Denied(f"{service} is {found.team}'s")
        now = datetime.now(UTC)
        one = Registered(service, team, tier, description, {}, now, actor.name)
        self.services[service] = one
        return one

    @override
    async def appeared(self, session: Session, service: str, environment: str) -> None:
        self.seen.add((service, environment))

    @override
    async def disappeared(self, session: Session, service: str, environment: str) -> None:
        self.seen.discard((service, environment))

    @override
    async def service(self, name: str) -> Registered | None:
        return self.services.get(name)

    @override
    async def environment(self, name: str) -> Environment:
        if name not in self._environments:
            raise NotFound(
                f"there is no environment {name!r}; there are {', '.join(self._environments)}"
            )
        return self._environments[name]

    @override
    async def every_environment(self) -> list[Environment]:
        return [self._environments[name] for name in sorted(self._environments)]


class Says(Guard):
    """Says of every change what it was told to say."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = list(findings)

    @override
    async def judge(self, change: Change) -> list[Finding]:
        return list(self.findings)


def parts_on(
    database: Database,
    target: Target,
    *,
    registry: Registry | None = None,
    guard: Guard | None = None,
    gate: Gate | None = None,
    pace: Pace | None = None,
) -> Parts:
    """Return what releases need, with stand-ins for what is not given."""
    return Parts(
        database=database,
        gate=gate or AllowAll(),
        registry=registry or TheseEnvironments(),
        guard=guard or Says(),
        book=TableBook(),
        target=lambda _: target,
        pace=pace or Pace(),
    )
