"""Leave a home as a restart of the machine leaves it, without one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path

from drystone.l00_kernel.home import Home
from drystone.l10_engines.processes.identity import ProcessId, is_alive
from drystone.l10_engines.runtimes import cgroups
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.testing.command_line import processes_of

BOOT = str(uuid.UUID(int=0x0DD))
"""The boot that is over."""


async def restart_machine(home: Path, stranger: ProcessId) -> None:
    """Kill all that belongs to a home at once, and take away what lies in the kernel's memory alone.

    No process gets a word in: each round kills what the round before made its children start. Control groups, mounts and
    the folder of sockets under ``/tmp`` go; files, stale sockets and locks in the home stay. The records are said to be of
    another boot, in which their processes had the number of a stranger who runs now.

    Args:
        home: The home.
        stranger: Somebody else's process; it must be left alone.
    """
    containers = _containers(home)
    async with asyncio.timeout(30):
        while pids := {*processes_of(home), *_inhabitants(containers)}:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        for container in containers:
            _unmount(container)
        await _remove_groups(home)
    for network in Home(home).networks.glob("*"):
        subprocess.run(["umount", "--lazy", network], check=False, capture_output=True)
    if (link := home / "sockets").is_symlink():
        shutil.rmtree(link.readlink())
    for path in (*home.glob("instances/*/instance.json"), *home.glob("engines/**/record.json")):
        if "data" not in path.relative_to(home).parts:
            path.write_text(json.dumps(_of_another_boot(json.loads(path.read_text()), stranger)))
    for path in home.glob("services/*/*/service.json"):
        path.write_text(json.dumps(_of_another_boot(json.loads(path.read_text()), stranger)))
    assert is_alive(stranger)


def _of_another_boot(document: object, stranger: ProcessId) -> object:
    """Return a record as an earlier boot of the machine wrote it."""
    if isinstance(document, list):
        return [_of_another_boot(one, stranger) for one in document]
    if not isinstance(document, dict):
        return document
    changed = {key: _of_another_boot(value, stranger) for key, value in document.items()}
    if "pid" in changed and "boot" in changed:
        return {"pid": stranger.pid, "started": stranger.started, "boot": BOOT}
    return changed | ({"boot": BOOT} if "boot" in changed else {})


async def _remove_groups(home: Path) -> None:
    for group in Cgroups().groups(Home(home).label, "any"):
        while group.parent.exists():  # the kernel keeps it until the dead have been reaped
            cgroups.remove(group.parent.glob("*/"))
            await asyncio.sleep(0.01)


def _containers(home: Path) -> list[str]:
    if shutil.which("podman") is None:
        return []
    label = f"label=drystone.home={Home(home).label}"
    return _podman("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()


def _inhabitants(containers: list[str]) -> list[int]:
    """Return the processes of containers and their monitors that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()
            if words and any(one.encode() in words for one in containers):
                is_zombie = (folder / "stat").read_text().rpartition(") ")[2].startswith("Z")
                found += [] if is_zombie else [int(folder.name)]
    return found


def _unmount(container: str) -> None:
    """Take away the mounted root of a container that was killed, of which podman does not know."""
    place = _podman("inspect", "--format", "{{.GraphDriver.Data.MergedDir}}", container).strip()
    subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def _podman(*words: str) -> str:
    return subprocess.run(["podman", *words], check=True, capture_output=True, text=True).stdout
