"""Sources of observations: ``python -m benchmarks.graph.ingest [--lines N]``.

Lines a second of processor time, beside what it takes in the same run to read the same bytes, divide them into lines and make
their digest, which no reader can do without. Memory is what Python holds at most, and stays the same however long a file is.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

import msgspec
from benchmarks.stand import table

from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known
from drystone.l05_graph.ingest.source import ObservedSource, Stream
from drystone.l05_graph.ingest.sources import OBSERVED

SERVICES = 500
PAIRS = 5000
RATE = 1000
"""Lines a second in the log: as a busy edge writes them."""
CHUNK = 1 << 16


def _address(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250 + 1}"


def endpoints() -> Endpoints:
    """Return the inventory of all services."""
    every = (
        Endpoint(known=Known.IP, value=_address(n), component=f"service-{n}")
        for n in range(SERVICES)
    )
    return Endpoints(tuple(every))


def flow(ends: tuple[int, int], number: int, chance: random.Random) -> str:
    """Write a line of a flow log; every other one is the way back."""
    start, port = 1795330800 + number // RATE, chance.randrange(32768, 61000)
    there = f"{_address(ends[0])} {_address(ends[1])} {port} 443"
    back = f"{_address(ends[1])} {_address(ends[0])} 443 {port}"
    middle = back if number % 2 else there
    return (
        f"2 123456789010 eni-1235b8ca123456789 {middle} 6 20 4249 {start} {start + 60} ACCEPT OK\n"
    )


def access(ends: tuple[int, int], number: int, chance: random.Random) -> str:
    """Write a line of the edge's access log, with all of its fields."""
    minute, second = divmod(number // RATE % 3600, 60)
    said = {
        "time": f"2026-11-22T07:{minute:02}:{second:02}.123Z",
        "request_id": f"{chance.getrandbits(128):032x}",
        "trace": None,
        "client": _address(ends[0]),
        "protocol": "HTTP/1.1",
        "method": "GET",
        "host": "service.dev.localhost",
        "path": f"/users/{number}/orders",
        "agent": "python-requests/2.32",
        "service": f"service-{ends[1]}",
        "instance": "127.0.0.1:8000",
        "attempts": 1,
        "status": 503 if number % 50 == 0 else 200,
        "flags": "-",
        "details": "via_upstream",
        "received_bytes": 0,
        "sent_bytes": 1000,
        "duration_ms": 2,
        "first_byte_ms": 1,
    }
    return msgspec.json.encode(said).decode() + "\n"


def chunks(line: Callable[[tuple[int, int], int, random.Random], str], lines: int) -> list[bytes]:
    """Write a log, in pieces as a file gives them."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    pairs = [tuple(chance.sample(range(SERVICES), 2)) for _ in range(PAIRS)]
    text = "".join(line(chance.choice(pairs), n, chance) for n in range(lines)).encode()  # type: ignore[arg-type]
    return [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _least(pieces: list[bytes]) -> None:
    """Do what no reader can do without."""
    digest = hashlib.sha256()
    rest = b""
    for piece in pieces:
        digest.update(piece)
        *_, rest = (rest + piece).split(b"\n")


def _held(read: Callable[[], object]) -> int:
    tracemalloc.start()
    read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def measured(lines: int) -> str:
    """Measure the sources that read lines."""
    sources: dict[str, ObservedSource] = {one.name: one for one in OBSERVED}
    inventory = endpoints()
    rows = []
    for name, line in (("vpc-flow", flow), ("envoy-access-log", access)):
        pieces = chunks(line, lines)

        def read(pieces: list[bytes] = pieces, source: ObservedSource = sources[name]) -> object:
            return source.read(Stream(name="log", chunks=_given(pieces)), inventory)

        took, least = _cpu(read), _cpu(lambda pieces=pieces: _least(pieces))  # type: ignore[misc]
        few = pieces[: len(pieces) // 10]
        held = _held(lambda few=few, read=read: read(few)), _held(read)  # type: ignore[misc]
        rows.append(
            [
                name,
                f"{lines:,}",
                f"{lines / took:,.0f}",
                f"{lines / least:,.0f}",
                f"{held[0] / 1e6:.1f}",
                f"{held[1] / 1e6:.1f}",
            ]
        )
    head = ["source", "lines", "lines/s", "only divided and digested", "MB of a tenth", "MB of all"]
    return table(f"Reading logs of {SERVICES} services, {PAIRS:,} pairs", head, rows)


def _given(pieces: list[bytes]) -> Iterator[bytes]:
    yield from pieces


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    sys.stdout.write(measured(parser.parse_args().lines) + "\n")


if __name__ == "__main__":
    main()
