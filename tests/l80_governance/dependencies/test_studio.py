"""Scenarios, versions and the tabletop, as a browser without scripts meets them."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest
from starlette.applications import Starlette

from drystone.l05_graph.forms import scenario as scenario_form
from drystone.l05_graph.forms import survey, survey_text
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.app import application
from drystone.l80_governance.dependencies.models import FileModels
from drystone.testing import asgi
from l80_governance.dependencies.knot import HOSTILE, knot
from l80_governance.dependencies.stand import settled

SOFT = "alter: {source: registry, target: orchestrator, strength: soft}"


async def ask(
    app: Starlette, path: str, query: object = (), *, form: object = None, origin: str | None = None
) -> asgi.Answer:
    """Ask with fields of an address, or send those of a form."""
    return await asgi.ask(
        app,
        f"{path}?{urlencode(query, doseq=True)}",  # type: ignore[arg-type]
        method="GET" if form is None else "POST",
        headers={"origin": origin} if origin else {},
        body=b"" if form is None else urlencode(form, doseq=True).encode(),  # type: ignore[arg-type]
    )


def words(answer: asgi.Answer) -> str:
    """Return what a reader sees."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def waited(app: Starlette, path: str, query: object) -> asgi.Answer:
    """Ask until the answer is there."""
    return await settled(app, f"{path}?{urlencode(query, doseq=True)}")  # type: ignore[arg-type]


def serving(folder: Path, model: Model) -> Starlette:
    path = folder / "survey.yaml"
    path.write_text(survey_text.dump(model))
    return application(FileModels(path))


def led_to(answer: asgi.Answer) -> tuple[str, list[tuple[str, str]]]:
    assert answer.status == 303, words(answer)
    path, _, query = answer.headers["location"].partition("?")
    return path, parse_qsl(query)


async def test_a_scenario_is_made_looked_at_kept_and_compared(tmp_path: Path) -> None:
    app = serving(tmp_path, knot())
    fields = {"do": "dependency", "source": "registry", "target": "orchestrator", "verb": "soften"}

    path, draft = led_to(await ask(app, "scenario-add", fields))
    assert (path, draft) == ("scenario", [("change", SOFT)])
    page = await waited(app, path, draft)
    assert "Components in tangles: deadlock 2 0 ▲ better" in words(page)
    assert "Components that never come back 3 0 ▲ better" in words(page)
    assert "Findings that go (1)" in words(page)
    path, draft = led_to(await ask(app, "scenario-add", [*draft, *fields.items()]))
    assert len(draft) == 2  # every change is added to those before

    _, fewer = led_to(await ask(app, "scenario-add", [*draft, ("back", "1")]))
    assert fewer == draft[:1]
    beyond = await ask(app, "scenario-add", [*draft, ("back", "7")])
    assert beyond.status == 422

    form = [("change", SOFT), ("title", "Soft registry"), ("author", "me")]
    path, names = led_to(await ask(app, "scenario-keep", form=form))
    assert path == "compare"
    page = await waited(app, path, names)
    assert "Changes (1) registry → orchestrator" in words(page)
    version = dict(names)["b"]
    assert "Soft registry me" in words(await ask(app, "versions"))
    again = await ask(app, "scenario", {"version": version})
    assert f'name="version" value="{version}"' in again.text


async def test_what_is_exported_is_read_again(tmp_path: Path) -> None:
    model = knot()
    app = serving(tmp_path, model)

    written = await ask(app, "scenario.yaml", {"change": SOFT})
    whole = await ask(app, "survey.yaml", {"change": SOFT})

    scenario = scenario_form.read(written.text)
    assert (scenario.parent, len(scenario.changes)) == (model.digest, 1)
    (one,) = (d for d in survey.read(whole.text).needs["registry"] if d.target == "orchestrator")
    assert one.strength == "soft"
    assert written.headers["content-disposition"].startswith("attachment")


async def test_versions_kept_at_once_are_all_there(tmp_path: Path) -> None:
    app = serving(tmp_path, knot())

    async def keep(number: int) -> asgi.Answer:
        change = f"alter: {{component: shop, layer: {number}}}"
        return await ask(app, "scenario-keep", form={"change": change, "title": f"No {number}"})

    answers = await asyncio.gather(*(keep(number) for number in range(12)))

    assert {one.status for one in answers} == {303}
    page = await ask(app, "versions")
    assert all(f"No {number} " in words(page) for number in range(12))


async def test_the_same_model_keeps_its_first_title(tmp_path: Path) -> None:
    app = serving(tmp_path, knot())
    for title in ("First", "Second"):
        await ask(app, "scenario-keep", form={"change": SOFT, "title": title})

    page = await ask(app, "versions")

    assert "First" in words(page)
    assert "Second" not in words(page)


@pytest.mark.parametrize(
    ("path", "query", "status", "said"),
    [
        ("scenario", {"change": "alter: {component: nobody, layer: 1}"}, 422, "no component"),
        ("scenario", {"change": "}{"}, 422, "change cannot be read"),
        ("scenario-add", {"do": "layer", "component": "shp"}, 404, "did you mean 'shop'"),
        ("compare", {"a": "current", "b": "0123456789abcdef"}, 404, "No version"),
        ("compare", {"a": "../../etc/passwd"}, 404, "No version"),
        ("tabletop", {"components": "nobody"}, 422, "no component 'nobody'"),
        ("tabletop.svg", {}, 422, "what is lost"),
        ("tabletop.exe", {"everything": "on"}, 404, "no page"),
    ],
)
async def test_what_cannot_be_shown_is_said(
    tmp_path: Path, path: str, query: dict[str, str], status: int, said: str
) -> None:
    answer = await waited(serving(tmp_path, knot()), path, query)

    assert answer.status == status
    assert said in words(answer)


