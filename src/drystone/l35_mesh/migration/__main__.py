"""Moves the data of one resource; told by one JSON document on standard input, tells one JSON object per line.

::

    python -m drystone.l35_mesh.migration < brief.json

Exit codes: 0 done, or interrupted while it followed; 1 refused or failed with a reason. Whatever ends it, the same brief goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

import msgspec

from drystone.l00_kernel import fault_points
from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l35_mesh.migration.api import DataSource, MigrationApi
from drystone.l35_mesh.migration.brief import Brief, Said
from drystone.l35_mesh.migration.errors import NoMigration
from drystone.l35_mesh.migration.moves import DataMove
from drystone.l35_mesh.migration.noted_moves import Surroundings

NEAR = 1 << 20
"""Bytes of changes that may be missing when the cut-over begins; they take a moment."""

NEAR_KEYS = 1000
"""The same for what is counted in keys."""

TOLD_EVERY = timedelta(seconds=5)


class Interrupted(Exception):
    """Somebody has had enough."""


class Program:
    """Carries one brief out.

    Args:
        brief: What to do.
    """

    def __init__(self, brief: Brief) -> None:
        self._brief = brief
        self._is_interrupted = False
        self._told = 0.0
        self._unit, self._near = "bytes", NEAR

    def run(self) -> None:
        """Do it.

        Raises:
            PlatformError: It cannot be done; nothing is lost, and the same brief may be given again.
            Interrupted: It followed until somebody had enough.
        """
        source = asyncio.run(self._source())
        arm = {"postgres": self._database, "bucket": self._bucket, "cache": self._cache}
        with arm[source.kind](source.values) as move:
            # Faults have their places once the module of the move is loaded.
            arm_faults(self._home)
            self._carry_out(move)

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Take note of a signal; a batch that was begun is finished."""
        self._is_interrupted = True

    def say(self, text: str) -> None:
        """Tell what happened."""
        sys.stdout.buffer.write(msgspec.json.encode(Said(text)) + b"\n")
        sys.stdout.flush()

    def _carry_out(self, move: DataMove) -> None:
        if self._brief.deed == "give-up":
            move.give_up()
            return
        move.begin()
        move.follow(self._is_enough)
        if self._is_interrupted:
            raise Interrupted
        move.cut_over(lambda: asyncio.run(self._switch()))

    @contextmanager
    def _database(self, values: dict[str, str]) -> Iterator[DataMove]:
        from drystone.l35_mesh.migration.databases import DatabaseMove  # noqa: PLC0415 - loads psycopg

        yield DatabaseMove(values["url"], self._brief.to, self._brief.name, self.say)

    @contextmanager
    def _bucket(self, values: dict[str, str]) -> Iterator[DataMove]:
        from drystone.l10_engines.objects.access import BucketAccess  # noqa: PLC0415
        from drystone.l10_engines.objects.external import parse_bucket_url  # noqa: PLC0415
        from drystone.l35_mesh.migration.buckets import BucketMove  # noqa: PLC0415 - loads boto3

        held = ("endpoint", "region", "access_key", "secret_key")
        yield BucketMove(
            BucketAccess(bucket=values["name"], **{name: values[name] for name in held}),
            parse_bucket_url(self._brief.to),
            self._surroundings(),
        )

    @contextmanager
    def _cache(self, values: dict[str, str]) -> Iterator[DataMove]:
        from drystone.l10_engines.cache.external import parse_url  # noqa: PLC0415
        from drystone.l35_mesh.migration.caches import CacheMove  # noqa: PLC0415

        self._unit, self._near = "keys", NEAR_KEYS
        source, target = parse_url(values["url"]), parse_url(self._brief.to)
        with closing(CacheMove(source, target, self._surroundings())) as move:
            yield move

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            self._notes, self._hold, self.say, is_enough=lambda: self._is_interrupted
        )

    @property
    def _home(self) -> Home:
        return Home(Path(self._brief.home))

    @property
    def _notes(self) -> Path:
        brief = self._brief
        folder = self._home.services / brief.environment / brief.service
        return folder / f"move-{brief.resource}.sqlite"

    def _hold(self, is_held: bool) -> bool:
        return asyncio.run(self._ask_to_hold(is_held=is_held))

    async def _ask_to_hold(self, *, is_held: bool) -> bool:
        """Let the service write to the resource no more, or again; tell whether it is so."""
        brief = self._brief
        async with connect(MigrationApi, uds=self._home.agent_socket) as api:
            said = await api.hold_data(
                Context(ANONYMOUS),
                environment=brief.environment,
                service=brief.service,
                resource=brief.resource,
                is_held=is_held,
            )
        return said.is_done

    def _is_enough(self, lag: int) -> bool:
        now = time.monotonic()
        if now - self._told >= TOLD_EVERY.total_seconds():
            self._told = now
            self.say(f"follows; {lag} {self._unit} of changes behind")
        return self._is_interrupted or (self._brief.deed == "cut-over" and lag < self._near)

    async def _source(self) -> DataSource:
        brief = self._brief
        async with connect(MigrationApi, uds=self._home.agent_socket) as api:
            return await api.data_source(
                Context(ANONYMOUS),
                environment=brief.environment,
                service=brief.service,
                resource=brief.resource,
            )

    async def _switch(self) -> None:
        """Give all traffic to the other side, if the service moves."""
        brief = self._brief
        async with connect(MigrationApi, uds=self._home.agent_socket) as api:
            try:
                await api.share(
                    Context(ANONYMOUS),
                    environment=brief.environment,
                    service=brief.service,
                    percent=100,
                )
            except NoMigration:
                self.say("the service does not move: its requests go where they went")
            else:
                self.say("every request goes to the other side")


def arm_faults(home: Home) -> None:
    """Arm what tests ask for; its places are known once what has them is loaded."""
    wishes = os.environ.get(fault_points.VARIABLE, "")
    ours = ",".join(wish for wish in wishes.split(",") if wish.strip().startswith("data."))
    fault_points.arm(ours, home.run, lambda _: None)


def main() -> int:
    """Carry out the brief that stands on standard input."""
    program = Program(msgspec.json.decode(sys.stdin.buffer.read(), type=Brief))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, program.interrupt)
    try:
        program.run()
    except Interrupted:
        program.say("stopped; the same command goes on, and what changes meanwhile is kept")
    except PlatformError as e:
        sys.stdout.buffer.write(msgspec.json.encode(Said(str(e), is_error=True)) + b"\n")
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(main())
