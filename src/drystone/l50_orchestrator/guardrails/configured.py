"""What guardrails let be said in files: policies, their modes, exceptions and freezes.

An exception in a file is one that was asked for by whoever applied it: it counts when somebody else has allowed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Context, every
from drystone.l10_engines.policies.reading import MOST_BYTES, Module, read
from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.forms import Text, Whole
from drystone.l25_deployer.descriptor.words import Day, Name, Words
from drystone.l50_orchestrator.configured import Configured, Reference
from drystone.l50_orchestrator.guardrails import domain
from drystone.l50_orchestrator.guardrails.api import (
    Case,
    ExceptionSaid,
    FreezeSaid,
    GuardrailsApi,
    PolicySaid,
    PolicyView,
)
from drystone.l50_orchestrator.guardrails.domain import FREEZE
from drystone.l50_orchestrator.guardrails.errors import FreezeUnfit
from drystone.l50_orchestrator.guardrails.house_policies import house_policies
from drystone.l50_orchestrator.guardrails.judged import known

_MOST = 1000

Rego = Annotated[str, Text("Rego", "a policy in Rego", r"[\s\S]+", most=MOST_BYTES)]
Excepted = Annotated[
    str,
    Text(
        "policy or freeze",
        f"a policy such as 'backup', or a freeze such as '{FREEZE}holidays'",
        rf"(?:{FREEZE})?[a-z][a-z0-9-]{{0,39}}",
    ),
]
Where = Annotated[Literal["local", "dev", "staging", "prod"], "A type of environment."]


class CaseBlock(Block, frozen=True, kw_only=True):
    """What a policy is to find."""

    name: Annotated[Words, "What is tried."]
    input: Annotated[Any, "What is different from the tidy service of the reference."] = None
    deny: Annotated[tuple[Words, ...], "Parts of the texts that refuse."] = ()
    warn: Annotated[tuple[Words, ...], "Parts of the texts that warn."] = ()

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.input is not None and not isinstance(self.input, dict):
            yield Rule("input", "what is different is a mapping", "{service: mail}")


class PolicyBlock(Block, frozen=True, kw_only=True):
    """A policy of one's own."""

    rego: Annotated[Rego, "The policy, `package drystone.<name>`."]
    description: Annotated[Words, "What it is for."]
    team: Annotated[Name, "Who looks after it."]
    since: Annotated[Day, "The first day on which it refuses; it warns before."]
    severity: Annotated[Literal["refuse", "warn"], "What becomes of what it denies."] = "refuse"
    environments: Annotated[tuple[Name, ...], "Where it holds; everywhere when empty."] = ()
    types: Annotated[tuple[Where, ...], "Where it holds, by type of environment."] = ()
    tiers: Annotated[
        tuple[Annotated[int, Whole(0, 4)], ...], "For which services; for all when empty."
    ] = ()
    cases: Annotated[tuple[CaseBlock, ...], "What it is tried on before it is kept."] = ()

    @override
    def mistakes(self) -> Iterator[Rule]:
        # The package's name follows from the item's, which stands elsewhere; everything else is seen here.
        first = self.rego.partition("\n")[0].removeprefix("package drystone.").strip()
        found = read(Module(first.replace("_", "-"), self.rego), known())
        for one in found.mistakes[:5]:
            yield Rule("rego", f"line {one.line}, column {one.column} of it: {one.sentence}")


class PolicyModeBlock(Block, frozen=True, kw_only=True):
    """What becomes of a policy, of the house or not."""

    mode: Annotated[Literal["warn", "off"], "It warns only, or is not asked."]
    reason: Annotated[Words, "Why."]


class ExceptionBlock(Block, frozen=True, kw_only=True):
    """That a service may do what a policy forbids."""

    EXACTLY_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("environment", "type"),)

    policy: Annotated[Excepted, "From what."]
    service: Annotated[Name, "For which."]
    reason: Annotated[Words, "Why."]
    owner: Annotated[Words, "Who sees to it that it is not needed any more."]
    until: Annotated[Day, "Its last day, at most 90 days from today."]
    environment: Annotated[Name | None, "Where."] = None
    type: Annotated[Where | None, "Where, by type of environment."] = None


class FreezeBlock(Block, frozen=True, kw_only=True):
    """A time in which nothing changes."""

    start: Annotated[Words, "By the clock on the wall there, `2026-12-20T18:00`."]
    end: Annotated[Words, "Likewise."]
    reason: Annotated[Words, "Why."]
    zone: Annotated[Words, "Where that wall is."] = "UTC"
    environments: Annotated[tuple[Name, ...], "Where; everywhere when empty."] = ()
    types: Annotated[tuple[Where, ...], "Where, by type of environment."] = ()
    teams: Annotated[tuple[Name, ...], "Whose services."] = ()

    @override
    def mistakes(self) -> Iterator[Rule]:
        try:
            domain.checked_freeze(_freeze(self))
        except FreezeUnfit as e:
            yield Rule("start", e.message)


def _freeze(item: FreezeBlock) -> FreezeSaid:
    return msgspec.convert(msgspec.structs.asdict(item), FreezeSaid)