async def test_another_sites_form_keeps_nothing(tmp_path: Path) -> None:
    app = serving(tmp_path, knot())

    answer = await ask(
        app, "scenario-keep", form={"change": SOFT, "title": "x"}, origin="http://evil.example"
    )

    assert answer.status == 403
    assert not (tmp_path / "survey.versions").exists()


async def test_a_tabletop_tells_who_does_what_and_what_stays_down(tmp_path: Path) -> None:
    app = serving(tmp_path, knot())

    page = await waited(app, "tabletop", {"everything": "on", "runs": "20"})

    assert "What never comes back (3)" in words(page)
    assert page.text.count('class="piece') == 2
    assert "Each waits for something that waits as well" in words(page)


async def test_what_happens_meanwhile_is_added_seen_and_taken_back(tmp_path: Path) -> None:
    app = serving(tmp_path, knot(glass=True))
    state = [
        ("everything", "on"),
        ("runs", "3"),
        ("people", "2"),
        ("event", '{at: "1m", fails: shop}'),
    ]
    form = [("do", "fails"), ("after", "10m"), ("component", "network")]

    path, query = led_to(await ask(app, "tabletop-add", [*state, *form]))

    assert (path, query[:4]) == ("tabletop", state[:4])
    assert query[4:] == [("event", '{at: "10m", fails: network}')]
    page = await waited(app, path, query)
    assert "After 10 min, network fails again" in words(page)
    assert page.text.count('class="event"') == 2
    assert page.text.count(" stopped") > 0
    assert page.text.count(">take back<") == 2
    addresses = re.findall(r'href="(tabletop[^"]*[?][^"]*)"', page.text)
    assert {one.count("fails%3A") for one in addresses} == {2}
    fewer = await ask(app, "tabletop-add", [*query, ("back", "0")])
    assert led_to(fewer)[1] == query[:3] + query[4:]
    refused = await ask(app, "tabletop-add", [*state, *form[:2], ("component", "netwrk")])
    assert (refused.status, "did you mean" in refused.text) == (404, True)


@pytest.mark.parametrize("path", ["tabletop", "scenario", "compare"])
async def test_work_is_ended_by_a_button_and_begins_again_when_asked(
    tmp_path: Path, path: str
) -> None:
    app = serving(tmp_path, knot())
    query = [("everything", "on"), ("runs", "2000"), ("change", SOFT), ("ended", "off")]
    state = urlencode(query)
    form = {"page": path, "job": "nobody's", "state": state}

    there, asked = led_to(await ask(app, "end-work", form=form))

    if path != "compare":
        assert (there, dict(asked)["ended"], dict(asked)["change"]) == (path, "on", SOFT)
        page = await ask(app, there, asked)
        assert page.status == 200
        assert "ended" in words(page) or "to the end" in words(page)
    foreign = await ask(app, "end-work", form=form, origin="http://evil.example")
    assert foreign.status == 403
    outside = await ask(app, "end-work", form={**form, "page": "//evil.example/"})
    assert outside.status == 422


async def test_break_glass_steps_are_told_with_owner_and_runbook(tmp_path: Path) -> None:
    app = serving(tmp_path, knot(glass=True))
    query = {"everything": "on", "runs": "20", "crews": "platform: 2 08:00-16:00"}

    page = await waited(app, "tabletop", query)

    assert "registry delivery 1 h 4 runbooks/registry.md" in words(page)
    assert "Everything comes back." in words(page)
    assert "Shop" in words(page)
    assert "Of 20 rehearsals" in words(page)
    start = await waited(app, "tabletop", {**query, "day": "0"})
    assert start.text.count('class="down"') == 5
    assert page.text.count('class="up"') == 5


async def test_every_report_says_the_same_in_its_form(tmp_path: Path) -> None:
    app = serving(tmp_path, knot(glass=True))
    query = {"everything": "on", "runs": "5"}
    forms = ("html", "md", "json", "svg", "png")
    html, markdown, whole, svg, png = [
        await waited(app, f"tabletop.{form}", query) for form in forms
    ]

    assert "<script" not in html.text
    assert not re.search(r'(src|href)="(?!#)', html.text)
    assert "\\<script\\>" in markdown.text
    assert not re.search(r"(?<!\\)<", markdown.text)
    assert "\u202e" not in markdown.text
    assert len(json.loads(whole.text)["outcome"]["bars"]) == 5
    assert svg.text.startswith('<svg xmlns="http://www.w3.org/2000/svg" width="')
    assert svg.text.count("<rect ") == 5
    assert "<script" not in svg.text
    assert png.body.startswith(b"\x89PNG")
    assert html.headers["content-disposition"] == 'attachment; filename="tabletop.html"'


async def test_hostile_names_stay_text_on_every_page(tmp_path: Path) -> None:
    app = serving(tmp_path, knot())
    change = [("change", f"alter: {{component: {json.dumps(HOSTILE)}, layer: 3}}")]
    pages = [
        await waited(app, "scenario", change),
        await waited(app, "tabletop", {"everything": "on", "runs": "3"}),
    ]

    for page in pages:
        assert page.status == 200, words(page)
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text
