"""Limits that the kernel enforces: one control group for each instance, where this machine lets us.

Groups are made below the group that the agent itself is in, so that whoever limits the agent limits
its instances too; where the kernel forbids that (cgroup v2 lets a group with processes have no
children with controllers), below the nearest ancestor that allows it. Both interfaces are known:
cgroup v1 (kernel Documentation/admin-guide/cgroup-v1) and v2 (cgroup-v2.rst). In a container the
tree is often read-only; then nothing is enforced, and :func:`enforced` says so.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l10_engines.processes.identity import PROC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from drystone.l10_engines.runtimes.port import Limits

CONTROLLERS = ("memory", "cpu", "pids")
_PERIOD_US = 100_000
_NO_LIMIT = 1 << 60
"""What v1 shows for no limit is larger: the largest number of whole pages."""

_REMOVALS, _PAUSE_S = 50, 0.01
_SETTINGS = {"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us", "pids": "pids.max"}


class Cgroups:
    """The places where this process may make groups.

    Args:
        parents: Controller to the group below which to make groups; found out by a trial when omitted.
    """

    def __init__(self, parents: Mapping[str, Path] | None = None) -> None:
        self._parents = _usable_parents() if parents is None else dict(parents)

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

    def groups(self, home_label: str, instance: str) -> tuple[Path, ...]:
        """Return the groups of an instance of which only the name is known; they may not exist."""
        parents = dict.fromkeys(self._parents.values())
        return tuple(parent / f"drystone-{home_label}" / instance for parent in parents)

    def empty(self, home_label: str) -> set[str]:
        """Return the instances of a home whose groups are there and hold no process."""
        found: set[str] = set()
        for parent in dict.fromkeys(self._parents.values()):
            home = parent / f"drystone-{home_label}"
            # Not Path.glob: a group that goes away meanwhile makes it fail.
            _, names, _ = next(os.walk(home), ("", [], []))
            found |= {name for name in names if not members([home / name])}
        return found


def members(groups: Iterable[Path]) -> set[int]:
    """Return the processes of some groups and of the groups below them."""
    found: set[int] = set()
    for group in groups:
        for folder, _, files in os.walk(group):
            if "cgroup.procs" in files:
                with suppress(OSError):  # the group went away meanwhile
                    found |= {int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()}
    return found


def seal(groups: Iterable[Path]) -> bool:
    """Let no process of these groups start another one; return whether the kernel sees to that."""
    is_sealed = False
    for group in groups:
        with suppress(OSError):  # its controller is another one, or it is gone
            if (group / "pids.max").exists():
                (group / "pids.max").write_text("0")
                is_sealed = True
    return is_sealed


def kill_counters(groups: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files in which the kernel counts whom it killed at the memory limits of these groups."""
    names = ("memory.events", "memory.oom_control")  # of v2, and of v1 since Linux 4.13
    files = (group / name for group in groups for name in names)
    return tuple(file for file in files if file.exists())


def memory_kills(counters: Iterable[Path]) -> int:
    """Add up what the :func:`kill_counters` of some groups say; those of a group that is gone say nothing."""
    kills = 0
    for counter in counters:
        with suppress(OSError):
            words = counter.read_bytes().split()
            if b"oom_kill" in words:
                kills += int(words[words.index(b"oom_kill") + 1])
    return kills


def memory_limit(groups: Iterable[Path]) -> int | None:
    """Return the memory limit of these groups in bytes; None when they have none."""
    for group in groups:
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # ``max`` is no number
                limit = int(Path(group, name).read_text())
                return limit if limit < _NO_LIMIT else None
    return None


def remove(groups: Iterable[Path]) -> bool:
    """Remove empty groups, and those of the home when none is left; what is not empty stays.

    Returns:
        Whether all are gone. The kernel keeps a group until the last that died in it has been reaped.
    """
    are_gone = True
    for group in groups:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        are_gone = are_gone and not group.exists()
        with suppress(OSError):
            group.parent.rmdir()
    return are_gone


async def remove_after_death(groups: Sequence[Path]) -> None:
    """Remove groups whose processes were killed, giving whoever reaps them half a second."""
    for _ in range(_REMOVALS):
        if remove(groups):
            return
        await asyncio.sleep(_PAUSE_S)


def _usable_parents() -> dict[str, Path]:
    mounts = _mounts()
    own = _groups("self")
    found: dict[str, Path] = {}
    for controller in CONTROLLERS:
        if controller in mounts:
            for parent in _upwards(mounts[controller], own.get(controller, "/")):
                if _supported(parent, {controller}):
                    found[controller] = parent
                    break
    if "unified" in mounts:
        # A process is in one group of v2, so one parent has to do for all controllers that v1 has not.
        missing = set(CONTROLLERS) - set(found)
        parents = list(_upwards(mounts["unified"], own.get("", "/")))
        offers = [(_supported(parent, missing), parent) for parent in parents]
        names, best = max(offers, key=lambda offer: len(offer[0]))  # the nearest among equals
        found |= dict.fromkeys(sorted(names), best)
    return found


def _upwards(root: Path, own: str) -> Iterator[Path]:
    """Iterate over a group and its ancestors, up to where the tree is mounted."""
    group = root / own.lstrip("/")
    yield group
    while group != root:
        group = group.parent
        yield group


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


def _supported(parent: Path, controllers: Iterable[str]) -> set[str]:
    """Try which controllers' settings a group made two levels below this one has."""
    trial = parent / f"drystone-trial-{uuid.uuid4().hex[:12]}"
    inner = trial / "instance"
    try:
        trial.mkdir()
    except OSError:
        return set()
    try:
        _delegate(trial)
        inner.mkdir()
        settings = {name: {_SETTINGS[name], f"{name}.max"} for name in controllers}
        return {
            name
            for name, files in settings.items()
            if any((inner / file).exists() for file in files)
        }
    except OSError:
        return set()
    finally:
        for group in (inner, trial):
            with suppress(FileNotFoundError):
                group.rmdir()


def _delegate(group: Path) -> None:
    """Let the groups below this one have controllers (needed by v2 alone)."""
    offered = group / "cgroup.controllers"
    if offered.exists():
        usable = set(offered.read_text().split()) & set(CONTROLLERS)
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in usable))


def _limit(group: Path, controller: str, limits: Limits) -> None:
    quota = max(1000, round(limits.cpu * _PERIOD_US))
    if controller == "pids":
        settings = [("pids.max", str(limits.pids))]
    elif (group / _SETTINGS[controller]).exists():
        value = {"memory": str(limits.memory), "cpu": str(quota)}[controller]
        # The second one is memory and swap together; it is there only where swap is accounted for.
        settings = [(_SETTINGS[controller], value), ("memory.memsw.limit_in_bytes", value)]
    else:
        value = {"memory": str(limits.memory), "cpu": f"{quota} {_PERIOD_US}"}[controller]
        settings = [(f"{controller}.max", value), ("memory.swap.max", "0")]
    first, *more = settings
    (group / first[0]).write_text(first[1])
    for name, value in more:
        if controller == "memory" and (group / name).exists():
            (group / name).write_text(value)