class ConfiguredPolicies(Configured[PolicyBlock]):
    """Policies of one's own; those of the house are there anyway.

    Args:
        guardrails: Where they are.
    """

    kind = "policies"
    schema = PolicyBlock
    built_in = frozenset(policy.name for policy in house_policies())

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails

    @override
    async def present(self, ctx: Context) -> Mapping[str, PolicyBlock]:
        return {
            one.name: _policy_block(one.said)
            for one in await _policies(self._guardrails, ctx)
            if not one.is_house
        }

    @override
    async def put(self, ctx: Context, name: str, item: PolicyBlock) -> None:
        said = PolicySaid(
            text=item.rego,
            description=item.description,
            team=item.team,
            since=item.since,
            severity=item.severity,
            environments=item.environments,
            types=item.types,
            tiers=item.tiers,
            cases=tuple(Case(c.name, c.input or {}, c.deny, c.warn) for c in item.cases),
        )
        await self._guardrails.put_policy(ctx, name=name, said=said)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._guardrails.remove_policy(ctx, name=name)


class ConfiguredModes(Configured[PolicyModeBlock]):
    """Modes of policies, where they are not those that the policies say themselves.

    Args:
        guardrails: Where they are.
    """

    kind = "policy-modes"
    schema = PolicyModeBlock

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails

    @override
    def references(self, name: str, item: PolicyModeBlock) -> tuple[Reference, ...]:
        return (Reference("policies", name, ()),)

    @override
    async def present(self, ctx: Context) -> Mapping[str, PolicyModeBlock]:
        return {
            one.name: PolicyModeBlock(mode=one.mode, reason=one.reason)
            for one in await _policies(self._guardrails, ctx)
            if one.mode != "refuse"
        }

    @override
    async def put(self, ctx: Context, name: str, item: PolicyModeBlock) -> None:
        await self._guardrails.set_mode(ctx, name=name, mode=item.mode, reason=item.reason)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        found = {one.name: one for one in await _policies(self._guardrails, ctx)}
        if name in found and found[name].mode != "refuse":
            await self._guardrails.set_mode(ctx, name=name, mode="refuse", reason="")


class ConfiguredExceptions(Configured[ExceptionBlock]):
    """Exceptions, allowed or not.

    Args:
        guardrails: Where they are.
    """

    kind = "exceptions"
    schema = ExceptionBlock

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails

    @override
    def references(self, name: str, item: ExceptionBlock) -> tuple[Reference, ...]:
        freeze = item.policy.startswith(FREEZE)
        of = item.policy.removeprefix(FREEZE)
        what = Reference("freezes" if freeze else "policies", of, ("policy",))
        if item.environment is None:
            return (what,)
        return what, Reference("environments", item.environment, ("environment",))

    @override
    async def present(self, ctx: Context) -> Mapping[str, ExceptionBlock]:
        found: dict[str, ExceptionBlock] = {}
        pages = every(lambda cursor: self._guardrails.exceptions(ctx, cursor=cursor, limit=_MOST))
        async for one in pages:
            said = msgspec.structs.asdict(one.said)
            where = one.said.environment or None
            found[one.name] = ExceptionBlock(**said | {"environment": where})
        return found

    @override
    async def put(self, ctx: Context, name: str, item: ExceptionBlock) -> None:
        given = msgspec.structs.asdict(item) | {"environment": item.environment or ""}
        await self._guardrails.ask_exception(ctx, name=name, said=ExceptionSaid(**given))

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._guardrails.end_exception(ctx, name=name)


class ConfiguredFreezes(Configured[FreezeBlock]):
    """Freezes.

    Args:
        guardrails: Where they are.
    """

    kind = "freezes"
    schema = FreezeBlock

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails

    @override
    def references(self, name: str, item: FreezeBlock) -> tuple[Reference, ...]:
        environments = [Reference("environments", e, ("environments",)) for e in item.environments]
        return (*environments, *(Reference("teams", team, ("teams",)) for team in item.teams))

    @override
    async def present(self, ctx: Context) -> Mapping[str, FreezeBlock]:
        found = await self._guardrails.freezes(ctx)
        return {one.name: FreezeBlock(**msgspec.structs.asdict(one.said)) for one in found}

    @override
    async def put(self, ctx: Context, name: str, item: FreezeBlock) -> None:
        await self._guardrails.freeze(ctx, name=name, said=_freeze(item))

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._guardrails.lift(ctx, name=name)


async def _policies(guardrails: GuardrailsApi, ctx: Context) -> list[PolicyView]:
    pages = every(lambda cursor: guardrails.policies(ctx, cursor=cursor, limit=_MOST))
    return [one async for one in pages]


def _policy_block(said: PolicySaid) -> PolicyBlock:
    return PolicyBlock(
        rego=said.text,
        description=said.description,
        team=said.team,
        since=said.since,
        severity=said.severity,
        environments=said.environments,
        types=said.types,
        tiers=said.tiers,
        cases=tuple(
            CaseBlock(name=c.name, input=c.input or None, deny=c.deny, warn=c.warn)
            for c in said.cases
        ),
    )
