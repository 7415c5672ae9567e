"""From the command to the first answer of the next version: Drystone beside what a person would use."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from statistics import median
from urllib.parse import urlsplit

from benchmarks.peers.changes import NAMES, change, lacking
from benchmarks.peers.programs import find
from benchmarks.stand import NAME, SERVER, bare_start, first_answer, spread, table

from drystone.testing.python_image import python_image

LIMIT_S = 30


async def first_responses(count: int) -> str:
    """Put version after version in place by each way and time each until its first answer."""
    bare = [await bare_start() for _ in range(count)]
    rows = [["bare `python trivial_server.py`", spread(bare), "1.0"]]
    async with AsyncExitStack() as whole:
        image = whole.enter_context(python_image(SERVER)) if find("podman") else ""
        for name in NAMES:
            if trouble := lacking(name):
                rows.append([name, trouble, ""])
                continue
            try:
                label, took = await _measure(name, image, count)
            except (RuntimeError, TimeoutError) as e:
                rows.append([name, f"gave up: {type(e).__name__}", ""])
                print(f"{name}: {e}", file=sys.stderr)
                continue
            rows.append([label, spread(took), f"{median(took) / median(bare):.1f}"])
    title = f"Command → first answer of the next version, median of {count} (least to most)"
    return table(title, ["by", "time", "ratio to bare"], rows)


async def _measure(name: str, image: str, count: int) -> tuple[str, list[float]]:
    loop = asyncio.get_running_loop()
    took = []
    async with change(name, image) as way:
        await way.start("v0")
        place = urlsplit(way.url)
        service = NAME if NAME in (place.hostname or "") else None
        for number in range(1, count + 1):
            version = f"v{number}"
            begun = loop.time()
            answering = asyncio.create_task(first_answer(place.port or 80, service, version))
            try:
                await way.switch(version)
                async with asyncio.timeout(LIMIT_S):
                    took.append(await answering - begun)
            finally:
                answering.cancel()
            await way.retire()
        return way.name, took
