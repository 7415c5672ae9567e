"""The view in a real browser: by keys alone, without scripts, in light and dark, on a narrow screen, below a path."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l05_graph.evidence import Batch, Evidence, Observation
from drystone.l05_graph.forms import evidence, survey_text
from drystone.l05_graph.model import Component, Dependency, Model, checked
from drystone.l05_graph.words import Strength
from drystone.l80_governance.dependencies.app import application
from drystone.testing.asgi import served
from drystone.testing.browser import Browser, Tab
from l80_governance.dependencies.contrast import weak
from l80_governance.dependencies.stand import (
    TODAY,
    Timed,
    grown,
    historical,
    hostile,
    shop,
    view_of,
)

PAGES = (
    "",
    "layers",
    "matrix",
    "heat",
    "tangles",
    "findings",
    "services",
    "dependencies",
    "versions",
)
FURTHER = (
    "service?name=deployer&steps=2",
    "tangle?of=deployer",
    "layers?band=3",
    "heat?measure=all",
)
TRIED = (
    "scenario?change=alter: {source: deployer, target: flags, strength: soft}",
    "tabletop?everything=on&runs=5&event={at: 1h, fails: database}&event={at: 2h, crew: platform, people: 1}",
)


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    with served(view_of(shop()), below="/dependencies") as address:
        yield address


def focused(tab: Tab) -> str:
    return str(tab.js("document.activeElement.textContent.trim() || document.activeElement.id"))


@pytest.mark.parametrize(
    "paths",
    [("layers", "dependencies", *TRIED), pytest.param((*PAGES, *FURTHER), marks=pytest.mark.slow)],
    ids=["some", "all"],
)
def test_every_text_stands_out_from_its_ground_in_light_and_dark(
    browser: Browser, tmp_path: Path, paths: tuple[str, ...]
) -> None:
    models = Timed(written(shop(), tmp_path))
    kept = asyncio.run(models.keep(shop(), title="Kept", author="ana"))
    tab = browser.tab()
    with served(application(models, clock=ManualClock(TODAY))) as place:
        for path in (*paths, f"compare?a=current&b={kept.name}", "nothing"):
            shown(tab, place + path)
            for dark in (False, True):
                tab.prefer(dark=dark)
                assert weak(tab) == [], (path, dark)
            assert tab.js("document.body.innerText.length") > 200
    assert [one for one in tab.complaints if "nothing" not in one] == []


def written(model: Model, folder: Path) -> Path:
    path = folder / "survey.yaml"
    path.write_text(survey_text.dump(model), encoding="utf-8")
    calls = (Observation(caller="orders", callee="mail", calls=900, errors=3),)
    seen = Evidence((Batch(source="otlp-traces", digest="d" * 64, observations=calls),))
    path.with_name("survey.evidence.jsonl").write_text(evidence.dump(seen), encoding="utf-8")
    return path


def shown(tab: Tab, address: str) -> None:
    """Open a page, and wait until what it computes is there."""
    tab.open(address)
    tab.until("!document.getElementById('progress')")


def test_a_text_that_does_not_stand_out_is_found(browser: Browser, place: str) -> None:
    tab = browser.tab()
    tab.open(place)
    tab.js("document.querySelector('h1').style.setProperty('color', '#bbb')")
    assert any("h1" in one.lower() for one in weak(tab))


@pytest.mark.parametrize(
    "paths",
    [
        ("layers", "dependencies", FURTHER[1], TRIED[1]),
        pytest.param((*PAGES, FURTHER[0], TRIED[0]), marks=pytest.mark.slow),
    ],
    ids=["some", "all"],
)
def test_nothing_is_wider_than_a_narrow_screen(
    browser: Browser, place: str, paths: tuple[str, ...]
) -> None:
    tab = browser.tab(width=390, height=844)
    for path in paths:
        shown(tab, place + path)
        assert tab.js("document.documentElement.scrollWidth") <= 390, path


def test_by_keys_alone_one_gets_everywhere(browser: Browser, place: str) -> None:
    tab = browser.tab()
    tab.open(place)
    tab.press("Tab")
    assert focused(tab) == "Skip to the content"
    assert tab.js("document.activeElement.getBoundingClientRect().left") >= 0
    tab.press("Enter")
    tab.until("document.activeElement.id === 'main'")
    tab.press("/")
    tab.until("document.activeElement.id === 'search'")
    tab.write("order")
    with tab.leads_on():
        tab.press("Enter")
    assert tab.js("new URL(location).searchParams.get('q')") == "order"
    for _ in range(60):
        tab.press("Tab")
        if focused(tab) == "orders":
            break
    assert tab.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with tab.leads_on():
        tab.press("Enter")
    assert tab.js("document.querySelector('h1').textContent") == "orders"
    assert tab.js("location.pathname").startswith("/dependencies/")


def test_the_matrix_is_used_by_keys_and_its_address_says_what_is_seen(browser: Browser) -> None:
    with served(
        view_of(grown(size=150, edges=700, layers=12, circles=5)), below="/dependencies"
    ) as place:
        tab = browser.tab()
        tab.open(place + "matrix")
        tab.until("document.getElementById('matrix').dataset.ready")
        said = "document.getElementById('matrix-said').textContent"
        assert "5 hard and not leading down" in tab.js(said)
        tab.js("document.getElementById('matrix').focus()")
        seen = set()
        for _ in range(5):
            tab.press("n")
            seen.add(tab.js(said))
        assert len(seen) == 5
        assert all("not leading down" in one for one in seen)
        tab.until("location.search.includes('cell=') && location.search.includes('look=')")
        last, address = tab.js(said), tab.js("location.href")
        other = browser.tab()
        other.open(address)
        other.until("document.getElementById('matrix').dataset.ready")
        assert other.js(said) == last
        other.js("document.getElementById('matrix').focus()")
        other.press("ArrowDown")
        assert other.js(said) != last
        with tab.leads_on():
            tab.press("Enter")
        assert tab.js("document.querySelectorAll('tbody tr').length") == 1
        assert "not down" in tab.js("document.querySelector('tbody').textContent")
        assert tab.complaints == []
        assert other.complaints == []


def test_the_matrix_follows_the_mouse(browser: Browser, place: str) -> None:
    tab = browser.tab()
    tab.open(place + "matrix")
    tab.until("document.getElementById('matrix').dataset.ready")
    box = tab.js(
        "(({x, y, width, height}) => [x, y, width, height])(document.getElementById('matrix').getBoundingClientRect())"
    )
    tab.mouse("mouseWheel", box[0] + 300, box[1] + 200, deltaX=0, deltaY=-400)
    tab.until("location.search.includes('look=')")
    # The row of who needs most is full of dots: somewhere on it there is one.
    found = None
    for x in range(140, int(box[2]) - 10, 6):
        tab.mouse("mouseMoved", box[0] + x, box[1] + 150)
        text = tab.js("document.getElementById('matrix-said').textContent")
        if "hard" in text or "soft" in text:
            found = (box[0] + x, box[1] + 150, text)
            break
    assert found is not None
    with tab.leads_on():
        tab.click(found[0], found[1])
    assert "dependencies?" in tab.js("location.href")


def test_without_scripts_everything_can_be_read(browser: Browser, place: str) -> None:
    tab = browser.tab(scripts=False)
    tab.open(place + "matrix")
    assert tab.js("getComputedStyle(document.querySelector('.dsm')).display") == "none"
    assert tab.js("document.querySelector('noscript').textContent.includes('tables')")
    assert tab.js("document.querySelectorAll('#part td a').length") == len(shop().dependencies)
    for path in ("", "layers", "tangle?of=deployer"):
        tab.open(place + path)
        assert tab.js("document.querySelectorAll('main h1').length") == 1
    tab.open(place + "findings")
    tab.js("document.querySelector('#f-severity').value = 'error'")
    tab.js("document.querySelector('.filters button').focus()")
    with tab.leads_on():
        tab.press("Enter")
    assert tab.js("document.querySelectorAll('.finding').length") > 0
    assert tab.js("document.querySelectorAll('.finding .mark:not(.error)').length") == 0


def test_hostile_names_run_nothing(browser: Browser) -> None:
    with served(view_of(hostile())) as place:
        tab = browser.tab()
        for path in ("", "layers", "matrix", "services"):
            tab.open(place + path)
            assert tab.complaints == [], path
            assert tab.js("document.querySelectorAll('main script, main img').length") == 0


@pytest.mark.slow
def test_a_long_search_shows_how_far_it_is_and_ends_when_told(browser: Browser) -> None:
    with served(view_of(knotted(400, 1600))) as place:
        tab = browser.tab()
        tab.open(place + "tangles")
        with tab.leads_on():
            tab.js("document.querySelector('main tbody a').click()")
        tab.open(tab.js("location.href") + "&limit=120")
        tab.until("document.querySelector('.searching p')?.textContent.includes('none less than')")
        with tab.leads_on():
            tab.js("document.querySelector('.searching button').click()")
        assert "was ended" in tab.js("document.querySelector('#search-said').textContent")
        assert tab.complaints == []


def knotted(size: int, edges: int) -> Model:
    """Return a model without any order, which nobody untangles for certain within minutes."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    pairs = {tuple(chance.sample(range(size), 2)) for _ in range(edges)}
    needs = [
        Dependency(source=f"c{one}", target=f"c{other}", strength=Strength.HARD)
        for one, other in sorted(pairs)
    ]
    return checked([Component(name=f"c{at}") for at in range(size)], needs)


def test_a_search_comes_to_its_answer(browser: Browser) -> None:
    with served(view_of(historical("train-ticket"))) as place:
        tab = browser.tab()
        tab.open(place + "tangles")
        with tab.leads_on():
            tab.js("document.querySelector('main tbody a').click()")
        assert "proven" in tab.until("document.querySelector('.verdict')?.textContent")
