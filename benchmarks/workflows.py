"""What a step of a durable workflow takes, beside DBOS on the same PostgreSQL server."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.peers.programs import ENVIRONMENT
from benchmarks.stand import table

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.workflows.attempts import Step
from drystone.l10_engines.workflows.run import Definition, Run
from drystone.l10_engines.workflows.worker import Worker, WorkerSettings
from drystone.l10_engines.workflows.workflows import Workflows, prepare
from drystone.testing.conformance.engines import short_home

WORKFLOWS, STEPS = 200, 10
_PROGRAM = Path(__file__).with_name("peers") / "dbos_program.py"


async def _many(run: Run, steps: int) -> int:
    async def one(step: Step) -> int:
        return step.tries

    return sum([await run.step("one", one, returns=int) for _ in range(steps)])


MANY = Definition(name="many", version=1, takes=int, gives=int, run=_many)


async def workflows(count: int) -> str:
    """Steps in a second, one workflow at a time and many."""
    rows = []
    with short_home() as home:
        server = Postgres("postgres", home / "postgres")
        try:
            await server.start()
            rounds = max(3, count // 3)
            for number in (1, WORKFLOWS):
                ours, theirs = [], []
                for _ in range(rounds):  # in turns, so that a machine that slows down slows both
                    ours.append(await _ours(server, number))
                    if _is_there():
                        theirs.append(await _dbos(server, number))
                rows += _rows(number, ours, theirs)
        finally:
            await server.stop()
    title = f"Workflows of {STEPS} steps each, median of {rounds}: steps/s and processor time of the process that runs them"
    return table(title, ["what", "at once", "steps/s", "CPU of a step", "ratio"], rows)


def _rows(
    number: int, ours: list[tuple[float, float]], theirs: list[tuple[float, float]]
) -> list[list[str]]:
    steps = number * STEPS
    rate = {name: steps / median(took for took, _ in all_) for name, all_ in (("ours", ours),)}
    rows = [["Drystone", str(number), f"{rate['ours']:.0f}", _cpu(ours, steps), ""]]
    if not theirs:
        return [
            *rows,
            ["DBOS", str(number), "not installed: python -m benchmarks.peers.install", "", ""],
        ]
    other = steps / median(took for took, _ in theirs)
    rows[0][-1] = f"{rate['ours'] / other:.1f}"
    return [*rows, ["DBOS", str(number), f"{other:.0f}", _cpu(theirs, steps), "1.0"]]


def _cpu(took: list[tuple[float, float]], steps: int) -> str:
    return f"{median(cpu for _, cpu in took) / steps * 1e6:.0f} µs"


def _is_there() -> bool:
    return any(ENVIRONMENT.glob("lib/python*/site-packages/dbos"))


async def _ours(server: Postgres, number: int) -> tuple[float, float]:
    name = f"bench_{secrets.token_hex(4)}"
    access = await provision(server.admin(), name, connections=30, password=secrets.token_hex(16))
    database = Database(access, name, most=8)
    await prepare(database)
    asked = Workflows(database)
    worker = Worker(database, [MANY], settings=WorkerSettings(concurrency=WORKFLOWS))
    running = asyncio.create_task(worker.run())
    await _measure(asked, 5, "warm")
    took = await _measure(asked, number, "w")
    worker.stop()
    await running
    await database.close()
    return took


async def _measure(asked: Workflows, number: int, word: str) -> tuple[float, float]:
    begun, cpu = time.monotonic(), time.process_time()
    for n in range(number):
        await asked.start(MANY, f"{word}{n}", STEPS)
    limit = timedelta(minutes=5)
    ends = [asked.result(f"{word}{n}", gives=int, within=limit) for n in range(number)]
    assert await asyncio.gather(*ends) == [STEPS] * number
    return time.monotonic() - begun, time.process_time() - cpu


async def _dbos(server: Postgres, number: int) -> tuple[float, float]:
    name = f"dbos_{secrets.token_hex(4)}"
    access: DatabaseAccess = await Databases(server).provision(
        name, connections=60, password=secrets.token_hex(16)
    )
    given = json.dumps({"url": access.url(), "workflows": number, "steps": STEPS})
    done = await asyncio.to_thread(
        subprocess.run,
        [ENVIRONMENT / "bin/python", _PROGRAM],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise RuntimeError(f"DBOS ended with {done.returncode}: {done.stderr[-2000:]}")
    took, cpu = json.loads(done.stdout.splitlines()[-1])
    return took, cpu
