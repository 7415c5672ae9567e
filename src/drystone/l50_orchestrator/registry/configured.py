"""What the registry lets be said in files: targets, environments and services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.forms import Text, Whole
from drystone.l25_deployer.descriptor.words import Name
from drystone.l50_orchestrator.configured import Configured, Reference
from drystone.l50_orchestrator.registry.api import EnvironmentSaid, ServiceSaid, TargetSaid
from drystone.l50_orchestrator.registry.errors import TargetUnfit
from drystone.l50_orchestrator.registry.places import HERE, MOST_KEPT, RANKS, check_target
from drystone.l50_orchestrator.registry.service import PlatformRegistry

Url = Annotated[
    str, Text("address", "an address such as https://runbooks.example/orders", most=500)
]
LinkName = Annotated[str, Text("link", "what a link is, such as runbook", r"[A-Za-z][\w .-]{0,39}")]


class TargetBlock(Block, frozen=True, kw_only=True):
    """A target of environments."""

    kind: Annotated[
        Literal["platform", "simulated"], "Another platform; in tests, simulated by nothing at all."
    ]
    url: Annotated[Url, "Address of the other platform: `https://HOST[:PORT]/`."] = ""

    @override
    def mistakes(self) -> Iterator[Rule]:
        try:
            check_target("x", TargetSaid(self.kind, self.url), {}, simulated_allowed=True)
        except TargetUnfit as e:
            yield Rule("url" if self.url else "kind", e.message.removeprefix("target 'x': "))


class EnvironmentBlock(Block, frozen=True, kw_only=True):
    """Somewhere services run."""

    type: Annotated[
        Literal["local", "dev", "staging", "prod"], "Which part of a descriptor holds there."
    ]
    region: Annotated[Name | None, "Where it is, if that matters."] = None
    target: Annotated[Name, "The target that it is bound to."] = HERE
    after: Annotated[Name | None, "The environment that a release passes before this one."] = None
    keep: Annotated[int, Whole(1, MOST_KEPT), "How many releases are kept to go back to."] = 5


class ServiceBlock(Block, frozen=True, kw_only=True):
    """A registered service. Its tier and description are its descriptor's to say."""

    SHORT: ClassVar[tuple[str, ...]] = ("team",)
    ALSO_CALLED: ClassVar[dict[str, str]] = {"owner": "team"}

    team: Annotated[Name, "Who owns it."]
    links: Annotated[dict[LinkName, Url], "Addresses by what they are."] = msgspec.field(
        default_factory=dict
    )


class ConfiguredTargets(Configured[TargetBlock]):
    """Targets, but for the one that is always there.

    Args:
        registry: Where they are.
    """

    kind = "targets"
    schema = TargetBlock
    built_in = frozenset({HERE})

    def __init__(self, registry: PlatformRegistry) -> None:
        self._registry = registry

    @override
    async def present(self, ctx: Context) -> Mapping[str, TargetBlock]:
        found = await self._registry.targets(ctx)
        return {t.name: TargetBlock(kind=t.kind, url=t.url) for t in found if t.kind != "here"}

    @override
    async def put(self, ctx: Context, name: str, item: TargetBlock) -> None:
        await self._registry.set_target(ctx, target=name, said=TargetSaid(item.kind, item.url))

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._registry.remove_target(ctx, target=name)


class ConfiguredEnvironments(Configured[EnvironmentBlock]):
    """Environments.

    Args:
        registry: Where they are.
    """

    kind = "environments"
    schema = EnvironmentBlock

    def __init__(self, registry: PlatformRegistry) -> None:
        self._registry = registry

    @override
    def references(self, name: str, item: EnvironmentBlock) -> tuple[Reference, ...]:
        target = Reference("targets", item.target, ("target",))
        if item.after is None:
            return (target,)
        return target, Reference("environments", item.after, ("after",))

    @override
    def rises(self, before: EnvironmentBlock, item: EnvironmentBlock) -> bool:
        # No environment comes before one of a lower type, at any moment.
        return RANKS[item.type] > RANKS[before.type]

    @override
    async def present(self, ctx: Context) -> Mapping[str, EnvironmentBlock]:
        found = await self._registry.environments(ctx)
        return {
            one.environment.name: EnvironmentBlock(
                type=one.environment.type,
                region=one.environment.region or None,
                target=one.environment.target,
                after=one.environment.after or None,
                keep=one.environment.keep,
            )
            for one in found
        }

    @override
    async def put(self, ctx: Context, name: str, item: EnvironmentBlock) -> None:
        said = EnvironmentSaid(
            item.type, item.region or "", item.target, item.after or "", item.keep
        )
        await self._registry.set_environment(ctx, environment=name, said=said)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        await self._registry.remove_environment(ctx, environment=name)


class ConfiguredServices(Configured[ServiceBlock]):
    """Services and their owners. One of another team is given to the team that the files say, for which it takes an admin.

    Args:
        registry: Where they are.
    """

    kind = "services"
    schema = ServiceBlock

    def __init__(self, registry: PlatformRegistry) -> None:
        self._registry = registry

    @override
    def references(self, name: str, item: ServiceBlock) -> tuple[Reference, ...]:
        return (Reference("teams", item.team, ("team",)),)

    @override
    async def present(self, ctx: Context) -> Mapping[str, ServiceBlock]:
        return {
            one.name: ServiceBlock(team=one.team, links=one.links)
            for one in await self._registry.all_services(ctx)
        }

    @override
    async def put(self, ctx: Context, name: str, item: ServiceBlock) -> None:
        before = await self._registry.service(name)
        if before is not None and before.team != item.team:
            await self._registry.assign(ctx, service=name, team=item.team)
        words = "" if before is None else before.description
        said = ServiceSaid(item.team, words, item.links)
        await self._registry.register(ctx, service=name, said=said)

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        if await self._registry.service(name) is not None:
            await self._registry.retire(ctx, service=name)
