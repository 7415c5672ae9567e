"""Count for every proxy of a home.

::

    python -m drystone.l35_mesh.limits --socket PATH --policies FILE --memory BYTES [--store FILE] [--rls PORT]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import uvloop

from drystone.l35_mesh.limits.counter import Counter, InMemory
from drystone.l35_mesh.limits.program import Limiter


def main(words: Sequence[str]) -> None:
    """Serve until this process is told to end (TERM, INT)."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l35_mesh.limits")
    parser.add_argument("--socket", type=Path, required=True, help="where proxies ask")
    parser.add_argument("--policies", type=Path, required=True, help="what is counted")
    parser.add_argument("--memory", type=int, required=True, help="bytes of data at most")
    parser.add_argument("--store", type=Path, help="file with the URL of a store to count in")
    parser.add_argument("--rls", type=int, help="loopback port for Envoy's rate limit service")
    given = parser.parse_args(words)
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory, given.memory))
    # What lives long is most of what there is: looking through all of it again and again is of no use.
    gc.freeze()
    url = given.store.read_text().strip() if given.store else None
    uvloop.run(_serve(given, url))


async def _serve(given: argparse.Namespace, url: str | None) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with AsyncExitStack() as stack:
        counter = await _counter(url, stack)
        if given.rls:
            from drystone.l35_mesh.limits.rls import serving  # noqa: PLC0415 - few ask for it

            await stack.enter_async_context(serving(counter, given.rls))
        running = asyncio.create_task(Limiter(counter, given.policies).run(given.socket))
        ended = asyncio.create_task(told.wait())
        await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        running.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        with suppress(asyncio.CancelledError):
            await running


async def _counter(url: str | None, stack: AsyncExitStack) -> Counter:
    if url is None:
        return InMemory()
    from drystone.l35_mesh.limits.store import InStore  # noqa: PLC0415 - few have one

    counter = InStore(url)
    await stack.enter_async_context(counter.working())
    return counter


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
