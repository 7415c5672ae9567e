"""Limits that the kernel enforces: one control group for each instance, where this machine lets us.

Groups are made below the group that the agent itself is in, so that whoever limits the agent limits
its instances too; where the kernel forbids that (cgroup v2 lets a group with processes have no
children with controllers), below the nearest ancestor that allows it. Both interfaces are known:
cgroup v1 (kernel Documentation/admin-guide/cgroup-v1) and v2 (cgroup-v2.rst). In a container the
tree is often read-only; then nothing is enforced, and :func:`enforced` says so.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l10_engines.processes.identity import PROC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from drystone.l10_engines.runtimes.port import Limits

CONTROLLERS = ("memory", "cpu", "pids")
_PERIOD_US = 100_000
_SETTINGS = {"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us", "pids": "pids.max"}


class Cgroups:
    """The places where this process may make groups.

    Args:
        parents: Controller to the group below which to make groups; found out by a trial when omitted.
    """

    def __init__(self, parents: Mapping[str, Path] | None = None) -> None:
        self._parents = dict(_usable_parents()) if parents is None else dict(parents)

    def enforced(self) -> frozenset[str]:
        """Return which of ``memory``, ``cpu`` and ``pids`` are enforced here."""
        return frozenset(self._parents)

    def create(self, home_label: str, instance: str, limits: Limits) -> tuple[Path, ...]:
        """Make the groups of an instance, empty, with its limits; return them (one each for v1)."""
        made: list[Path] = []
        for controller, parent in self._parents.items():
            group = parent / f"drystone-{home_label}" / instance
            if group not in made:
                group.parent.mkdir(exist_ok=True)
                _delegate(group.parent)
                group.mkdir(exist_ok=True)
                made.append(group)
            _limit(group, controller, limits)
        return tuple(made)

    def remove_group(self, home_label: str, instance: str) -> None:
        """Remove the groups of an instance of which only the name is known."""
        remove({p / f"drystone-{home_label}" / instance for p in self._parents.values()})


def members(groups: Iterable[Path]) -> set[int]:
    """Return the processes of some groups and of the groups below them."""
    found: set[int] = set()
    for group in groups:
        for folder, _, files in os.walk(group):
            if "cgroup.procs" in files:
                with suppress(OSError):  # the group went away meanwhile
                    found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return found


def killed_for_memory(groups: Iterable[Path]) -> bool:
    """Tell whether the kernel killed a process of these groups for want of memory."""
    for group in groups:
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                words = Path(group, name).read_text().split()
                if "oom_kill" in words and int(words[words.index("oom_kill") + 1]) > 0:
                    return True
    return False


def remove(groups: Iterable[Path]) -> None:
    """Remove empty groups, and those of the home when none is left; what is not empty stays."""
    for group in groups:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        with suppress(OSError):
            group.parent.rmdir()


def _usable_parents() -> Iterator[tuple[str, Path]]:
    mounts = _mounts()
    own = _groups("self")
    for controller in CONTROLLERS:
        kind = controller if controller in mounts else "unified"
        root = mounts.get(kind)
        if root is None:
            continue
        group = root / own.get(controller if kind == controller else "", "/").lstrip("/")
        for parent in (group, *group.parents):
            if _works(parent, controller):
                yield controller, parent
                break
            if parent == root:
                break


def _mounts() -> dict[str, Path]:
    """Return where the controllers of v1 (by name) and the tree of v2 (``unified``) are mounted."""
    found = {}
    for line in Path(PROC, "self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found["unified"] = Path(place)
        elif kind == "cgroup":
            found |= {name: Path(place) for name in options.split(",") if name in CONTROLLERS}
    return found


def memory_groups_of(pid: int) -> tuple[Path, ...]:
    """Return the group that limits a process's memory; nothing when the process is gone or has none."""
    mounts = _mounts()
    try:
        names = _groups(str(pid))
    except (FileNotFoundError, ProcessLookupError):
        return ()
    for root, name in ((mounts.get("memory"), "memory"), (mounts.get("unified"), "")):
        if root is not None and name in names:
            return (root / names[name].lstrip("/"),)
    return ()


def _groups(process: str) -> dict[str, str]:
    """Return a process's group for each controller of v1; under ``""`` that of v2."""
    found: dict[str, str] = {}
    for line in Path(PROC, process, "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        found |= dict.fromkeys(names.split(","), path)
    return found


def _works(parent: Path, controller: str) -> bool:
    """Try whether a group made here has the controller's settings."""
    trial = parent / f"drystone-trial-{uuid.uuid4().hex[:12]}"
    try:
        trial.mkdir()
    except OSError:
        return False
    try:
        _delegate(trial)
        inner = trial / "instance"
        inner.mkdir()
        try:
            names = {_SETTINGS[controller], f"{controller}.max"}
            return any((inner / name).exists() for name in names)
        finally:
            inner.rmdir()
    except OSError:
        return False
    finally:
        trial.rmdir()


def _delegate(group: Path) -> None:
    """Let the groups below this one have controllers (needed by v2 alone)."""
    offered = group / "cgroup.controllers"
    if offered.exists():
        usable = set(offered.read_text().split()) & set(CONTROLLERS)
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in usable))


def _limit(group: Path, controller: str, limits: Limits) -> None:
    quota = max(1000, round(limits.cpu * _PERIOD_US))
    legacy = {"memory": str(limits.memory), "cpu": str(quota), "pids": str(limits.pids)}
    unified = legacy | {"cpu": f"{quota} {_PERIOD_US}"}
    setting = group / _SETTINGS[controller]
    if setting.exists() and controller != "pids":
        setting.write_text(legacy[controller])
    else:
        (group / f"{controller}.max").write_text(unified[controller])
