"""Held releases as callers know them: in the process, through the wire form, and as an agent."""

from __future__ import annotations

import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.api import Outcome
from drystone.l25_deployer.errors import CanaryHeld, NoCanary, ServiceNotFound
from l25_deployer.reached import Reached, all_of, at
from l25_deployer.small_platform import ASKING, ask, deploy, descriptor

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_release_is_held_shifted_counted_and_settled(p: Reached) -> None:
    await deploy(p.api, descriptor("tried"), p.source)
    told = await deploy(p.api, descriptor("tried"), p.source, key="k1", hold=True)
    assert told[-1].text == "release 2 is held beside release 1, which serves"
    assert "hold" in {progress.step for progress in told}
    view = await p.api.show(ASKING, **at("tried"))
    assert view.canary is not None
    assert (view.canary.release, view.canary.key, view.canary.share) == (2, "k1", 0)
    assert (view.summary.state, view.summary.release) == ("serving", 1)

    await p.api.shift(ASKING, **at("tried"), key="k1", share=1, header="x-release")

    assert (await ask(p.port, "tried.dev.localhost")).endswith("release 2")
    seen = await p.api.signals(ASKING, **at("tried"), key="k1")
    assert (seen.canary.requests, seen.canary.errors) == (1, 0)
    assert seen.at > 0
    with pytest.raises(CanaryHeld):
        await deploy(p.api, descriptor("tried"), p.source)
    told = await all_of(p.api.settle(ASKING, **at("tried"), key="k1"))
    assert told[-1].text == "tried.dev serves version 2"
    outcome = await p.api.outcome(ASKING, **at("tried"), key="k1")
    assert outcome == Outcome("serving", 2)
    events = (await p.api.history(ASKING, **at("tried"))).items
    assert [event.event for event in events][:5] == [
        *("settle done", "settle began", "shifted", "deploy held", "deploy began")
    ]


async def test_a_release_is_withdrawn_and_says_why(p: Reached) -> None:
    await deploy(p.api, descriptor("left"), p.source)
    await deploy(p.api, descriptor("left"), p.source, key="k1", hold=True)

    reason = "half of its answers were late"
    await all_of(p.api.withdraw(ASKING, **at("left"), key="k1", reason=reason))

    assert await p.api.outcome(ASKING, **at("left"), key="k1") == Outcome("withdrawn", 2, reason)
    view = await p.api.show(ASKING, **at("left"))
    assert [(r.number, r.state) for r in view.releases] == [(2, "withdrawn"), (1, "active")]
    assert (await ask(p.port, "left.dev.localhost")).endswith("release 1")
    with pytest.raises(NoCanary, match="withdrawn"):
        await all_of(p.api.settle(ASKING, **at("left"), key="k1"))


async def test_what_is_not_there_has_no_outcome_and_cannot_be_shifted(p: Reached) -> None:
    assert await p.api.outcome(ASKING, **at("nobody"), key="k") == Outcome("unknown")
    with pytest.raises(ServiceNotFound):
        await p.api.shift(ASKING, **at("nobody"), key="k", share=0.5)
    for key in ("", "a b", "x" * 201, "ä"):
        with pytest.raises(Invalid):
            await deploy(p.api, descriptor("keyless"), p.source, key=key)
    assert await p.api.outcome(ASKING, **at("keyless"), key="a b") == Outcome("unknown")
