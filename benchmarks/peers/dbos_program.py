"""The workflows of the comparison in DBOS. It runs in the environment of the peers and knows nothing of Drystone.

Reads JSON from standard input: the URL of a database, how many workflows, how many steps each. Writes the seconds from
the first start to the last end, and the processor time of this process meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from dbos import DBOS  # type: ignore[import-not-found]


@DBOS.step()  # type: ignore[untyped-decorator]
async def one(number: int) -> int:
    """A step that does nothing else."""
    return number


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def many(steps: int) -> int:
    """Steps one after the other."""
    return sum([await one(number) for number in range(steps)])


async def measure(workflows: int, steps: int) -> tuple[float, float]:
    """Start all and wait for all."""
    begun, cpu = time.monotonic(), time.process_time()
    handles = [await DBOS.start_workflow_async(many, steps) for _ in range(workflows)]
    for handle in handles:
        await handle.get_result()
    return time.monotonic() - begun, time.process_time() - cpu


async def main() -> None:
    """Warm up, measure, tell."""
    given = json.load(sys.stdin)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": given["url"],
            "dbos_system_schema": "public",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    await measure(5, given["steps"])
    print(json.dumps(await measure(given["workflows"], given["steps"])))
    DBOS.destroy()


if __name__ == "__main__":
    asyncio.run(main())
