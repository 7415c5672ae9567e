"""From nothing to the first answer of a new service: ``drystone new``, ``drystone deploy``, and what the edge says."""

from __future__ import annotations

import asyncio
import shutil
import time
from statistics import median

from benchmarks.stand import Stand, bare_start, first_answer, spread, stand, table

KINDS = ("python", "node", "java", "static", "spa", "worker")
_NEEDED = {"node": "node", "java": "javac"}


async def new_services(count: int) -> str:
    """From `drystone new` to the first answer, for each template; the first one of a kind fills the caches."""
    bare = median([await bare_start() for _ in range(count)])
    rows = [["bare `python trivial_server.py`", "", f"{bare:.2f} s", "1.0"]]
    async with stand() as one:
        for kind in KINDS:
            if shutil.which(_NEEDED.get(kind, "sh")) is None:
                rows.append([kind, "not installed here", "", ""])
                continue
            cold, *warm = [await _begun(one, kind, number) for number in range(count + 1)]
            rows.append([kind, f"{cold:.2f} s", spread(warm), f"{median(warm) / bare:.1f}"])
    title = f"`drystone new` → first answer, median of {count} (least to most)"
    return table(title, ["template", "the first one", "time, warm", "ratio to bare"], rows)


async def _begun(one: Stand, kind: str, number: int) -> float:
    """Make a service, deploy it and wait for its first answer; what it asks of its index is warm for the same name alone."""
    name = f"new-{kind}"
    folder = one.drystone.home.with_name(one.drystone.home.name + "-service") / f"{name}-{number}"
    await asyncio.to_thread(folder.parent.mkdir, exist_ok=True)
    begun = time.monotonic()
    await one.drystone.must("new", kind, name, folder)
    await one.drystone.must("deploy", folder / "service.yaml")
    if kind == "worker":
        return (
            time.monotonic() - begun
        )  # it has no page at the root; its deploy ends when it is well
    async with asyncio.timeout(30):
        return await first_answer(one.port, name) - begun
