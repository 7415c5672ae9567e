"""Run the talker as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from drystone.l10_engines.loopback_ports import free_port


class Talker(msgspec.Struct, frozen=True):
    """A talker that runs.

    Attributes:
        port: Where it listens.
        process: The process.
    """

    port: int
    process: Process

    def leave(self) -> None:
        """Ask it to say goodbye and end."""
        self.process.send_signal(signal.SIGTERM)


@asynccontextmanager
async def running_talker(version: str) -> AsyncIterator[Talker]:
    """Run a talker, from when it listens until the end of the block."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "drystone.testing.talker",
        str(port),
        env={**os.environ, "APP_VERSION": version},
        stdout=PIPE,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(30):
            await process.stdout.readline()
        yield Talker(port, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
