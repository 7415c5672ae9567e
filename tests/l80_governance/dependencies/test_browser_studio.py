"""Scenarios and the tabletop in a real browser: by keys alone, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l05_graph.forms import survey_text
from drystone.l80_governance.dependencies.app import application
from drystone.l80_governance.dependencies.models import FileModels
from drystone.testing.asgi import served
from drystone.testing.browser import Browser, Tab
from l80_governance.dependencies.stand import grown, shop, view_of

MOST_STEPS = 150
# The tabletop gains most from scripts, and a scenario nothing but that it does not load again while it waits.
WITH, WITHOUT = pytest.param(True, id="scripts"), pytest.param(False, id="plain")
SLOWLY_WITH = pytest.param(True, id="scripts", marks=pytest.mark.slow)
SLOWLY_WITHOUT = pytest.param(False, id="plain", marks=pytest.mark.slow)
HEADING = "document.querySelector('h1').textContent"
BODY = "document.querySelector('main').innerText"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "survey.yaml"
    path.write_text(survey_text.dump(shop()), encoding="utf-8")
    with served(application(FileModels(path)), below="/dependencies") as address:
        yield address


def go_to(tab: Tab, identity: str) -> None:
    """Press Tab until something has the focus."""
    for _ in range(MOST_STEPS):
        if tab.js("document.activeElement.id") == identity:
            return
        tab.press("Tab")
    raise AssertionError(f"no key leads to {identity}")


def fill(tab: Tab, **fields: str) -> None:
    """Write into fields, one after the other, and send the form of the last."""
    for identity, text in fields.items():
        go_to(tab, identity.replace("_", "-"))
        tab.js("document.activeElement.select()")
        tab.write(text)
    with tab.leads_on():
        tab.press("Enter")
    arrive(tab)


def arrive(tab: Tab) -> None:
    """Wait for a page that has to be computed; without scripts it is asked for again, as people do."""
    while tab.js("document.getElementById('progress') !== null"):
        tab.open(tab.js("location.href"))


@pytest.mark.parametrize("scripts", [SLOWLY_WITH, WITHOUT])
def test_a_scenario_is_tried_kept_and_compared_by_keys(
    browser: Browser, place: str, scripts: bool
) -> None:
    tab = browser.tab(scripts=scripts)
    tab.open(place + "scenario")

    fill(tab, d_source="deployer", d_target="flags")
    assert tab.js("document.querySelectorAll('.changes li').length") == 1
    assert "Before and after the changes" in tab.js(BODY)
    assert tab.js("new URL(location).searchParams.getAll('change').length") == 1
    fill(tab, g_component="deployer", g_group="either", g_targets="artefacts, flags")
    assert tab.js("document.querySelectorAll('.changes li').length") == 4
    fill(tab, k_title="Softer", k_author="ana")

    assert tab.js(HEADING) == "Two models compared"
    assert "Changes (3)" in tab.js(BODY)  # what was softened is an alternative as well
    tab.open(place + "versions")
    assert "Softer" in tab.js(BODY)
    assert tab.complaints == []


@pytest.mark.parametrize("scripts", [WITH, SLOWLY_WITHOUT])
def test_a_tabletop_is_asked_for_played_and_disturbed_by_keys(
    browser: Browser, place: str, scripts: bool
) -> None:
    tab = browser.tab(scripts=scripts)
    tab.open(place + "tabletop")

    fill(tab, t_people="2", t_runs="5")
    before = tab.js("document.querySelector('.card strong').textContent")
    assert "Of 5 rehearsals" in tab.js(BODY)
    if scripts:
        play(tab)
    fill(tab, e_takes_after="0", e_takes_component="database", e_takes_factor="50")

    assert "database takes 50 times as long" in tab.js(BODY)
    assert tab.js("document.querySelector('.card strong').textContent") != before
    assert tab.js("document.querySelectorAll('.gantt .event').length") == 1
    with tab.leads_on():
        tab.js("document.querySelector('.days a').focus()")
        tab.press("Enter")
    arrive(tab)
    assert tab.js("document.querySelectorAll('.picture .up').length") == 2  # what others run
    assert "event=" in tab.js("location.search")
    assert tab.complaints == []


def play(tab: Tab) -> None:
    """Play the recovery step by step, since whoever looks prefers no motion; and go to its begin."""
    said = "document.getElementById('moment').textContent"
    go_to(tab, "start")
    tab.press("Enter")
    tab.until(f"{said}.startsWith('0 s')")
    tab.press("Enter")
    tab.until(f"!{said}.startsWith('0 s')")
    go_to(tab, "when")
    tab.press("Home")
    tab.until(f"{said}.startsWith('0 s')")


@pytest.mark.slow
def test_a_long_rehearsal_shows_how_far_it_is_and_ends_when_told(browser: Browser) -> None:
    with served(view_of(grown(size=1500, edges=9000, layers=40, circles=8))) as place:
        tab = browser.tab()
        tab.open(place + "tabletop?everything=on&runs=2000")
        tab.until("document.getElementById('doing')?.textContent.includes('rehearsal ')")
        with tab.leads_on():
            tab.js("document.querySelector('.waiting button').click()")
        assert "was ended" in tab.js(BODY)
        assert "runs=2000" in tab.js("location.search")
        assert tab.complaints == []
