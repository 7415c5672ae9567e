"""A load that grows tenfold at once, and falls back: how soon the instances follow, and what fails meanwhile."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from statistics import median
from typing import Any

from benchmarks.stand import NAME, Stand, bare_start, spread, stand, table

from drystone.testing.load import Load, run

EACH = 20
"""Requests a second that one instance is to get."""

LOW, HIGH = 20, 200
LEAST, NEEDED, MOST = 1, HIGH // EACH, 16
GLANCE_S = 0.1
CALM, BUSY, AFTER = timedelta(seconds=8), timedelta(seconds=20), timedelta(seconds=45)


async def scaling(count: int) -> str:
    """Steps of the load, as many as are asked for."""
    bare = [await bare_start() for _ in range(max(3, count))]
    rows = [await _step() for _ in range(count)]
    columns = ["", f"to {NEEDED} instances", "most", "failed", "of", "back to", "p99 of answers"]
    told = [
        "median",
        spread([row["up"] for row in rows]),
        max(row["most"] for row in rows),
        sum(row["failed"] for row in rows),
        sum(row["asked"] for row in rows),
        max(row["after"] for row in rows),
        f"{median(row['p99'] for row in rows):.0f} ms",
    ]
    baseline = ["one instance by itself", spread(bare), *[""] * 5]
    return table(
        f"{LOW} → {HIGH} → {LOW} requests/s, {EACH}/s for each instance, {count} times",
        columns,
        [told, baseline],
    )


async def _step() -> dict[str, Any]:
    async with stand() as one:
        scale = {"min": LEAST, "max": MOST, "requests": f"{EACH}/s", "cooldown": "5s"}
        size = {"cpu": 1, "memory": "128Mi"}
        health = {"path": "/", "interval": "500ms", "healthy": 1}
        await one.deploy(one.descriptor(scale=scale, size=size, health=health), "1")
        numbers: list[tuple[float, int]] = []
        watching = asyncio.create_task(_watch(one, numbers))
        loads = [(LOW, CALM), (HIGH, BUSY), (LOW, AFTER)]
        reports, begun = [], 0.0
        for rate, length in loads:
            if rate == HIGH:
                begun = time.monotonic()
            reports.append(await run(Load(url=one.url, rate=rate, length=length)))
        watching.cancel()
        up = next((at - begun for at, n in numbers if at > begun and n >= NEEDED), float("inf"))
        late = [report.latency(0.99) for report in reports]
        return {
            "up": up,
            "most": max(n for _, n in numbers),
            "after": numbers[-1][1],
            "failed": sum(len(report.failed) for report in reports),
            "asked": sum(len(report.outcomes) for report in reports),
            "p99": max(one.total_seconds() for one in late if one is not None) * 1000,
        }


async def _watch(one: Stand, numbers: list[tuple[float, int]]) -> None:
    """Note how many instances are healthy, and when."""
    while True:
        view = await one.drystone.ask("show", NAME)
        healthy = [i for i in view["instances"] if i["state"] == "healthy"]
        numbers.append((time.monotonic(), len(healthy)))
        await asyncio.sleep(GLANCE_S)
