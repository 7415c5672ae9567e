"""Where models come from, and where versions are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.errors import Conflict
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.evidence import Batch, Evidence, Observation
from drystone.l05_graph.forms import evidence, survey_text
from drystone.l05_graph.model import Component, checked
from drystone.l80_governance.dependencies.app import application
from drystone.l80_governance.dependencies.errors import VersionNotFound
from drystone.l80_governance.dependencies.kept import MOST_VERSIONS
from drystone.l80_governance.dependencies.models import FileModels, Took
from drystone.testing.asgi import ask
from l80_governance.dependencies.reading import Reader, stumbles
from l80_governance.dependencies.stand import TODAY, Timed, shop


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "survey.yaml"
    path.write_text(survey_text.dump(shop()), encoding="utf-8")
    return path


async def test_a_survey_is_read_again_when_it_changes(file: Path) -> None:
    models = FileModels(file)
    assert await models.current() == shop()
    assert await models.current() is await models.current()
    file.write_text("components:\n  alone:\n", encoding="utf-8")
    assert [one.name for one in (await models.current()).components] == ["alone"]


async def test_mistakes_are_shown_with_their_place_until_they_are_mended(file: Path) -> None:
    app = application(FileModels(file))
    good = file.read_text(encoding="utf-8")
    file.write_text("components:\n  a:\n    needs: {b: hard}\n    teir: 1\n", encoding="utf-8")
    page = await ask(app, "")
    assert page.status == 422
    assert "survey.yaml:4" in page.text
    with pytest.raises(ModelInvalid):
        await FileModels(file).current()
    file.write_text(good, encoding="utf-8")
    assert (await ask(app, "")).status == 200


async def test_a_version_stays_as_it_was_kept(file: Path) -> None:
    models = FileModels(file, ManualClock(TODAY))
    kept = await models.keep(await models.current(), title="Before", author="ana")
    assert kept.created == TODAY
    file.write_text("components:\n  alone:\n", encoding="utf-8")
    again = FileModels(file)
    assert await again.versions() == [kept]
    assert (await again.version(kept.name)).digest == kept.digest == shop().digest
    page = await ask(application(again), f"services?version={kept.name}")
    assert "storefront" in page.text
    assert f"version={kept.name}" in page.text
    assert await again.keep(shop(), title="Another title", author="bo") == kept


async def test_versions_are_listed_the_newest_first(file: Path) -> None:
    clock = ManualClock(TODAY)
    models = FileModels(file, clock)
    for name in ("one", "two", "three"):
        await models.keep(checked([Component(name=name)], []), title=name, author="")
        await clock.advance(TODAY - TODAY.replace(hour=11))
    assert [one.title for one in await models.versions()] == ["three", "two", "one"]


@pytest.mark.parametrize("name", ["", "nothing", "../survey", "a/b", "x" * 300])
async def test_what_was_not_kept_is_not_found(file: Path, name: str) -> None:
    with pytest.raises(VersionNotFound):
        await FileModels(file).version(name)


async def test_what_a_killed_view_left_is_no_version_and_goes_with_the_next(file: Path) -> None:
    models = FileModels(file)
    kept = await models.keep(shop(), title="Before", author="")
    left = file.with_name("survey.versions") / ".partial-999999999-half"
    left.write_text('{"version": {"na', encoding="utf-8")
    assert await models.versions() == [kept]
    await models.keep(checked([Component(name="a")], []), title="After", author="")
    assert not left.exists()


async def test_a_damaged_version_says_so_and_hides_no_other(file: Path) -> None:
    models = FileModels(file)
    kept = await models.keep(shop(), title="Whole", author="")
    bad = file.with_name("survey.versions") / "0123456789abcdef.json"
    bad.write_text("{half", encoding="utf-8")
    whole, damaged = await models.versions()
    assert whole == kept
    assert damaged.title.startswith("damaged: ")
    app = application(models)
    listed = await ask(app, "versions")
    assert (listed.status, stumbles(listed.text)) == (200, [])
    opened = await ask(app, "services?version=0123456789abcdef")
    assert (opened.status, "is not a version" in opened.text) == (422, True)


@pytest.mark.slow
async def test_a_thousand_versions_are_listed_in_parts_and_no_more_are_kept(file: Path) -> None:
    models = FileModels(file, ManualClock(TODAY))
    kept = await models.keep(shop(), title="Whole", author="")
    folder = file.with_name("survey.versions")
    text = (folder / f"{kept.name}.json").read_text(encoding="utf-8")
    for number in range(MOST_VERSIONS - 1):
        name = f"{number:016x}"
        (folder / f"{name}.json").write_text(text.replace(kept.name, name), encoding="utf-8")
    page = await ask(application(models), "versions?page=3")
    assert len(page.body) < 100_000
    assert "201 to 300 of 1,000" in page.text
    with pytest.raises(Conflict, match="move some of these files away"):
        await models.keep(checked([Component(name="a")], []), title="One more", author="")


async def test_a_survey_that_went_away_is_told_and_comes_back(file: Path) -> None:
    app = application(FileModels(file))
    assert (await ask(app, "")).status == 200
    aside = file.rename(file.with_suffix(".aside"))
    gone = await ask(app, "")
    assert (gone.status, "put it back" in gone.text) == (503, True)
    aside.rename(file)
    assert (await ask(app, "")).status == 200


async def test_what_traffic_showed_stands_beside_what_the_survey_says(file: Path) -> None:
    calls = (
        Observation(caller="orders", callee="database", calls=900, errors=3),
        Observation(caller="orders", callee="mail", calls=40, errors=0),
    )
    seen = Evidence((Batch(source="envoy-access-log", digest="d" * 64, observations=calls),))
    app = application(FileModels(file))
    before = await ask(app, "findings?rule=undeclared")
    assert "No finding is like that" in before.text
    file.with_name("survey.evidence.jsonl").write_text(evidence.dump(seen), encoding="utf-8")
    after = await ask(app, "findings?rule=undeclared")
    assert "orders" in after.text
    assert "mail" in after.text
    page = await ask(app, "service?name=orders")
    assert "What traffic showed" in page.text
    assert stumbles(page.text) == []
    rows = [
        row.text for row in Reader(page.text).root.every("tr") if "envoy-access-log" in row.text
    ]
    assert [("no" in row.split(), "900" in row) for row in rows] == [(False, True), (True, False)]


async def test_how_long_calls_took_stands_beside_how_many_there_were(file: Path) -> None:
    calls = (Observation(caller="orders", callee="database", calls=40, errors=0),)
    seen = Evidence((Batch(source="envoy-access-log", digest="d" * 64, observations=calls),))
    file.with_name("survey.evidence.jsonl").write_text(evidence.dump(seen), encoding="utf-8")
    models = Timed(file)
    app = application(models)
    for path in ("service?name=orders", "dependencies?source=orders"):
        page = await ask(app, path)
        assert "4.2 ms · 250 ms · ?" in page.text
        assert "95 of 100: at most 250 ms" in page.text
        assert stumbles(page.text) == []
    models.took = Took(0.0042, 1.5, 60)
    assert "4.2 ms · 1.5 s · 60 s" in (await ask(app, "service?name=orders")).text
