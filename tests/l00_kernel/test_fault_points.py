"""A place that is passed does nothing, and with a fault armed exactly what was asked for, once."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.fault_points import FaultPoint, FaultRefused, arm, declared, disarm

HERE = FaultPoint("testing.here.written", "a test's own place", writes=True)
THERE = FaultPoint("testing.there.reached", "another one")


@pytest.fixture(autouse=True)
def _harmless() -> Iterator[None]:
    yield
    disarm()


def ignore(_: str) -> None:
    return


def test_a_point_without_a_fault_is_passed(tmp_path: Path) -> None:
    assert arm("", tmp_path, ignore) == []
    HERE.reach()
    assert list(tmp_path.iterdir()) == []


def test_every_point_is_listed_under_its_name() -> None:
    assert {HERE, THERE} <= set(declared())
    assert [point.name for point in declared()] == sorted(point.name for point in declared())


@pytest.mark.parametrize("name", ["testing.here.written", "testing.here", "Testing.here.done", ""])
def test_a_name_is_new_and_has_three_parts(name: str) -> None:
    with pytest.raises(ValueError, match=r"operation\.step\.moment"):
        FaultPoint(name, "no point")


def test_a_failure_is_that_of_a_full_disk_and_happens_at_the_time_that_was_named(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    (said,) = arm("testing.here.written:fail@3", tmp_path, told.append)
    assert "testing.here.written:fail@3 is armed" in said
    THERE.reach()
    HERE.reach()
    HERE.reach()
    assert told == []
    with pytest.raises(OSError, match="testing") as e:
        HERE.reach()
    assert e.value.errno == errno.ENOSPC
    assert told == ["fault testing.here.written:fail@3"]
    HERE.reach()


def test_a_fault_happens_once_in_the_life_of_a_home(tmp_path: Path) -> None:
    wish = "testing.here.written:fail"
    arm(wish, tmp_path, ignore)
    with pytest.raises(OSError, match="testing"):
        HERE.reach()
    (said,) = arm(wish, tmp_path, ignore)
    assert "has happened" in said
    HERE.reach()
    arm(f"{wish}@2", tmp_path, ignore)
    HERE.reach()
    with pytest.raises(OSError, match="testing"):
        HERE.reach()
    (tmp_path / fault_points.FIRED).unlink()
    arm(wish, tmp_path, ignore)
    with pytest.raises(OSError, match="testing"):
        HERE.reach()


def test_a_kill_leaves_no_time_for_anything(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from drystone.l00_kernel.fault_points import FaultPoint, arm
point = FaultPoint("testing.dying.reached", "")
arm("testing.dying.reached:kill", Path({str(tmp_path)!r}), print)
try:
    point.reach()
finally:
    print("alive")
"""
    ended = subprocess.run(
        [sys.executable, "-u", "-c", program], check=False, stdout=subprocess.PIPE, text=True
    )
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == "fault testing.dying.reached:kill\n"


def test_a_stall_holds_the_process_and_goes_on(tmp_path: Path) -> None:
    told: list[str] = []
    arm("testing.there.reached:stall=0.01", tmp_path, told.append)
    THERE.reach()
    assert told == ["fault testing.there.reached:stall=0.01"]


def test_several_faults_are_armed_together_and_replace_those_before(tmp_path: Path) -> None:
    arm("testing.here.written:fail", tmp_path, ignore)
    said = arm("testing.there.reached:stall=0, testing.here.written:fail@2", tmp_path, ignore)
    assert len(said) == 2
    HERE.reach()
    THERE.reach()
    with pytest.raises(OSError, match="testing"):
        HERE.reach()


def test_what_is_reached_can_be_noted(tmp_path: Path) -> None:
    arm("*:note", tmp_path, ignore)
    HERE.reach()
    THERE.reach()
    HERE.reach()
    noted = (tmp_path / fault_points.REACHED).read_text().split()
    assert noted == [HERE.name, THERE.name, HERE.name]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("testing.here.writen:kill", "testing.here.written"),
        ("zzz:kill", "fault-points.md"),
        ("testing.here.written", "is not NAME:EFFECT"),
        ("testing.here.written:explode", "effects are kill, fail, stall, note"),
        ("testing.here.written:kill@0", "is not NAME:EFFECT"),
        ("testing.there.reached:fail", "cannot fail"),
        ("testing.here.written:note", "only \\*:note"),
        ("*:kill", "only \\*:note"),
    ],
)
def test_what_there_is_not_is_refused_and_nothing_is_armed(
    wish: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultRefused, match=said):
        arm(f"testing.here.written:fail,{wish}", tmp_path, ignore)
    HERE.reach()
