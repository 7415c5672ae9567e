"""Orchestrators in processes of their own, which may be killed: a worker and a target that is a file.

Run as a program it loads everything once and then forks one for each line that it is given.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.workflows.worker import Worker, WorkerSettings
from drystone.l50_orchestrator.releases.parts import Pace
from drystone.l50_orchestrator.releases.service import Releases
from drystone.testing.releases import parts_on
from drystone.testing.simulated_target import SimulatedTarget, Traffic

STEP = timedelta(milliseconds=8)


def target_at(file: Path) -> SimulatedTarget:
    """Return the target that every one of these processes has."""
    target = SimulatedTarget(file, step=STEP, traffic=Traffic(rate=400, canary=0.0, speed=50.0))
    target.faults["bad"] = "fails"
    return target


class Orchestrators:
    """Starts orchestrators and kills them."""

    def __init__(self, program: subprocess.Popen[str], database: Database, file: Path) -> None:
        self._program = program
        self._database = database
        self._file = file

    def _ask(self, **what: object) -> Any:
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(json.dumps(what) + "\n")
        self._program.stdin.flush()
        return json.loads(self._program.stdout.readline())

    def start(self) -> int:
        """Start one; its process id."""
        who = self._database.access
        where = [who.host, who.port, who.database, who.user, who.password]
        pid = self._ask(start=where, schema=self._database.schema, file=str(self._file))
        assert isinstance(pid, int)
        return pid

    def kill(self, pid: int) -> None:
        """Kill one, and wait until it is gone."""
        assert self._ask(kill=pid) in {0, -signal.SIGKILL}


@contextmanager
def orchestrators_on(database: Database, file: Path) -> Iterator[Orchestrators]:
    """Give orchestrators on a schema; none of them is left in the end."""
    command = [sys.executable, "-m", "l50_orchestrator.releases.orchestrators"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        try:
            yield Orchestrators(program, database, file)
        finally:
            assert program.stdin
            program.stdin.close()
            program.wait(30)


def main() -> None:
    """Fork orchestrators until standard input ends; then end those that are left."""
    children: set[int] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            answer = os.fork()
            if answer == 0:
                _become_orchestrator(asked)
            children.add(answer)
        else:
            answer = _end(asked["kill"])
            children.discard(asked["kill"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        _end(pid)


def _end(pid: int) -> int:
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become_orchestrator(asked: dict[str, Any]) -> None:
    try:
        sys.stdin.close()
        os.dup2(2, 1)  # the answers are the parent's
        asyncio.run(_work(asked))
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(1)


async def _work(asked: dict[str, Any]) -> None:
    host, port, database, user, password = asked["start"]
    access = DatabaseAccess(host=host, port=port, database=database, user=user, password=password)
    settings = WorkerSettings(
        lease=timedelta(seconds=20),
        poll=timedelta(milliseconds=200),
        hold=timedelta(milliseconds=5),
        patience=1000,
    )
    tables = Database(access, asked["schema"], most=6)
    pace = Pace(
        look=timedelta(milliseconds=20), orders=timedelta(milliseconds=10), evidence=timedelta()
    )
    releases = Releases(parts_on(tables, target_at(Path(asked["file"])), pace=pace))
    await Worker(tables, [releases.carrier.definition], settings=settings).run()


if __name__ == "__main__":
    main()
