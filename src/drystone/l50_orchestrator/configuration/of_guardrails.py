"""What files say of guardrails: policies, what holds of those of the house, exceptions that are asked for, and freezes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import structs
from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.yaml_text.tree import Scalar
from drystone.l25_deployer.descriptor.block import Block
from drystone.l25_deployer.descriptor.forms import Form, Mistake, Text, Whole
from drystone.l25_deployer.descriptor.words import Day, Name, Zone
from drystone.l50_orchestrator.configuration.paging import every
from drystone.l50_orchestrator.configured import Configured, Reference
from drystone.l50_orchestrator.guardrails.api import (
    Case,
    ExceptionSaid,
    FreezeSaid,
    GuardrailsApi,
    PolicySaid,
    PolicyView,
)
from drystone.l50_orchestrator.guardrails.house_policies import house_policies

_MOST = 1000
_LONGEST_POLICY = 100_000
_FREEZE = "freeze/"

Type = Literal["local", "dev", "staging", "prod"]
Words = Annotated[str, Text("words", "a sentence", most=500)]
Wall = Annotated[
    str,
    Text("time", "a time such as 2026-12-20T18:00", r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?"),
]
Excepted = Annotated[
    str,
    Text(
        "policy", "a policy, or 'freeze/' and the name of a freeze", r"(?:freeze/)?[a-z][a-z0-9-]*"
    ),
]


class _Program(Form):
    """The text of a policy, whose language is not ours to check."""

    title = "policy"
    expected = "the text of a policy, after `text: |`"

    @override
    def parse(self, scalar: Scalar) -> object:
        if not isinstance(scalar.value, str):
            raise self.wrong(scalar)
        if len(scalar.text) > _LONGEST_POLICY:
            raise Mistake(
                f"has {len(scalar.text):,} characters; at most {_LONGEST_POLICY:,} are allowed"
            )
        return scalar.text

    @override
    def schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": _LONGEST_POLICY}


class CaseBlock(Block, frozen=True, kw_only=True):
    """What a policy is to find."""

    name: Annotated[Words, "What is tried."]
    input: Annotated[Any, "What is different from the tidy service of the reference."] = None
    deny: Annotated[tuple[Words, ...], "Parts of the texts that refuse, one for each."] = ()
    warn: Annotated[tuple[Words, ...], "Likewise, of those that warn."] = ()


class PolicyBlock(Block, frozen=True, kw_only=True):
    """A policy of one's own."""

    text: Annotated[str, _Program(), "Rego, `package drystone.NAME`."]
    description: Annotated[Words, "What it is for."]
    team: Annotated[Name, "Who looks after it."]
    since: Annotated[Day, "The first day on which it refuses; it warns before."]
    severity: Annotated[Literal["refuse", "warn"], "What it does with what it denies."] = "refuse"
    environments: Annotated[tuple[Name, ...], "Where it holds; everywhere when left out."] = ()
    types: Annotated[tuple[Type, ...], "In which types of environments; in all."] = ()
    tiers: Annotated[tuple[Annotated[int, Whole(0, 3)], ...], "For which services; for all."] = ()
    cases: Annotated[tuple[CaseBlock, ...], "What it was tried on."] = ()


class HouseBlock(Block, frozen=True, kw_only=True):
    """That a policy of the house refuses nothing. One that stands in no file refuses."""

    mode: Annotated[Literal["warn", "off"], "What it does instead."]
    reason: Annotated[Words, "Why."]


class ExceptionBlock(Block, frozen=True, kw_only=True):
    """That a service may do what a policy forbids; somebody else than who applies it has to allow it."""

    EXACTLY_ONE = (("environment", "type"),)

    policy: Annotated[Excepted, "Which policy."]
    service: Annotated[Name, "Which service."]
    environment: Annotated[Name | None, "Where."] = None
    type: Annotated[Type | None, "Where, by the type of environments."] = None
    reason: Annotated[Words, "Why."]
    owner: Annotated[Words, "Who sees to it that it is needed no more."]
    until: Annotated[Day, "Its last day."]


class FreezeBlock(Block, frozen=True, kw_only=True):
    """A time in which nothing changes."""

    start: Annotated[Wall, "By the clock on the wall."]
    end: Annotated[Wall, "Likewise."]
    zone: Annotated[Zone, "Where that wall is."] = "UTC"
    reason: Annotated[Words, "Why."]
    environments: Annotated[tuple[Name, ...], "Where; everywhere when left out."] = ()
    types: Annotated[tuple[Type, ...], "In which types of environments; in all."] = ()
    teams: Annotated[tuple[Name, ...], "Whose services; everybody's."] = ()


