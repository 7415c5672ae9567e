"""Control groups of a test's own, around processes of a platform."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path("/sys/fs/cgroup")


@contextmanager
def group_of(controller: str, pid: int) -> Iterator[Path]:
    """Put a process into a group, and take it and what it has become back out of it in the end.

    Args:
        controller: One of the first kind of control groups, where each has a tree of its own.
        pid: The process. What it started before stays where it is.
    """
    group = ROOT / controller / f"drystone-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as e:
        pytest.skip(f"no group of the controller {controller} can be made here: {e}")
    try:
        (group / "cgroup.procs").write_text(str(pid))
        yield group
    finally:
        for inside in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (ROOT / controller / "cgroup.procs").write_text(inside)
        group.rmdir()
