"""Releases on another platform: the same workflow, with a network in between."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from typing_extensions import override

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.contract import Api, loopback
from drystone.l00_kernel.errors import Denied, Unauthenticated
from drystone.l25_deployer.api import Source
from drystone.l25_deployer.errors import DescriptorRefused
from drystone.l50_orchestrator.ports import Action, Actor, Environment
from drystone.l50_orchestrator.sources.api import SourcesApi
from drystone.l50_orchestrator.sources.service import Sources
from drystone.l50_orchestrator.targets.api import TargetApi
from drystone.l50_orchestrator.targets.errors import TargetElsewhere, TargetUnready
from drystone.l50_orchestrator.targets.platform import PlatformTarget, Reached
from drystone.l50_orchestrator.targets.serving import ServedTarget
from drystone.testing.orchestrator import AllowAll, TableBook, actor_of
from drystone.testing.releases import TheseEnvironments
from l50_orchestrator.releases.stage import ADA, BOB, TEXT, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

A = TypeVar("A", bound=Api)
PROGRESSIVE = "strategy: progressive, steps: [50%, 100%], hold: 1h"


class Bounded(AllowAll):
    """Lets everybody do everything but what is named, and knows nobody once the token ends."""

    def __init__(self) -> None:
        self.refused = set[Action]()
        self.knows = True

    @override
    async def require(
        self,
        ctx: Context,
        action: Action,
        *,
        service: str | None = None,
        environment: str | None = None,
    ) -> Actor:
        if not self.knows:
            raise Unauthenticated("the token was revoked")
        if action in self.refused:
            raise Denied(f"may not {action.value}")
        return actor_of(ctx)


class Near(Reached):
    """The way to another platform in this process, through the wire form; it may have no token yet."""

    def __init__(self, *served: Api) -> None:
        super().__init__(
            "west", address=self._nowhere, token=self._token_of, stack=AsyncExitStack()
        )
        self._served = served
        self.token = "good"

    async def _nowhere(self) -> str:
        raise AssertionError

    def _token_of(self) -> str:
        return self.token

    @override
    async def api(self, contract: type[A]) -> A:
        if not self.token:
            return await super().api(contract)
        (found,) = (one for one in self._served if isinstance(one, contract))
        return loopback(contract, found)


class Other:
    """Another platform, on the stage's tables and its simulated target."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.gate = Bounded()
        places = TheseEnvironments(
            Environment("dev", "dev"), Environment("far", "dev", target="third")
        )

        async def only(environment: str) -> list[str]:
            return [environment]

        async def none(_service: str) -> frozenset[str]:
            return frozenset()

        sources = Sources(folder / "sources", gate=self.gate, places=only, needed=none)
        self.served = ServedTarget(
            stage.target,
            stage.database,
            gate=self.gate,
            registry=places,
            book=TableBook(),
            sources=sources,
        )
        self.way = Near(self.served, sources)
        here = folder / "here"
        here.mkdir()
        (here / "run").write_text("first")
        self.folder = here
        target = stage.target
        stage.reset(PlatformTarget(self.way))
        stage.target = target

    def source(self, deploy: str = "strategy: blue-green") -> Source:
        return Source(
            TEXT.format(service="orders", deploy=deploy), "service.yaml", str(self.folder)
        )

    async def deployed(self, stage: Stage, deploy: str = "strategy: blue-green") -> str:
        asked = await stage.releases.deploy(ADA, source=self.source(deploy), environment="dev")
        return asked.id


async def test_a_release_is_brought_up_held_shifted_withdrawn_and_returned_to_elsewhere(
    stage: Stage, tmp_path: Path
) -> None:
    other = Other(stage, tmp_path)
    async with stage.worker():
        first = await stage.ended(await other.deployed(stage))
        assert (first.state, stage.serves()) == ("served", "1")
        (kept,) = (tmp_path / "sources/orders/folders").iterdir()
        assert (kept / "run").read_text() == "first"

        (other.folder / "run").write_text("second")
        second = await other.deployed(stage, PROGRESSIVE)
        await stage.until(second, lambda one: one.rollout is not None and one.rollout.share == 0.5)
        await stage.releases.steer(BOB, release=second, verb="abort")
        assert ((await stage.ended(second)).state, stage.serves()) == ("aborted", "1")

        third = await stage.ended(await other.deployed(stage))
        assert (third.state, stage.serves()) == ("served", "3")
        back = await stage.releases.rollback(BOB, environment="dev", service="orders")
        assert ((await stage.ended(back.id)).state, stage.serves()) == ("served", "1")
    assert await stage.releases.disagreements(ADA, environment="dev") == []


async def test_a_release_waits_for_a_token_and_for_one_that_is_good_and_then_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    other = Other(stage, tmp_path)
    other.way.token = ""
    async with stage.worker():
        asked = await other.deployed(stage)
        await stage.until(asked, lambda one: "no token for the target 'west'" in one.summary.why)
        other.gate.knows = False
        other.way.token = "old"
        await stage.until(asked, lambda one: "does not take this platform's" in one.summary.why)
        other.gate.knows = True
        assert (await stage.ended(asked)).state == "served"
        assert len(stage.target.service("dev", "orders").releases) == 1


async def test_what_the_token_may_not_is_refused_with_the_other_platforms_words(
    stage: Stage, tmp_path: Path
) -> None:
    other = Other(stage, tmp_path)
    other.gate.refused.add(Action.DEPLOY)
    async with stage.worker():
        ended = await stage.ended(await other.deployed(stage))
    assert (ended.state, ended.why) == ("refused", "may not deploy")


async def test_a_descriptor_of_another_service_and_an_environment_of_a_third_platform_are_refused(
    stage: Stage, tmp_path: Path
) -> None:
    other = Other(stage, tmp_path)
    api = loopback(TargetApi, other.served)
    asking = Context(Caller("a"))
    with pytest.raises(DescriptorRefused, match="describes orders, not billing"):
        await api.plan(
            asking, environment="dev", service="billing", source=other.source(), version="1"
        )
    with pytest.raises(TargetElsewhere, match="'third'"):
        await api.present(asking, environment="far")


async def test_data_goes_only_by_the_right_to_destroy(stage: Stage, tmp_path: Path) -> None:
    other = Other(stage, tmp_path)
    other.gate.refused.add(Action.DESTROY)
    api = loopback(TargetApi, other.served)
    with pytest.raises(Denied):
        async for _ in api.deploy(
            Context(Caller("a")),
            environment="dev",
            service="orders",
            key="k",
            source=other.source(),
            version="1",
            hold=False,
            confirm=("db",),
        ):
            pass


async def test_without_a_token_nothing_is_sent(stage: Stage, tmp_path: Path) -> None:
    other = Other(stage, tmp_path)
    other.way.token = ""
    with pytest.raises(TargetUnready, match="drystone targets token west"):
        await other.way.api(SourcesApi)


async def test_who_may_deploy_gets_around_no_guardrail_by_this_door(
    stage: Stage, tmp_path: Path
) -> None:
    other = Other(stage, tmp_path)
    other.gate.refused.add(Action.EXCEPT)
    api = loopback(TargetApi, other.served)
    asking, where = Context(Caller("ci")), {"environment": "dev", "service": "orders", "key": "k"}
    with pytest.raises(Denied):
        async for _ in api.deploy(
            asking, **where, source=other.source(), version="1", hold=False, confirm=()
        ):
            pass
    with pytest.raises(Denied):
        await api.shift(asking, **where, share=1.0, cohort="request", header=None)
    with pytest.raises(Denied):
        async for _ in api.settle(asking, **where):
            pass
    assert stage.serves() == ""
