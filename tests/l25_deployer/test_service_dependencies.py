"""The dependency model and the check of dependencies, as callers of the deployer know them."""

from __future__ import annotations

import pytest

from drystone.l05_graph.forms.survey import read
from drystone.l05_graph.model import Model
from l25_deployer.reached import Reached
from l25_deployer.small_platform import ASKING, deploy, descriptor

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def live(p: Reached) -> Model:
    return read((await p.api.dependencies(ASKING)).survey)


async def test_a_service_is_part_of_the_model_once_it_is_deployed(p: Reached) -> None:
    assert "dev/modelled" not in (await live(p)).by_name

    await deploy(p.api, descriptor("modelled", more="tier: 1\nlayer: 70"), p.source)

    model = await live(p)
    component = model.component("dev/modelled")
    assert (component.tier, component.layer, component.owner) == (1, 70, "tests")
    targets = {one.target for one in model.needs["dev/modelled"]}
    assert targets == {"platform/deployer", "platform/proxy"}


async def test_the_platform_came_up_in_the_order_that_is_told(p: Reached) -> None:
    told = await p.api.dependencies(ASKING)

    names = [name for wave in told.order for name in wave]
    assert names.index("platform/proxy") < names.index("platform/deployer")
    ready = [
        f"platform/{step.name}"
        for step in (await p.api.status(ASKING)).startup
        if step.state in {"ready", "adopted"}
    ]
    assert [name for name in names if name in ready] == ready
