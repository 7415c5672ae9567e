"""Dev on one platform, prod on another: releases go from one to the other by a token."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx2
import pytest

from journeys.place import Place, eventually, place

pytestmark = pytest.mark.slow

TEXT = """\
schema: 1
service: far
owner: commerce
tags: {cost: far}
static: {dir: site}
"""
SCOPES = ("see", "plan", "deploy", "except", "steer", "roll-back", "destroy")


async def made_ready(platform: Place) -> None:
    await platform.drystone.must("orchestrator", "on")
    await platform.drystone.must("people", "add", "ada")
    await platform.drystone.must("teams", "add", "commerce")
    await platform.drystone.must("teams", "join", "commerce", "ada", "--maintainer")


async def token_of(platform: Place) -> str:
    await platform.drystone.must("grants", "give", "person:ada", "admin", "--over", "all")
    words = [word for scope in SCOPES for word in ("--scope", scope)]
    said = await platform.drystone.must(
        "deploy-tokens", "make", "from-here", "--maker", "ada", "--env", "prod", *words
    )
    return said.out.strip()


async def page(platform: Place) -> str:
    async with httpx2.AsyncClient() as client:
        host = f"far.prod.localhost:{platform.port}"
        answer = await client.get(f"http://127.0.0.1:{platform.port}/", headers={"host": host})
        return answer.text


async def test_a_release_goes_from_one_platform_to_another_and_back(tmp_path: Path) -> None:
    runtime = {"DRYSTONE_RUNTIME": "processes"}
    async with place(runtime) as here, place(runtime) as there:
        for one in (here, there):
            await made_ready(one)
        token = await token_of(there)
        url = f"http://orchestrator.localhost:{there.port}/"
        run = here.drystone
        await run.must("targets", "set", "berlin", "--url", url)
        await run.must(
            "environments", "set", "prod", "--type", "prod", "--after", "dev", "--target", "berlin"
        )
        file = tmp_path / "service.yaml"
        file.write_text(TEXT)
        (tmp_path / "site").mkdir()
        index = tmp_path / "site/index.html"

        index.write_text("first")
        await run.must("deploy", file)
        waiting = await run.run("promote", "far", "--to", "nowhere")
        assert waiting.code == 1
        secrets = here.home / "secrets/targets"
        secrets.mkdir(mode=0o700)
        (secrets / "berlin").write_text(token)
        await run.must("promote", "far", "--to", "prod")
        assert await page(there) == "first"

        index.write_text("second")
        await run.must("deploy", file)
        # The other orchestrator dies; the release waits for it and is carried out once.
        os.kill((await there.pids())["orchestrator"], signal.SIGKILL)
        await run.must("promote", "far", "--to", "prod")
        assert await page(there) == "second"

        await run.must("rollback", "far", "--env", "prod")
        assert await page(there) == "first"

        noted = await there.drystone.ask("audit", "list", "prod/far", "-n", "50")
        assert {one["action"] for one in noted} >= {"target.deploy", "target.roll-back"}
        assert token not in (here.home / "engines/orchestrator/log").read_text()

        async def gone() -> bool:
            return "far" not in str(await there.drystone.ask("services"))

        assert not await gone()
        await run.must("destroy", "far", "--env", "prod", "--yes", "far")
        assert await eventually(gone)
