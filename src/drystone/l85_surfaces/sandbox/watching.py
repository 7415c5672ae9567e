"""Bring services up again when their files change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from drystone.l00_kernel.errors import PlatformError
from drystone.l85_surfaces.sandbox.running import Came, Running
from drystone.l85_surfaces.sandbox.workspace import LEFT_OUT, Member, member

GLANCE_S = 0.5
MOST_FILES = 20_000

Look = Mapping[str, tuple[int, int]]
"""Of each file, when it was last written, in nanoseconds, and its size."""


async def watched(
    members: Mapping[str, Member], running: Running, looks: Mapping[str, Look]
) -> None:
    """Bring a service up again whenever a file of its folder was written and has come to rest; never ends by itself.

    Args:
        members: The services, by name.
        running: Brings them up.
        looks: What their folders looked like before they were brought up.
    """
    known = dict(looks)
    while True:
        await asyncio.sleep(GLANCE_S)
        for name, one in members.items():
            now = await _looked(one)
            if now == known[name]:
                continue
            await asyncio.sleep(GLANCE_S)
            if await _looked(one) != now:
                continue  # somebody still writes
            known[name] = now
            await _again(one, running)


async def _again(one: Member, running: Running) -> None:
    try:
        changed = await asyncio.to_thread(member, one.file)
    except PlatformError as e:
        running.told(Came(one.name, "real", "failed", e.message))
        return
    await running.deploy(changed)


def looked(members: Mapping[str, Member]) -> dict[str, Look]:
    """Return what the folders of services look like."""
    return {name: look(one.folder) for name, one in members.items()}


async def _looked(one: Member) -> Look:
    return await asyncio.to_thread(look, one.folder)


def look(folder: Path) -> Look:
    """Return when each file of a folder was written; those that never belong to a service are left out."""
    found: dict[str, tuple[int, int]] = {}
    for inner, names, files in os.walk(folder):
        names[:] = [name for name in names if not name.startswith(".") and name not in LEFT_OUT]
        for file in files:
            path = os.path.join(inner, file)  # noqa: PTH118 - many of them, again and again
            try:
                status = os.stat(path)  # noqa: PTH116 - the same
            except OSError:
                continue
            found[path] = (status.st_mtime_ns, status.st_size)
        if len(found) > MOST_FILES:
            break
    return found
