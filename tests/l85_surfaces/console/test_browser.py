"""The page in a real browser: light, dark and narrow, by keys, without scripts, and while it keeps up to date."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from drystone.l25_deployer.api import LogRecord
from drystone.l85_surfaces.console.app import application
from drystone.testing.asgi import served
from drystone.testing.browser import Browser, Tab
from l80_governance.dependencies.contrast import weak
from l85_surfaces.console.stand import HOST, HOSTILE, OneCookie, Told, curve, release, summary

PATHS = (
    "",
    "services/prod/orders",
    "services/prod/orders/logs",
    "releases",
    "releases/r-17",
    "approvals",
    "audit",
    "guardrails",
    "registry",
    "access",
)
SHIFT = """new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((one) => { sum += one.value; }))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 200);
})"""


@pytest.fixture
def platform() -> Told:
    return Told()


@pytest.fixture
def place(platform: Told) -> Iterator[str]:
    with served(application(platform, OneCookie())) as address:
        yield address.replace("127.0.0.1", HOST)


def signed_in(tab: Tab, place: str) -> Tab:
    tab.send("Network.setCookie", name="person", value="ada", url=place)
    return tab


def test_every_text_stands_out_in_light_and_dark_and_nothing_is_refused(
    browser: Browser, place: str
) -> None:
    tab = signed_in(browser.tab(), place)
    for path in PATHS:
        tab.open(place + path)
        tab.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        for dark in (False, True):
            tab.prefer(dark=dark)
            assert weak(tab) == [], (path, dark)
    assert tab.complaints == []


def test_nothing_is_wider_than_a_narrow_screen(
    browser: Browser, place: str, platform: Told
) -> None:
    tab = signed_in(browser.tab(width=380, height=800), place)
    platform.services += [summary(word, word, owner=word, version=word) for word in HOSTILE]
    for path in PATHS:
        tab.open(place + path)
        assert tab.js("document.documentElement.scrollWidth") <= 380, path


def test_a_page_keeps_up_to_date_and_moves_nothing_that_stays(
    browser: Browser, place: str, platform: Told
) -> None:
    tab = signed_in(browser.tab(), place)
    tab.open(f"{place}releases/r-17")
    tab.js("document.querySelectorAll('.ask > summary')[1].click()")
    tab.js("document.querySelectorAll('.ask > summary')[1].focus()")
    before = tab.js(SHIFT)
    seen = platform.released
    platform.released = msgspec.structs.replace(seen, curve=curve("held", looks=80, slope=0.07))

    tab.until("document.querySelector('.now .state').textContent.includes('held')")

    assert tab.js(SHIFT) - before < 0.01
    assert tab.js("document.querySelectorAll('.ask')[1].open")
    assert tab.js("document.activeElement.textContent") == "Pause"
    assert tab.complaints == []


def test_an_order_is_given_by_keys_alone(browser: Browser, place: str, platform: Told) -> None:
    tab = signed_in(browser.tab(), place)
    tab.open(f"{place}releases/r-17")
    for _ in range(30):
        tab.press("Tab")
        if tab.js("document.activeElement.textContent") == "Abort":
            break
    tab.press("Enter")
    tab.press("Tab")
    tab.write("it is slow")
    tab.press("Tab")
    with tab.leads_on():
        tab.press("Enter")

    assert platform.did == [("ada", "r-17", "abort", "it is slow")]
    assert tab.js("location.pathname") == "/releases/r-17"


def test_without_scripts_everything_can_be_read_and_ordered(
    browser: Browser, place: str, platform: Told
) -> None:
    tab = signed_in(browser.tab(scripts=False), place)
    for path in PATHS:
        tab.open(place + path)
        assert tab.js("document.body.innerText.length") > 100, path
    tab.open(f"{place}releases/r-17")
    assert tab.js("document.querySelectorAll('svg.curve path').length") == 6
    with tab.leads_on():
        tab.js("document.querySelector('form[action$=promote]').submit()")
    assert platform.did == [("ada", "r-17", "promote", "")]


def test_logs_go_on_and_obey_nobody(browser: Browser, place: str, platform: Told) -> None:
    platform.coming = [LogRecord("one", 17, word) for word in HOSTILE]
    tab = signed_in(browser.tab(), place)

    tab.open(f"{place}services/prod/orders/logs")

    many = len(platform.records) + len(HOSTILE)
    tab.until(f"document.querySelectorAll('#log li').length >= {many}")
    assert tab.js("document.querySelectorAll('#log script, #log img, #log b').length") == 0
    assert tab.complaints == []


def test_a_rollout_that_is_over_asks_no_more(browser: Browser, place: str, platform: Told) -> None:
    tab = signed_in(browser.tab(), place)
    tab.open(f"{place}releases/r-17")
    platform.released = release(ended=platform.released.line.at, outcome="served", verbs=())

    tab.until("document.body.innerText.includes('served')")

    tab.until("!document.getElementById('main').dataset.live")
