"""Asks both sides of a service for what somebody asked it, and compares; runs in a process of its own, beside the way of requests.

::

    python -m drystone.l35_mesh.migration.comparer --asking JSON --listener N --lifeline N

A copy is answered before anything else happens. What comes faster than it can be compared is counted and left out, so that
neither memory nor the load on the two sides grows with the traffic.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.contract.by_socket import BySocket
from drystone.l00_kernel.contract.sending import Broken, Request, Unconnected
from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.on_demand.serving import (
    Activity,
    Receive,
    Scope,
    Send,
    arguments,
    serve,
)
from drystone.l10_engines.proxy.edge_mirror import COPIED_METHODS
from drystone.l10_engines.proxy.edge_moves import COPY, SIDE
from drystone.l35_mesh.migration import tally
from drystone.l35_mesh.migration.comparers import Asking
from drystone.l35_mesh.migration.comparing import Reply, differences, read_ignored, shown

RATE = 20.0
"""Pairs of questions a second; a burst may be as many."""

AT_ONCE = 8
MOST_BODY = 1 << 20
"""Bytes of an answer that are read; of a longer one the beginnings are compared."""

LIMIT = timedelta(seconds=6)
WRITTEN_EVERY = timedelta(seconds=1)
IDLE = timedelta(minutes=5)

_UNCOPIED = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "range"}
    | {"te", "trailer", "transfer-encoding", "upgrade", COPY, SIDE}
)
_UNANSWERED = (502, 503, 504)


class Comparer:
    """Takes copies of requests (ASGI 3).

    Args:
        asking: What to ask, and what may differ.
        counts: Where it counts.
        clock: The time.
        ticks: Seconds that only grow, for the rate.
    """

    def __init__(
        self,
        asking: Asking,
        counts: tally.Tally,
        clock: Clock,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sides = Path(asking.sides)
        self._ignored = read_ignored(asking.ignored)
        self._counts = counts
        self._clock = clock
        self._ticks = ticks
        self._left, self._looked = RATE, ticks()
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Take one copy; whatever becomes of it, it is answered at once."""
        if scope["type"] != "http":
            return
        self._take(scope)
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body"})

    def _take(self, scope: Scope) -> None:
        headers = _headers(scope)
        method: str = scope["method"]
        if method not in COPIED_METHODS:
            self._counts.left_out("a method that is not safe")
        elif headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            self._counts.left_out("a request with a body")
        elif len(self._under_way) >= AT_ONCE or not self._has_turn():
            self._counts.left_out("more than can be compared")
        else:
            query: bytes = scope["query_string"]
            target = scope["raw_path"] + (b"?" + query if query else b"")
            work = self._compare(method, target.decode("latin-1"), headers)
            task = asyncio.create_task(work, name="compare")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def _has_turn(self) -> bool:
        now = self._ticks()
        self._left = min(RATE, self._left + (now - self._looked) * RATE)
        self._looked = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    async def _compare(self, method: str, target: str, headers: dict[str, str]) -> None:
        try:
            async with asyncio.timeout(LIMIT.total_seconds()):
                here, there = await asyncio.gather(
                    self._ask("here", method, target, headers),
                    self._ask("there", method, target, headers),
                )
        except TimeoutError:
            self._counts.left_out("an answer that took too long")
            return
        except (Unconnected, Broken, OSError, ValueError):
            self._counts.left_out("an answer that broke off")
            return
        if reason := _unfit(here, there):
            self._counts.left_out(reason)
            return
        # Two documents of a megabyte take a while; copies are to be answered meanwhile.
        found = await asyncio.to_thread(differences, here, there, self._ignored)
        if found:
            self._counts.different(self._clock.now(), method, shown(target), found)
        else:
            self._counts.same(self._clock.now())

    async def _ask(self, side: str, method: str, target: str, headers: dict[str, str]) -> Reply:
        """Ask one side, by the proxy."""
        way = BySocket(self._sides, f"http://{headers['host']}")
        asked = {
            name: value
            for name, value in headers.items()
            if name not in _UNCOPIED and not name.startswith(("if-", "x-envoy-"))
        }
        # Whole and plain answers can be compared.
        asked |= {"accept-encoding": "identity", SIDE: side}
        request = Request(verb=method, target=target, headers=asked, content=None, streams=False)
        answer = await way.send(request)
        body = bytearray()
        try:
            if method != "HEAD" and not _is_stream(answer.headers.get("content-type", "")):
                async for piece in answer.chunks():
                    body += piece
                    if len(body) > MOST_BODY:
                        break
        finally:
            await answer.close()
        is_whole = len(body) <= MOST_BODY
        return Reply(answer.status, answer.headers, bytes(body[:MOST_BODY]), is_whole)


def _unfit(here: Reply, there: Reply) -> str | None:
    """Say why two answers tell nothing about both sides."""
    if 429 in {here.status, there.status}:
        return "a limit that was met"
    if here.status in _UNANSWERED and there.status in _UNANSWERED:
        return "no answer of either side"
    if all(_is_stream(one.headers.get("content-type", "")) for one in (here, there)):
        return "a stream"
    return None


def _is_stream(media_type: str) -> bool:
    return media_type.startswith("text/event-stream")


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by name; one that comes twice as one (RFC 9110 section 5.3)."""
    headers: dict[str, str] = {"host": "localhost"}
    seen = set()
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        between = "; " if name == "cookie" else ", "
        headers[name] = headers[name] + between + value if name in seen else value
        seen.add(name)
    return headers


async def keep_writing(counts: tally.Tally, path: Path) -> None:
    """Keep the counts on disk, never older than a second or so, until this is cancelled."""
    written = None
    while True:
        if (so_far := counts.so_far) != written:
            with suppress(
                OSError, PlatformError
            ):  # there is no room now; there may be a little later
                await asyncio.to_thread(tally.write, path, so_far)
                written = so_far
        await asyncio.sleep(WRITTEN_EVERY.total_seconds())


async def _run(asking: Asking, listener: int, lifeline: int) -> None:
    clock, path = SystemClock(), Path(asking.report)
    counts = tally.Tally(clock.now(), tally.read(path))
    app = Activity(Comparer(asking, counts, clock))
    writing = asyncio.create_task(keep_writing(counts, path), name="write counts")
    try:
        await serve(app, listener=listener, lifeline=lifeline, idle=IDLE)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        with suppress(OSError, PlatformError):
            tally.write(path, counts.so_far)


def main(words: Sequence[str]) -> None:
    """Compare until nobody sends copies any more."""
    parser = argparse.ArgumentParser(prog="python -m drystone.l35_mesh.migration.comparer")
    parser.add_argument("--asking", type=str, required=True)
    arguments(parser)
    given = parser.parse_args(words)
    asking = msgspec.json.decode(given.asking, type=Asking)
    asyncio.run(_run(asking, given.listener, given.lifeline))


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