class ConfiguredPolicies(Configured[PolicyBlock]):
    """Policies that do not come with the platform.

    Args:
        guardrails: Where they are.
    """

    kind = "policies"
    schema = PolicyBlock

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails
        self.built_in = frozenset(one.name for one in house_policies())

    @override
    def references(self, name: str, item: PolicyBlock) -> tuple[Reference, ...]:
        team = Reference("teams", item.team, ("team",))
        return team, *(Reference("environments", e, ("environments",)) for e in item.environments)

    @override
    def canonical(self, item: PolicyBlock) -> PolicyBlock:
        return structs.replace(
            item,
            environments=_sorted(item.environments),
            types=_sorted(item.types),
            tiers=tuple(sorted(set(item.tiers))),
            cases=tuple(structs.replace(one, input=one.input or {}) for one in item.cases),
        )

    @override
    async def present(self, ctx: Context) -> Mapping[str, PolicyBlock]:
        found = every(lambda cursor: self._guardrails.policies(ctx, cursor=cursor, limit=_MOST))
        return {one.name: self.canonical(_policy(one)) async for one in found if not one.is_house}

    @override
    async def put(self, ctx: Context, name: str, item: PolicyBlock) -> None:
        item = self.canonical(item)
        cases = tuple(Case(one.name, one.input, one.deny, one.warn) for one in item.cases)
        said = PolicySaid(**{**structs.asdict(item), "cases": cases})
        await self._guardrails.put_policy(ctx, name=name, said=said)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._guardrails.remove_policy(ctx, name=name)


class ConfiguredHouse(Configured[HouseBlock]):
    """Policies of the house that do not refuse.

    Args:
        guardrails: Where they are.
    """

    kind = "house-policies"
    schema = HouseBlock

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails

    @override
    async def present(self, ctx: Context) -> Mapping[str, HouseBlock]:
        found = every(lambda cursor: self._guardrails.policies(ctx, cursor=cursor, limit=_MOST))
        return {
            one.name: HouseBlock(mode=one.mode, reason=one.reason)
            async for one in found
            if one.is_house and one.mode != "refuse"
        }

    @override
    async def put(self, ctx: Context, name: str, item: HouseBlock) -> None:
        await self._guardrails.set_mode(ctx, name=name, mode=item.mode, reason=item.reason)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._guardrails.set_mode(ctx, name=name, mode="refuse", reason="")


class ConfiguredExceptions(Configured[ExceptionBlock]):
    """Exceptions, asked for by a file and allowed by hand, by somebody else.

    Args:
        guardrails: Where they are.
    """

    kind = "exceptions"
    schema = ExceptionBlock

    def __init__(self, guardrails: GuardrailsApi) -> None:
        self._guardrails = guardrails

    @override
    def references(self, name: str, item: ExceptionBlock) -> tuple[Reference, ...]:
        is_freeze = item.policy.startswith(_FREEZE)
        kind, of = "freezes" if is_freeze else "policies", item.policy.removeprefix(_FREEZE)
        found = [Reference(kind, of, ("policy",))]
        if item.environment is not None:
            found.append(Reference("environments", item.environment, ("environment",)))
        return tuple(found)

    @override
    async def present(self, ctx: Context) -> Mapping[str, ExceptionBlock]:
        found = every(lambda cursor: self._guardrails.exceptions(ctx, cursor=cursor, limit=_MOST))
        return {one.name: _exception(one.said) async for one in found}

    @override
    async def put(self, ctx: Context, name: str, item: ExceptionBlock) -> None:
        said = ExceptionSaid(**{**structs.asdict(item), "environment": item.environment or ""})
        await self._guardrails.ask_exception(ctx, name=name, said=said)

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
        places = (Reference("environments", one, ("environments",)) for one in item.environments)
        return *places, *(Reference("teams", one, ("teams",)) for one in item.teams)

    @override
    def canonical(self, item: FreezeBlock) -> FreezeBlock:
        return structs.replace(
            item,
            environments=_sorted(item.environments),
            types=_sorted(item.types),
            teams=_sorted(item.teams),
        )

    @override
    async def present(self, ctx: Context) -> Mapping[str, FreezeBlock]:
        found = await self._guardrails.freezes(ctx)
        return {one.name: self.canonical(FreezeBlock(**structs.asdict(one.said))) for one in found}

    @override
    async def put(self, ctx: Context, name: str, item: FreezeBlock) -> None:
        said = FreezeSaid(**structs.asdict(self.canonical(item)))
        await self._guardrails.freeze(ctx, name=name, said=said)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._guardrails.lift(ctx, name=name)


def _policy(view: PolicyView) -> PolicyBlock:
    said = view.said
    cases = tuple(CaseBlock(**structs.asdict(one)) for one in said.cases)
    return PolicyBlock(**{**structs.asdict(said), "cases": cases})


def _exception(said: ExceptionSaid) -> ExceptionBlock:
    until: date = said.until
    whole = {**structs.asdict(said), "environment": said.environment or None, "until": until}
    return ExceptionBlock(**whole)


def _sorted(texts: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(texts)))
