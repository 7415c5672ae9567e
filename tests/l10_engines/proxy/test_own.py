"""The platform's own pages at a real Envoy, from a service that runs on demand."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from drystone.l10_engines.on_demand.service import OnDemand
from drystone.l10_engines.proxy.edge import OwnService, edge_snapshot
from drystone.l10_engines.proxy.snapshot import Snapshot
from l10_engines.proxy.rig import HOST, Rig, shop, until
from l10_engines.proxy.upstream import Upstream

PROGRAM = Path(__file__).parents[1] / "on_demand" / "program.py"


@pytest.fixture
async def pages(stopped: Rig, blue: Upstream) -> AsyncIterator[OnDemand]:
    one = OnDemand(
        "pages",
        place=stopped.home / "pages.sock",
        command=[sys.executable, str(PROGRAM)],
        output=stopped.home / "pages.log",
        env={"PATH": os.defpath},
    )
    one.start()
    try:
        await stopped.live(with_pages(stopped, one, blue))
        yield one
    finally:
        await one.stop()


def with_pages(rig: Rig, one: OnDemand, blue: Upstream) -> Snapshot:
    own = OwnService(name="pages", title="Own <pages>", socket=one.place)
    service = msgspec.structs.replace(shop(("blue", 1, [blue])), hosts=(HOST,))
    return edge_snapshot([service], port=rig.port, access_log=rig.access_log, own=[own])


async def test_they_answer_below_their_path_at_the_hosts_of_the_index_alone(
    stopped: Rig, pages: OnDemand
) -> None:
    index = await stopped.get(host="localhost")
    assert '<a href="pages/">Own &lt;pages&gt;</a>' in index.text
    moved = await stopped.get("/pages", host="localhost")
    assert (moved.status_code, moved.headers["location"]) == (
        301,
        "http://localhost/pages/",
    )

    answer = await stopped.get("/pages/", host=f"localhost:{stopped.port}")

    assert answer.text == str(pages.status().pid)
    assert "content-security-policy" not in answer.headers  # that is theirs to say
    assert (await stopped.get("/pages/", host="127.0.0.1")).text == answer.text
    assert (await stopped.get("/pages/", host="rebound.example")).status_code == 404
    assert (await stopped.get("/pages/")).text == "blue"


async def test_a_hundred_requests_at_once_start_one_program(stopped: Rig, pages: OnDemand) -> None:
    answers = await asyncio.gather(*(stopped.get("/pages/", host="localhost") for _ in range(100)))

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text for answer in answers} == {str(pages.status().pid)}


async def test_a_request_survives_the_death_of_the_program(stopped: Rig, pages: OnDemand) -> None:
    first = await stopped.get("/pages/", host="localhost")
    asking = [asyncio.create_task(stopped.get("/pages/slow", host="localhost")) for _ in range(5)]
    await asyncio.sleep(0.1)  # on their way; whether they have arrived makes no difference
    os.kill(int(first.text), signal.SIGKILL)

    answers = await asyncio.gather(*asking)

    assert {answer.status_code for answer in answers} == {200}
    assert (await stopped.get("/pages/", host="localhost")).text == str(pages.status().pid)
    assert pages.status().restarts == 1


async def test_while_nobody_keeps_them_the_rest_of_the_edge_goes_on(
    stopped: Rig, pages: OnDemand, blue: Upstream
) -> None:
    await pages.stop()

    assert (await stopped.get("/pages/", host="localhost")).status_code == 503
    assert (await stopped.get()).text == "blue"
    pages.start()
    assert (await stopped.get("/pages/", host="localhost")).status_code == 200


async def test_an_envoy_that_starts_again_by_itself_leads_to_them(
    stopped: Rig, pages: OnDemand, blue: Upstream
) -> None:
    envoy = stopped.envoy.status().pid
    assert envoy is not None
    await stopped.die()
    os.kill(envoy, signal.SIGKILL)

    async def answers() -> bool:
        try:
            return (await stopped.get("/pages/", host="localhost")).status_code == 200
        except httpx2.TransportError:  # while it starts
            return False

    await until(answers)
    await stopped.live(with_pages(stopped, pages, blue))
