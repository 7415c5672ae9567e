"""``drystone deps ingest``: drafts of surveys, and evidence beside them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l05_graph.forms import evidence, survey
from drystone.l05_graph.ingest.sources import SOURCES
from drystone.l85_surfaces.cli import entry
from l85_surfaces.cli.conftest import DESCRIPTOR, Drystone
from l85_surfaces.cli.small_platform import SmallPlatform

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


def test_evidence_lies_in_the_home_of_a_platform_when_no_file_is_named(
    drystone: Drystone, folder: Path
) -> None:
    home = Home.create(folder)

    said = drystone("deps", "ingest", "zipkin-links", "links.json")

    assert f"{home.evidence} holds 1 pair of components from 1 import" in said.out
    assert [*evidence.read(home.evidence.read_bytes()).pairs] == [("shop", "users")]


def test_the_log_of_the_platforms_own_edge_counts_once_however_it_grows(
    drystone: Drystone, small: SmallPlatform, folder: Path
) -> None:
    assert small
    home = Home(folder)
    line = '{{"time":"2026-11-22T07:0{}:00.000Z","client":"10.0.0.1","service":"{}","status":{}}}\n'
    written = "".join(line.format(minute, "proxy", 200) for minute in range(3))
    home.access_log.write_text(written)
    drystone("deps", "ingest", "--live")
    home.access_log.rename(home.access_log.with_name("access.log.1"))
    home.access_log.with_name("access.log.1").write_text(written + line.format(4, "proxy", 503))
    home.access_log.write_text(line.format(5, "proxy", 200) + line.format(6, "nobody", 404))

    said = drystone("deps", "ingest", "--live")

    assert "access.log.1: 4 calls between 1 pair of components, 1 failed" in said.out
    pairs = evidence.read(home.evidence.read_bytes()).pairs
    assert (pairs["external:edge", "platform/proxy"].calls, len(pairs)) == (5, 2)
    again = drystone("deps", "ingest", "--live")
    assert "access.log: imported before; left out" in again.out
    assert "next   drystone deps lint\n" in again.out


def test_the_live_platform_is_held_against_the_evidence_of_its_home(
    drystone: Drystone, small: SmallPlatform, tmp_path: Path
) -> None:
    assert small
    call = {"parent": "platform/proxy", "child": "dev/shop", "callCount": 9, "errorCount": 0}
    (tmp_path / "proxy.json").write_text(json.dumps([call]))
    drystone("deps", "ingest", "zipkin-links", "proxy.json")

    said = drystone("deps", "lint")

    assert "warning undeclared" in said.out
    assert "platform/proxy" in said.out
    assert "undeclared" not in drystone("deps", "lint", "--platform").out


def test_less_is_kept_of_what_is_old(drystone: Drystone, tmp_path: Path) -> None:
    log = "".join(
        f'{{"time":"2026-11-22T07:{minute:02}:00Z","caller":"a","service":"b","status":200}}\n'
        for minute in range(60)
    )
    (tmp_path / "log").write_text(log)
    where = ("--evidence", "seen.jsonl")
    drystone("deps", "ingest", "envoy-access-log", "log", *where)
    seen = tmp_path / "seen.jsonl"

    def buckets() -> int:
        (one,) = evidence.read(seen.read_bytes()).batches
        return len(one.observations[0].buckets)

    assert buckets() == 60
    drystone("deps", "ingest", "--keep", "15m", "--older-than", "36500d", *where)
    assert buckets() == 60
    said = drystone("deps", "ingest", "--keep", "15m", *where)
    assert buckets() == 4
    assert "seen.jsonl holds 1 pair" in said.out
    seen.unlink()
    drystone("deps", "ingest", "envoy-access-log", "log", "--keep", "1h", *where)
    assert buckets() == 1


def test_an_import_waits_for_another_and_loses_nothing_of_it(
    drystone: Drystone, tmp_path: Path
) -> None:
    (tmp_path / "others.json").write_text(LINKS.replace("users", "mail"))
    drystone("deps", "ingest", "zipkin-links", "others.json", "--evidence", "others.jsonl")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    ours = threading.Thread(
        target=entry.main,
        args=(["deps", "ingest", "zipkin-links", "links.json", "--evidence", "seen.jsonl"],),
    )
    ours.start()
    until = time.monotonic() + 60
    waiting = re.compile(rf"-> FLOCK .*:{tmp_path.stat().st_ino} ")
    while not waiting.search(Path("/proc/locks").read_text()):
        assert time.monotonic() < until, "the import does not wait"
        time.sleep(0.01)
    (tmp_path / "others.jsonl").rename(tmp_path / "seen.jsonl")
    os.close(folder)
    ours.join()

    seen = evidence.read((tmp_path / "seen.jsonl").read_bytes())
    assert [*seen.pairs] == [("shop", "mail"), ("shop", "users")]
    assert not [one for one in tmp_path.iterdir() if "lock" in one.name or "partial" in one.name]


def test_an_import_that_is_interrupted_leaves_what_was_there(
    drystone: Drystone, tmp_path: Path
) -> None:
    drystone("deps", "ingest", "zipkin-links", "links.json", "--evidence", "seen.jsonl")
    before = (tmp_path / "seen.jsonl").read_bytes()
    # Whoever runs the tests in the background may have them ignore interrupts.
    begin = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from drystone.l85_surfaces.cli import entry; sys.exit(entry.main(sys.argv[1:]))"
    )
    words = [
        "deps",
        "ingest",
        "envoy-access-log",
        "-",
        "--evidence",
        "seen.jsonl",
        "--home",
        "none",
    ]
    with subprocess.Popen(
        [sys.executable, "-P", "-c", begin, *words], stdin=-1, stdout=-1, stderr=-1
    ) as one:
        assert one.stdin is not None
        # The pipe holds 64 KiB: when more than that was written, the log is being read.
        one.stdin.write(b'{"time":"2026-11-22T07:00:00Z","caller":"a","service":"b"}\n' * 20_000)
        one.send_signal(signal.SIGINT)
        out, err = one.communicate(timeout=60)

    assert one.returncode == 130
    assert b"Traceback" not in err + out
    assert (tmp_path / "seen.jsonl").read_bytes() == before
    assert not [one for one in tmp_path.iterdir() if "partial" in one.name]


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
        (["--live", "zipkin-links", "links.json"], 2, "name no source"),
        (["--live", "--keep", "1d"], 2, "name no source"),
        (["--older-than", "1d"], 2, "--older-than goes with --keep"),
        (["--live"], 1, "no platform runs in"),
        (["--keep", "1d"], 2, "name the evidence of which less is kept"),
        (["--keep", "1d", "--older-than", "x", "--evidence", "y"], 2, "such as 30d"),
        (["--keep", "1d", "--evidence", "missing.jsonl"], 1, "missing.jsonl cannot be read"),
        (["compose", "compose.yaml", "--keep", "1d"], 2, "compose are declarations"),
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
