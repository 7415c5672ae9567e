"""The operations page of a real platform, in a real browser: read by everybody, ordered by who is signed in."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from drystone.testing.browser import Browser, binary
from drystone.testing.command_line import processes_of
from journeys.place import Place

PROGRAM = "drystone.l90_assembly.console_program"


async def ask(
    platform: Place, path: str, *, host: str = "localhost", **more: str
) -> httpx2.Response:
    headers = {"host": f"{host}:{platform.port}", **more}
    async with httpx2.AsyncClient(timeout=60) as client:
        return await client.get(f"http://127.0.0.1:{platform.port}{path}", headers=headers)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_is_at_the_root_and_runs_once_somebody_looks(platform: Place) -> None:
    pages = await asyncio.gather(*(ask(platform, "/") for _ in range(10)))

    assert {page.status_code for page in pages} == {200}
    assert "<h1><bdi>Services</bdi></h1>" in pages[0].text
    running = [pid for pid, words in processes_of(platform.home).items() if PROGRAM in words]
    assert len(running) == 1
    assert (await ask(platform, "/dependencies/")).status_code == 200
    assert (await ask(platform, "/approvals")).status_code == 503


@pytest.mark.asyncio(loop_scope="session")
async def test_a_header_that_names_somebody_is_not_believed(platform: Place) -> None:
    named = {"x-drystone-user": "ada", "x-drystone-person": "ada"}

    answer = await ask(platform, "/audit", host="console.localhost", **named)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/.drystone/signin/begin?to=/audit"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.skipif(binary() is None, reason="Chromium is not installed")
async def test_somebody_signs_in_and_is_known_at_the_page_alone(platform: Place) -> None:
    words = ("users", "add", "eve", "--password-stdin")
    async with platform.drystone.running(*words, reads=True) as process:
        await process.communicate(b"a long password")
    assert process.returncode == 0

    await asyncio.to_thread(_sign_in, platform)


def _sign_in(platform: Place) -> None:
    place = f"http://console.localhost:{platform.port}"
    with Browser() as browser:
        tab = browser.tab()
        tab.open(f"{place}/?q=nothing")
        tab.until("document.activeElement.id == 'name'")
        tab.write("eve")
        tab.press("Tab")
        tab.until("document.activeElement.id == 'password'")
        tab.write("a long password")
        with tab.leads_on():
            tab.press("Enter")
        tab.until("location.host.startsWith('console.') && document.readyState == 'complete'")
        assert tab.js("location.search") == "?q=nothing"
        assert tab.js("document.querySelector('.who').innerText") == "Signed in as eve Sign out"
        tab.open(f"http://localhost:{platform.port}/")
        assert tab.js("document.querySelector('.who').innerText") == "Sign in"
        tab.open(f"{place}/")
        with tab.leads_on():
            tab.js("document.querySelector('.who a').click()")
        assert tab.js("location.host").startswith("signin.")
        assert tab.complaints == []
