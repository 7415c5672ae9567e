"""``drystone deps ingest``: drafts of surveys, and evidence beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drystone.l05_graph.forms import survey
from drystone.l05_graph.ingest.sources import SOURCES
from l85_surfaces.cli.conftest import DESCRIPTOR, Drystone

COMPOSE = "services: {web: {image: w, depends_on: [db]}, db: {image: d}}\n"
LINKS = '[{"parent": "shop", "child": "users", "callCount": 9, "errorCount": 1}]'


@pytest.fixture(autouse=True)
def files(tmp_path: Path, shop: Path) -> None:
    assert shop.exists()
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "links.json").write_text(LINKS)


@pytest.mark.parametrize("words", [[], ["--list"]])
def test_every_source_is_listed(drystone: Drystone, words: list[str]) -> None:
    said = drystone("deps", "ingest", *words)

    assert said.code == 0
    assert all(f"\n  {name} " in said.out for name in (*SOURCES, "descriptors"))


def test_declarations_become_a_draft(drystone: Drystone) -> None:
    said = drystone("deps", "ingest", "compose", "compose.yaml")

    model = survey.read(said.out)
    assert [(one.source, one.target) for one in model.dependencies] == [("web", "db")]
    assert said.err.startswith("compose: 2 components, 1 dependency\n")


def test_a_draft_goes_to_a_new_file_alone(drystone: Drystone, tmp_path: Path) -> None:
    first = drystone("deps", "ingest", "compose", "compose.yaml", "-o", "draft.yaml")
    second = drystone("deps", "ingest", "compose", "compose.yaml", "-o", "draft.yaml")

    assert (first.code, second.code) == (0, 1)
    assert first.out.startswith("compose: 2 components, 1 dependency in draft.yaml\n")
    assert "draft.yaml is there already and stays as it is" in second.err
    assert survey.read((tmp_path / "draft.yaml").read_text()).components


def test_the_descriptors_of_a_folder_are_a_source(drystone: Drystone, tmp_path: Path) -> None:
    for name in ("orders", "users"):
        (tmp_path / "services" / name).mkdir(parents=True)
        text = DESCRIPTOR.replace("orders", name)
        (tmp_path / "services" / name / "service.yaml").write_text(text)

    said = drystone("deps", "ingest", "descriptors", "services")

    assert [one.name for one in survey.read(said.out).components] == ["orders", "users"]


def test_observations_become_evidence_and_count_once(drystone: Drystone, tmp_path: Path) -> None:
    words = ("deps", "ingest", "zipkin-links", "links.json", "--evidence", "seen.jsonl")
    first, written = drystone(*words), (tmp_path / "seen.jsonl").read_text()
    second = drystone(*words)

    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith(
        "links.json: 9 calls between 1 pair of components, 1 failed\n"
        "seen.jsonl holds 1 pair of components from 1 import\n"
    )
    assert second.out.startswith("links.json: imported before; left out\n")
    assert (tmp_path / "seen.jsonl").read_text() == written


def test_lint_tells_where_traffic_and_survey_differ(drystone: Drystone, shop: Path) -> None:
    shop.write_text("components: {shop: , users: }")
    drystone("deps", "ingest", "zipkin-links", "links.json", "--evidence", "seen.jsonl")

    said = drystone("deps", "lint", "shop.yaml", "--evidence", "seen.jsonl")

    assert "undeclared" in said.out
    assert "shop calls users, and the survey does not say so: zipkin-links: 9 calls" in said.out


def test_evidence_goes_to_standard_output_when_no_file_is_named(drystone: Drystone) -> None:
    said = drystone("deps", "ingest", "zipkin-links", "links.json")

    assert [json.loads(line).get("caller") for line in said.out.splitlines()][-1] == "shop"
    assert said.err.startswith("links.json: 9 calls")


def test_a_machine_is_told_what_each_file_gave(drystone: Drystone) -> None:
    told = json.loads(drystone("deps", "ingest", "zipkin-links", "links.json", "--json").out)

    (file,) = told["files"]
    assert (file["calls"], file["errors"], file["imported_before"]) == (9, 1, False)
    assert told["pairs"][0]["callee"] == "users"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["compos", "compose.yaml"], 2, "there is no source 'compos'; did you mean 'compose'?"),
        (["compose"], 2, "name the files: compose.yaml"),
        (["compose", "compose.yaml", "--evidence", "x"], 2, "compose are declarations"),
        (["zipkin-links", "links.json", "-o", "x"], 2, "observations go to --evidence FILE"),
        (["compose", "missing.yaml"], 1, "missing.yaml cannot be read"),
        (["zipkin-links", "missing.json"], 1, "missing.json cannot be read"),
        (["zipkin-links", "compose.yaml"], 1, "compose.yaml"),
        (["zipkin-links", "links.json", "--evidence", "shop.yaml"], 1, "shop.yaml"),
        (["descriptors", "compose.yaml"], 1, "compose.yaml:1:1: "),
        (["descriptors", "."], 1, "the folder . holds no file that descriptors reads"),
    ],
)
def test_what_cannot_be_read_is_refused(
    drystone: Drystone, words: list[str], code: int, says: str, tmp_path: Path
) -> None:
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()}

    said = drystone("deps", "ingest", *words)

    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()} == before
