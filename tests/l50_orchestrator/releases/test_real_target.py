"""Releases on a real deployer with a real proxy: held, shifted, settled, withdrawn, returned to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l25_deployer.api import Source
from drystone.l50_orchestrator.targets.deployer import DeployerTarget
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.small_platform import descriptor, embedded, folder_of, short_folder
from l50_orchestrator.releases.stage import ADA, BOB, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRESSIVE = """
deploy: {strategy: progressive, steps: [50%, 100%], hold: 1h, watch: {metrics: [errors], quiet: hold}, keep: 3}
"""


class Site:
    """A platform and the folder of a service."""

    def __init__(self, whole: Standalone, folder: Path) -> None:
        self.whole = whole
        self.folder = folder

    def source(self, greeting: str, name: str = "greeter") -> Source:
        env = f"env: {{GREETING: {greeting}}}\n"
        return Source(descriptor(name, more=PROGRESSIVE + env), "service.yaml", str(self.folder))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    with short_folder() as folder:
        async with embedded(folder / "h") as whole:
            yield Site(whole, folder_of(folder / "source"))


@pytest.fixture
def real(stage: Stage, site: Site) -> Stage:
    stage.reset(DeployerTarget(site.whole.deployer))
    return stage


async def release(stage: Stage, site: Site, greeting: str, where: str = "dev") -> str:
    """Ask for a release; its id."""
    asked = await stage.releases.deploy(
        ADA, source=site.source(greeting), environment=where, version=greeting
    )
    return asked.id


async def active(site: Site, where: str = "dev") -> str | None:
    view = await site.whole.deployer.show(ADA, environment=where, service="greeter")
    return view.summary.version


async def test_a_release_is_held_shifted_promoted_withdrawn_and_returned_to(
    real: Stage, site: Site
) -> None:
    async with real.worker():
        first = await real.ended(await release(real, site, "one"))
        assert (first.state, await active(site)) == ("served", "one")
        second = await release(real, site, "two")
        await real.until(second, lambda one: one.rollout is not None and one.rollout.share == 0.5)
        view = await site.whole.deployer.show(ADA, environment="dev", service="greeter")
        assert view.canary is not None
        await real.releases.steer(BOB, release=second, verb="promote")
        assert ((await real.ended(second)).state, await active(site)) == ("served", "two")
        third = await release(real, site, "three")
        await real.in_state(third, "rolling")
        await real.releases.steer(BOB, release=third, verb="abort")
        assert ((await real.ended(third)).state, await active(site)) == ("aborted", "two")
        back = await real.releases.rollback(BOB, environment="dev", service="greeter")
        assert ((await real.ended(back.id)).state, await active(site)) == ("served", "one")
        promoted = await real.releases.promote(
            ADA, service="greeter", to="staging", release="dev/greeter/1"
        )
        ended = await real.ended(promoted.id)
        assert (ended.state, ended.why, await active(site, "staging")) == ("served", "", "one")
    assert await real.releases.disagreements(ADA, environment="dev") == []
    dev, staging = [await real.releases.show(ADA, release=id_) for id_ in (first.id, promoted.id)]
    assert dev.artefact == staging.artefact != ""
