"""Workers in processes of their own, which may be killed.

Run as a program it loads everything once and then forks a worker for each line that it is given; so one costs
hundredths of a second and not a third of one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from drystone.l00_kernel import fault_points
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.workflows.worker import Worker, WorkerSettings
from l10_engines.workflows.deeds import KIND


class Workers:
    """Starts and waits for worker processes."""

    def __init__(self, program: subprocess.Popen[str], database: Database) -> None:
        self._program = program
        self._database = database

    def _ask(self, **what: object) -> Any:
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(json.dumps(what) + "\n")
        self._program.stdin.flush()
        return json.loads(self._program.stdout.readline())

    def start(self, *, fault: str = "", lease: float = 20.0) -> int:
        """Start a worker, with a fault if one is named; its process id."""
        who = self._database.access
        where = [who.host, who.port, who.database, who.user, who.password]
        pid = self._ask(start=where, schema=self._database.schema, fault=fault, lease=lease)
        assert isinstance(pid, int)
        return pid

    def has_ended(self, pid: int) -> int | None:
        """Return how a worker ended, as :func:`os.waitstatus_to_exitcode` does; None while it runs."""
        code = self._ask(ask=pid)
        assert code is None or isinstance(code, int)
        return code

    async def end_of(self, pid: int) -> int:
        """Wait until a worker has ended."""
        async with asyncio.timeout(60):
            while (code := self.has_ended(pid)) is None:  # noqa: ASYNC110 - another process ends
                await asyncio.sleep(0.005)
        return code


@contextmanager
def workers_on(database: Database) -> Iterator[Workers]:
    """Give workers on a schema; none of them is left in the end."""
    command = [sys.executable, "-m", "l10_engines.workflows.workers"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        try:
            yield Workers(program, database)
        finally:
            assert program.stdin
            program.stdin.close()
            program.wait(30)


def main() -> None:
    """Fork workers until standard input ends; then end those that are left."""
    children: set[int] = set()
    ended: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        answer: int | None = None
        if "start" in asked:
            answer = os.fork()
            if answer == 0:
                _become_worker(asked)
            children.add(answer)
        elif asked["ask"] not in ended:
            pid, status = os.waitpid(asked["ask"], os.WNOHANG)
            if pid:
                children.discard(pid)
                ended[pid] = os.waitstatus_to_exitcode(status)
        answer = ended.get(asked["ask"]) if "ask" in asked else answer
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _become_worker(asked: dict[str, Any]) -> None:
    code = 1
    try:
        sys.stdin.close()
        os.dup2(2, 1)  # the answers are the parent's
        with tempfile.TemporaryDirectory() as folder:
            fault_points.arm(asked["fault"], Path(folder), lambda _: None)
            asyncio.run(_work(asked))
        code = 0
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(code)


async def _work(asked: dict[str, Any]) -> None:
    host, port, database, user, password = asked["start"]
    access = DatabaseAccess(host=host, port=port, database=database, user=user, password=password)
    settings = WorkerSettings(
        lease=timedelta(seconds=asked["lease"]),
        poll=timedelta(milliseconds=200),
        hold=timedelta(milliseconds=5),
        patience=50,
    )
    worker = Worker(Database(access, asked["schema"], most=6), [KIND], settings=settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    await worker.run()


if __name__ == "__main__":
    main()
