"""A sandbox: from the command to five services that are up, each of which needs the same two that are mocked."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

from benchmarks.stand import SERVER, bare_start, seconds, spread, table

from drystone.testing.command_line import CommandLine, kill_what_remains, remains, short_home
from drystone.testing.python_image import PYTHON

SERVICES, MOCKS = 5, ("billing", "mail")


async def sandboxes(count: int) -> str:
    """From `drystone sandbox` to ready, on an empty home and on the one of last time."""
    home = await asyncio.to_thread(short_home, "sandbox")
    outer = home.with_name(f"{home.name}-workspace")
    folder = outer / "store"
    await asyncio.to_thread(_write, folder)
    drystone = CommandLine(home)
    begin = ("sandbox", folder, "--detach", "--home", home)
    end = ("sandbox", "down", folder, "--home", home)
    forget = ("sandbox", "reset", folder, "--home", home, "--yes", folder.name)
    first, again = list[float](), list[float]()
    try:
        bare = [await bare_start() for _ in range(count)]
        for _ in range(count):
            first.append(await seconds(drystone, *begin))
            await drystone.must(*end)
            again.append(await seconds(drystone, *begin))
            await drystone.must(*forget)
        left = await asyncio.to_thread(remains, home)
    finally:
        await asyncio.to_thread(kill_what_remains, home)
        for place in (home, outer):
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    if left:
        raise RuntimeError(f"the sandbox left {left} behind")
    base = sorted(bare)[len(bare) // 2]
    rows = [
        [name, spread(times), f"{sorted(times)[len(times) // 2] / base:.0f}"]
        for name, times in (("on an empty home", first), ("on the home of last time", again))
    ]
    title = f"A sandbox of {SERVICES} services and {len(MOCKS)} mocks → ready, median of {count}"
    return table(title, ["", "time", "ratio to the bare start of one service"], rows)


def _write(folder: Path) -> None:
    document = {"openapi": "3.1.0", "paths": {"/": {"get": {"responses": {"204": {}}}}}}
    for name in MOCKS:
        (folder / "mocks").mkdir(parents=True, exist_ok=True)
        (folder / "mocks" / f"{name}.json").write_text(json.dumps(document))
    for number in range(SERVICES):
        inner = folder / f"service{number}"
        inner.mkdir()
        shutil.copyfile(SERVER, inner / "server.py")
        said = {
            "schema": 1,
            "service": inner.name,
            "owner": "benchmarks",
            "process": {"command": [PYTHON, "server.py", "${port}"]},
            "health": "/",
            "dependencies": dict.fromkeys(MOCKS, "hard"),
        }
        (inner / "service.yaml").write_text(json.dumps(said))
