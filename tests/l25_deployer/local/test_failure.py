from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drystone.l10_engines.runtimes.port import Exit
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.local.failure import explain
from drystone.l25_deployer.local.instances import KeptInstance
from drystone.l25_deployer.local.probe import ProbeResult
from l25_deployer.local.small_instances import Changes, blueprint, release


@pytest.fixture
def one(tmp_path: Path) -> KeptInstance:
    return KeptInstance(blueprint(tmp_path), Processes(), Changes())


def write_log(tmp_path: Path, text: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/log").write_text(text)


def test_a_report_holds_all_that_is_known(one: KeptInstance, tmp_path: Path) -> None:
    write_log(tmp_path, "starting\nno such table: guests\n")
    one.last_exit = Exit(3)
    one.last_probe = ProbeResult(False, "GET /: connection refused")

    report = explain(one, "was not healthy after 5 s", release(), None)

    assert report.splitlines() == [
        "instance one was not healthy after 5 s",
        "its process ended with exit code 3",
        "last health check: GET /: connection refused",
        "last 2 lines of its log:",
        "  starting",
        "  no such table: guests",
    ]


def test_an_end_is_told_once(one: KeptInstance) -> None:
    one.last_exit = Exit(3)

    report = explain(one, one.last_exit.sentence(), release(), None)

    assert report.count("ended with exit code 3") == 1
    assert report.endswith("it wrote nothing to its log")


def test_a_log_is_shown_from_its_end_within_bounds(one: KeptInstance, tmp_path: Path) -> None:
    write_log(tmp_path, "".join(f"line {n}\n" for n in range(100)) + "x" * 10_000 + "\n")

    lines = explain(one, "ended", release(), None).splitlines()

    assert lines[1] == "last 40 lines of its log:"
    assert lines[2] == "  line 61"
    assert max(map(len, lines)) <= 502


def test_what_a_program_writes_cannot_control_the_terminal(
    one: KeptInstance, tmp_path: Path
) -> None:
    write_log(tmp_path, "\x1b[2J\x1b]0;title\x07 cleared\n")

    assert not set(explain(one, "ended", release(), None)) & {"\x1b", "\x07"}


@pytest.mark.parametrize(
    ("descriptor", "artifact", "said"),
    [
        ("scale: 2\n", "a", "changed in service.yaml since release 1"),
        ("scale: 1\n", "b", "the descriptor is the same since release 1"),
        ("scale: 1\n", "a", "neither the descriptor nor the code changed since release 1"),
    ],
)
def test_a_report_says_what_changed_since_the_last_good_release(
    one: KeptInstance, descriptor: str, artifact: str, said: str
) -> None:
    good = msgspec.structs.replace(release(number=1, descriptor="scale: 1\n"), artifact="a")
    bad = msgspec.structs.replace(release(number=2, descriptor=descriptor), artifact=artifact)

    report = explain(one, "ended", bad, good)

    assert said in report
    assert ("  +scale: 2" in report) == (descriptor == "scale: 2\n")


def test_a_long_difference_is_cut(one: KeptInstance) -> None:
    before = release(number=1, descriptor="".join(f"a{n}: 1\n" for n in range(100)))
    after = release(number=2, descriptor="".join(f"a{n}: 2\n" for n in range(100)))

    report = explain(one, "ended", after, before)

    assert report.endswith("  … and 170 more")
