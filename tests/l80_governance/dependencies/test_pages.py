"""Every page of every sort of model: it is there, it is whole, nothing in it attacks, and all its links lead somewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from drystone.l05_graph.model import Model
from drystone.testing.asgi import ask
from l80_governance.dependencies.reading import Reader, inside, stumbles
from l80_governance.dependencies.stand import (
    HOSTILE_NAMES,
    grown,
    historical,
    hostile,
    settled,
    shop,
    view_of,
)

PAGES = ("", "layers", "matrix", "heat", "tangles", "findings", "services", "dependencies")
MODELS: dict[str, Callable[[], Model]] = {
    "empty": Model,
    "shop": shop,
    "claims": lambda: historical("claims"),
    "flags": lambda: historical("flags"),
    "registry": lambda: historical("registry"),
    "source": lambda: historical("source"),
    "train-ticket": lambda: historical("train-ticket"),
    "hostile": hostile,
    "grown": lambda: grown(size=300, edges=2000, layers=60, circles=8),
}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(one, marks=pytest.mark.slow if one in {"claims", "flags", "source"} else ())
        for one in MODELS
    ],
)
async def test_every_page_can_be_used_without_seeing_it(model: str) -> None:
    app = view_of(MODELS[model]())
    for path in PAGES:
        page = await ask(app, path)
        assert page.status == 200, (path, page.text[-500:])
        assert stumbles(page.text) == [], path


async def test_links_lead_to_pages_that_can_be_used() -> None:
    assert await walked(hostile(), 35) > 30


@pytest.mark.slow
@pytest.mark.parametrize("model", ["shop", "hostile", "train-ticket"])
async def test_every_link_leads_to_a_page_that_can_be_used(model: str) -> None:
    assert await walked(MODELS[model](), 500) > 60


async def walked(model: Model, most: int) -> int:
    """Follow links, of every sort of page some; return to how many pages."""
    app = view_of(model)
    known, waiting, seen = set(PAGES), list(PAGES), Counter[str]()
    count = 0
    while waiting and count < most:
        path = min(waiting, key=lambda one: (seen[sort_of(one)], one))
        waiting.remove(path)
        seen[sort_of(path)] += 1
        count += 1
        page = await settled(app, path)
        assert page.status == 200, (path, page.text[-300:])
        if page.headers["content-type"].startswith("text/html"):
            assert stumbles(page.text) == [], path
            following = inside(page.text, path) - known
            known.update(following)
            waiting += following
    return count


def sort_of(path: str) -> str:
    return re.sub("=[^&]*", "", path)


async def test_what_people_wrote_stays_text() -> None:
    app = view_of(hostile())
    for path in [*PAGES, "service?name=javascript:alert(1)", "tangle?of=a%26b;%26lt;c"]:
        page = await ask(app, path)
        root = Reader(page.text).root
        assert [
            one.said("src") for one in root.every("script") if "static/" not in one.said("src")
        ] == []
        assert root.every("img", "b", "i", "u")[:1] == [] or all(
            one.name == "b" and one.text in {"To do:", "co-start", "without", "layer"}
            for one in root.every("img", "b", "i", "u")
        )
        assert "\u202e" not in page.text
        assert "\x07" not in page.text
        assert not any(
            one.said(key).startswith(("javascript", "data:"))
            for one in root.every()
            for key in ("href", "src", "action")
        )


async def test_a_component_is_found_whatever_it_is_called() -> None:
    app = view_of(hostile())
    page = await ask(app, "services")
    links = sorted(path for path in inside(page.text, "services") if path.startswith("service?"))
    assert len(links) == len(HOSTILE_NAMES)
    titles = set()
    for path in links:
        assert len(path) < 1000
        found = await ask(app, path)
        assert found.status == 200, path
        titles.add(Reader(found.text).root.every("h1")[0].text)
    assert len(titles) == len(HOSTILE_NAMES)
    assert "<script>alert(1)</script>" in titles


async def test_the_overview_says_whether_it_can_be_rebuilt() -> None:
    assert "cannot be rebuilt" in (await ask(view_of(historical("registry")), "")).text
    assert "can be rebuilt from the ground" in (await ask(view_of(historical("claims")), "")).text
    assert "with care" in (await ask(view_of(historical("train-ticket")), "")).text


async def test_lists_show_a_part_at_a_time_and_every_dependency_once() -> None:
    model = grown(size=120, edges=450, layers=10, circles=3)
    app = view_of(model)
    rows: list[tuple[str, ...]] = []
    for number in range(1, 20):
        page = await ask(app, f"dependencies?sort=-cost&page={number}")
        body = Reader(page.text).root.every("tbody")
        shown = [row for one in body for row in one.every("tr")]
        assert len(shown) <= 100
        rows += [tuple(cell.text for cell in row.below) for row in shown]
        if 'rel="next"' not in page.text:
            break
    costs = [float(row[7]) for row in rows]
    assert costs == sorted(costs, reverse=True)
    ends = sorted((one.source, one.target, ", ".join(one.at)) for one in model.dependencies)
    assert sorted((row[0], row[1], row[3]) for row in rows) == ends


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("strength=soft", lambda one: one.strength == "soft"),
        ("at=deploy", lambda one: "deploy" in one.at),
        ("risk=auth", lambda one: one.risk == "auth"),
        ("source=s11", lambda one: one.source == "s11"),
    ],
)
async def test_filters_keep_what_fits(query: str, fits: Callable[[object], bool]) -> None:
    model = grown(size=120, edges=450, layers=10, circles=3)
    wanted = sum(map(fits, model.dependencies))
    page = await ask(view_of(model), f"dependencies?{query}")
    caption = Reader(page.text).root.every("caption")[0].text
    assert caption.split()[0] == str(wanted)
    assert 0 < wanted < len(model.dependencies)


async def test_the_tangle_page_shows_the_cheapest_moves_and_their_proof() -> None:
    page = await ask(view_of(historical("registry")), "tangles")
    path = next(one for one in inside(page.text, "tangles") if one.startswith("tangle?"))
    found = await ask(view_of(historical("registry")), path)
    assert "proven, nothing cheaper does it" in found.text
    assert "Why not less" in found.text


async def test_a_search_that_was_ended_says_so_and_begins_anew_when_asked() -> None:
    app = view_of(historical("registry"))
    page = await ask(app, "tangles")
    path = next(one for one in inside(page.text, "tangles") if one.startswith("tangle?"))
    body = path.partition("?")[2].encode()
    kind = {"content-type": "application/x-www-form-urlencoded"}
    ended = await ask(app, "end-search", method="POST", headers=kind, body=body)
    assert ended.status == 303
    assert "was ended" in (await ask(app, ended.headers["location"])).text
    assert "proven" in (await ask(app, path)).text
