"""The platform's own pages at its edge: they come when somebody looks, come back, and go with the platform."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from drystone.l00_kernel.home import Home
from drystone.l05_graph.evidence import Batch, Evidence, Observation
from drystone.l05_graph.forms import evidence
from drystone.l10_engines.proxy.refusal_log import refusals_beside
from drystone.l25_deployer.edge_log import AT_THE_EDGE
from drystone.l80_governance.dependencies.live import LiveModels
from drystone.testing.command_line import processes_of
from journeys.place import Place, eventually

VIEW = "drystone.l80_governance.dependencies"


async def ask(platform: Place, path: str = "", **more: Any) -> httpx2.Response:
    headers = {"host": f"localhost:{platform.port}", **more.pop("headers", {})}
    async with httpx2.AsyncClient(timeout=60) as client:
        return await client.request(
            more.pop("method", "GET"),
            f"http://127.0.0.1:{platform.port}/dependencies/{path}",
            headers=headers,
            **more,
        )


def programs(platform: Place) -> list[int]:
    return [pid for pid, words in processes_of(platform.home).items() if VIEW in words]


async def view_of(platform: Place) -> dict[str, Any]:
    status = await platform.drystone.ask("status")
    (found,) = (one for one in status["engines"] if one["name"] == "dependencies")
    return dict(found)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_view_shows_the_platform_itself_once_somebody_looks(platform: Place) -> None:
    pages = await asyncio.gather(*(ask(platform, "layers") for _ in range(20)))

    assert {page.status_code for page in pages} == {200}
    assert "platform/deployer" in pages[0].text
    assert "default-src 'none'" in pages[0].headers["content-security-policy"]
    assert len(programs(platform)) == 1
    view = await view_of(platform)
    assert (view["state"], view["pid"], view["restarts"]) == ("ready", programs(platform)[0], 0)
    folder = platform.home / "dependencies"
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.asyncio(loop_scope="session")
async def test_a_version_is_kept_once_and_only_by_the_views_own_pages(platform: Place) -> None:
    change = "alter: {component: platform/objects, layer: 9}"
    form = urlencode({"change": change, "title": "Lower", "author": "me"})
    kind = {"content-type": "application/x-www-form-urlencoded"}

    for site in ("cross-site", "same-site"):
        foreign = {**kind, "sec-fetch-site": site}
        answer = await ask(platform, "scenario-keep", method="POST", content=form, headers=foreign)
        assert answer.status_code == 403
    other = {**kind, "origin": "http://shop.dev.localhost"}
    answer = await ask(platform, "scenario-keep", method="POST", content=form, headers=other)
    assert answer.status_code == 403
    own = {**kind, "origin": f"http://localhost:{platform.port}", "sec-fetch-site": "same-origin"}
    kept = await ask(platform, "scenario-keep", method="POST", content=form, headers=own)
    assert kept.status_code == 303
    assert "Lower" in (await ask(platform, "versions")).text
    assert len(list((platform.home / "dependencies/versions").iterdir())) == 1


@pytest.mark.slow
async def test_the_view_survives_its_own_death_and_the_agents_and_goes_with_the_platform(
    own_platform: Place,
) -> None:
    assert (await ask(own_platform)).status_code == 200
    (first,) = programs(own_platform)
    under_way = [asyncio.create_task(ask(own_platform, "findings")) for _ in range(10)]
    os.kill(first, signal.SIGKILL)
    assert (await ask(own_platform)).status_code == 200
    assert {one.status_code for one in await asyncio.gather(*under_way)} == {200}
    (second,) = programs(own_platform)
    assert second != first

    agent = (await own_platform.drystone.ask("status"))["agent_pid"]
    os.kill(agent, signal.SIGKILL)

    async def is_gone() -> bool:
        return second not in programs(own_platform)

    async def answers() -> bool:
        return (await ask(own_platform)).status_code == 200

    await eventually(is_gone)
    await eventually(answers)
    await own_platform.drystone.must("down")
    assert programs(own_platform) == []


@pytest.mark.asyncio(loop_scope="session")
async def test_what_the_edge_has_seen_and_what_was_imported_stand_beside_the_model(
    platform: Place,
) -> None:
    assert (await ask(platform, "findings")).status_code == 200
    home = Home.open(platform.home)
    calls = Observation(caller="platform/deployer", callee="platform/dependencies", calls=7)
    imported = Evidence((Batch(source="otlp-traces", digest="d" * 64, observations=(calls,)),))
    home.evidence.write_text(evidence.dump(imported), encoding="utf-8")
    models = LiveModels(home, seen_anew=timedelta())
    tried = {"time": datetime.now(UTC).isoformat(), "listener": "dns", "caller": "dev/lost"}
    with refusals_beside(home.access_log).open("a", encoding="utf-8") as log:
        log.write(json.dumps({**tried, "name": "api.example.com", "answers": 0}) + "\n")

    async def both_are_known() -> bool:
        seen = (await models.evidence()).pairs
        at_edge = seen.get((AT_THE_EDGE, "platform/dependencies"))
        refused = seen.get(("dev/lost", "external:api.example.com"))
        return (
            at_edge is not None
            and at_edge.calls > 0
            and (calls.caller, calls.callee) in seen
            and refused is not None
            and refused.errors == 1
        )

    await eventually(both_are_known)
    home.evidence.unlink()
