"""Releases on a real deployer with a real proxy: held, shifted, settled, withdrawn, returned to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from drystone.l25_deployer.api import Source
from drystone.l50_orchestrator.releases.words import ReleaseView
from drystone.l50_orchestrator.targets.deployer import DeployerTarget
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.small_platform import (
    SERVER,
    ask,
    descriptor,
    embedded,
    folder_of,
    short_folder,
)
from l50_orchestrator.releases.stage import ADA, BOB, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRESSIVE = """
deploy: {strategy: progressive, steps: [10%, 100%], hold: 1h, watch: {metrics: [errors], quiet: hold}, keep: 3}
"""


BY_USER = """
deploy:
  strategy: progressive
  steps: [10%, 100%]
  hold: 1h
  cohort: user
  watch: {metrics: [errors, log-errors], quiet: hold}
  keep: 3
"""


FAILING = SERVER.replace(
    """    asked = connection.recv(65536).decode("latin-1").split(" ")[1:2]
""",
    """    request = connection.recv(65536).decode("latin-1")
    asked = request.split(" ")[1:2]
    who = request.lower().partition("x-user-id: ")[2].partition("\\r")[0]
    ill = os.environ.get("GREETING", "")
    if who and (ill == "all" or (ill == "one" and asked == ["/ill"])):
        print("cannot greet, token=s3cret", flush=True)
        connection.sendall(b"HTTP/1.1 500 Bad\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        connection.close()
        continue
""",
)
"""Answers users with an error, as its greeting says: all of them, or the one that asks for one path."""


class Site:
    """A platform and the folder of a service."""

    def __init__(self, whole: Standalone, folder: Path) -> None:
        self.whole = whole
        self.folder = folder

    def source(self, greeting: str, name: str = "greeter", how: str = PROGRESSIVE) -> Source:
        env = f"env: {{GREETING: {greeting}}}\n"
        return Source(descriptor(name, more=how + env), "service.yaml", str(self.folder))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    with short_folder() as folder:
        async with embedded(folder / "h") as whole:
            yield Site(whole, folder_of(folder / "source", {"server.py": FAILING}))


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
        await real.until(second, lambda one: one.rollout is not None and one.rollout.share == 0.1)
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


async def test_one_user_who_fails_again_and_again_ends_no_rollout_and_many_who_fail_do(
    real: Stage, site: Site
) -> None:
    async def bring(version: str, greeting: str) -> str:
        source = site.source(greeting, "visited", BY_USER)
        asked = await real.releases.deploy(ADA, source=source, environment="dev", version=version)
        return asked.id

    async def asks(user: str, path: str = "/hello?a=b") -> str:
        port = urlsplit(status.url).port
        assert port is not None
        return await ask(port, "visited.dev.localhost", path, headers={"x-user-id": user})

    def is_begun(one: ReleaseView) -> bool:
        return one.rollout is not None and one.rollout.share == 0.1

    status = await site.whole.deployer.status(ADA)
    users = [f"u{n}" for n in range(150)]
    async with real.worker():
        await real.ended(await bring("1", "hello"))
        second = await bring("2", "one")
        await real.until(second, is_begun)
        on = [one for one in users if (await asks(one)).endswith("release 2")]
        assert 0 < len(on) < len(users)
        for _ in range(40):
            assert (await asks(on[0], "/ill"))[:3] == "500"
            await asks(on[1])
        seen = await real.until(second, lambda one: _in_error(one) == 1)
        assert seen.rollout is not None
        assert (seen.rollout.phase, seen.rollout.by) == ("rising", "user")
        assert set(seen.rollout.unmeasured) == {"log-errors"}
        await real.releases.steer(BOB, release=second, verb="abort")
        await real.ended(second)

        third = await bring("3", "all")
        await real.until(third, is_begun)

        async def keep_asking() -> None:
            for number in count():
                await asks(f"v{number}")

        asking = asyncio.create_task(keep_asking())
        try:
            ended = await real.ended(third)
        finally:
            asking.cancel()
            await asyncio.wait({asking})
        assert ended.state == "rolled-back"
        view = await real.releases.show(ADA, release=third)
    assert view.rollout is not None
    told = view.rollout.examples
    assert any("GET /hello answered 500" in one and "user ~" in one for one in told)
    assert any("log: cannot greet, token=…" in one for one in told)
    assert not any("s3cret" in one or "a=b" in one for one in told)
    async for _ in site.whole.deployer.destroy(
        ADA, environment="dev", service="visited", confirm=[]
    ):
        pass


def _in_error(one: ReleaseView) -> int:
    return one.rollout.counted.get("errors", (0, 0, 0, 0))[0] if one.rollout is not None else 0
