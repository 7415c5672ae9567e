"""Sources of observations: ``python -m benchmarks.graph.ingest [--lines N] [--long]``.

Lines (or spans) a second of processor time, beside what it takes in the same run to decode the same lines with a library and do
nothing with them. With ``--long``, one log of each form is read to its end, packed with gzip as logs are, and the memory that the
process has taken at most is told: it stays the same however long the log is.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
from benchmarks.stand import table

from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known
from drystone.l05_graph.ingest.source import ObservedSource, Stream
from drystone.l05_graph.ingest.sources import OBSERVED

SERVICES = 500
PAIRS = 5000
RATE = 1000
"""Lines a second in the log: as a busy edge writes them."""
CHUNK = 1 << 20
SOURCES: dict[str, ObservedSource] = {one.name: one for one in OBSERVED}
Ends = tuple[int, int]
Writer = Callable[[Ends, int, random.Random], bytes]


def _address(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250 + 1}"


def endpoints() -> Endpoints:
    """Return the inventory of all services."""
    every = (
        Endpoint(known=Known.IP, value=_address(n), component=f"service-{n}")
        for n in range(SERVICES)
    )
    return Endpoints(tuple(every))


def _time(number: int) -> str:
    minute, second = divmod(number // RATE % 3600, 60)
    return f"2026-11-22T07:{minute:02}:{second:02}.123Z"


def flow(ends: Ends, number: int, chance: random.Random) -> bytes:
    """Write a line of a flow log; every other one is the way back."""
    start, port = 1795330800 + number // RATE, chance.randrange(32768, 61000)
    there = f"{_address(ends[0])} {_address(ends[1])} {port} 443"
    back = f"{_address(ends[1])} {_address(ends[0])} 443 {port}"
    middle = back if number % 2 else there
    return (
        f"2 123456789010 eni-1235b8ca123456789 {middle} 6 20 4249 {start} {start + 60} ACCEPT OK\n"
    ).encode()


def access(ends: Ends, number: int, chance: random.Random) -> bytes:
    """Write a line of the edge's access log, with all of its fields."""
    said = {
        "time": _time(number),
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
    return msgspec.json.encode(said) + b"\n"


def access_text(ends: Ends, number: int, chance: random.Random) -> bytes:
    """Write a line of Envoy's default text format."""
    return (
        f'[{_time(number)}] "GET /users/{number}/orders HTTP/1.1" {503 if number % 50 == 0 else 200} - 0 1000 2 1'
        f' "{_address(ends[0])}" "python-requests/2.32" "{chance.getrandbits(128):032x}"'
        f' "service-{ends[1]}" "10.1.0.1:8000"\n'
    ).encode()


def _span(ends: Ends, number: int, kind: int) -> dict[str, object]:
    own, parent = (number * 2, 0) if kind == 3 else (number * 2 + 1, number * 2)
    said = {"http.request.method": "GET", "http.route": "/users/{id}", "server.port": 443}
    values = {
        key: {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}
        for key, value in said.items()
    }
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{own + 1:016x}",
        "parentSpanId": f"{parent + 1:016x}" if kind == 2 else "",
        "name": "GET /users/{id}",
        "kind": kind,
        "startTimeUnixNano": str((1795330800 + number // RATE) * 10**9),
        "endTimeUnixNano": str((1795330801 + number // RATE) * 10**9),
        "attributes": [{"key": key, "value": value} for key, value in values.items()],
        "status": {},
    }


def spans(ends: Ends, number: int, chance: random.Random) -> bytes:
    """Write a line of the Collector's file exporter: both spans of eight calls."""
    del chance
    every = []
    for kind, end in ((3, ends[0]), (2, ends[1])):
        about = [{"key": "service.name", "value": {"stringValue": f"service-{end}"}}]
        some = [_span(ends, number * 8 + n, kind) for n in range(8)]
        every.append({"resource": {"attributes": about}, "scopeSpans": [{"spans": some}]})
    return msgspec.json.encode({"resourceSpans": every}) + b"\n"


def _field(number: int, content: bytes | int) -> bytes:
    """Write a field; a length has two bytes at most here."""
    if isinstance(content, int):
        return bytes([number << 3 | 1]) + struct.pack("<Q", content)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + content


def frames(ends: Ends, number: int, chance: random.Random) -> bytes:
    """Write the same as a message of Protocol Buffers, with its length before it."""
    document = msgspec.json.decode(spans(ends, number, chance))
    message = b""
    for each in document["resourceSpans"]:
        about = b"".join(_field(1, _key_value(one)) for one in each["resource"]["attributes"])
        some = b"".join(_field(2, _message(one)) for one in each["scopeSpans"][0]["spans"])
        message += _field(1, _field(1, about) + _field(2, some))
    return len(message).to_bytes(4, "big") + message


def _key_value(one: dict[str, dict[str, str]]) -> bytes:
    text = one["value"].get("stringValue")
    value = _field(1, text.encode()) if text is not None else b"\x18\xbb\x03"
    return _field(1, str(one["key"]).encode()) + _field(2, value)


def _message(one: dict[str, object]) -> bytes:
    ids = ((1, "traceId"), (2, "spanId"), (4, "parentSpanId"))
    found = b"".join(_field(n, bytes.fromhex(str(one[key]))) for n, key in ids if one[key])
    found += _field(5, str(one["name"]).encode()) + bytes([6 << 3, int(str(one["kind"]))])
    found += _field(7, int(str(one["startTimeUnixNano"])))
    attributes: list[dict[str, dict[str, str]]] = one["attributes"]  # type: ignore[assignment]
    return found + b"".join(_field(9, _key_value(each)) for each in attributes)


class Form(NamedTuple):
    """A form of log.

    Attributes:
        source: What reads it.
        write: Writes a line of it.
        counts: What a line counts for.
        decode: What libraries make of a line, by name.
    """

    source: str
    write: Writer
    counts: int
    decode: tuple[tuple[str, Callable[[bytes], object]], ...]


_JSON = (("msgspec.json.decode", msgspec.json.decode), ("json.loads", json.loads))
_SPLIT = (("bytes.split", bytes.split),)
FORMS = {
    "access log, JSON": Form("envoy-access-log", access, 1, _JSON),
    "access log, text": Form("envoy-access-log", access_text, 1, _SPLIT),
    "flow log": Form("vpc-flow", flow, 1, _SPLIT),
    "spans, JSON lines": Form("otlp-traces", spans, 16, _JSON),
    "spans, Protocol Buffers": Form("otlp-traces", frames, 16, ()),
}


def lines_of(write: Writer, count: int) -> list[bytes]:
    """Write the lines of a log."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    pairs = [(a, b) for a, b in (chance.sample(range(SERVICES), 2) for _ in range(PAIRS))]
    return [write(chance.choice(pairs), number, chance) for number in range(count)]


def _pieces(lines: Iterable[bytes]) -> list[bytes]:
    text = b"".join(lines)
    return [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def measured(count: int) -> str:
    """Measure every form, each beside what libraries take for its lines alone."""
    inventory = endpoints()
    rows = []
    for name, form in FORMS.items():
        some = lines_of(form.write, count // form.counts)
        pieces, total = _pieces(some), len(some) * form.counts

        def read(form: Form = form, pieces: list[bytes] = pieces) -> object:
            return SOURCES[form.source].read(Stream(name="log", chunks=iter(pieces)), inventory)

        took = _cpu(read)
        beside = []
        for what, decode in form.decode:
            alone = _cpu(lambda decode=decode, some=some: [decode(one) for one in some])  # type: ignore[misc]
            beside.append(f"{what} {total / alone:,.0f} ({alone / took:.2f})")
        size = sum(map(len, pieces)) / total
        rows.append([name, f"{total:,}", f"{size:.0f}", f"{total / took:,.0f}", "; ".join(beside)])
    head = ["form", "lines or spans", "bytes each", "a second", "decoding alone (its share)"]
    return table(f"Reading logs of {SERVICES} services, {PAIRS:,} pairs", head, rows)


def _long(form: Form, count: int) -> Iterator[bytes]:
    """Write a log of many lines, packed: the same hour with other hours in it, and ports that go on."""
    some = _pieces(lines_of(form.write, 100_000 // form.counts))
    pack = zlib.compressobj(1, wbits=31)
    for turn in range(count // 100_000):
        for piece in some:
            hour = piece.replace(b"T07:", b"T%02d:" % (turn % 24)).replace(
                b" 17953", b" 1795%d" % (turn % 10)
            )
            if packed := pack.compress(hour):
                yield packed
    yield pack.flush()


def long(count: int) -> str:
    """Read one packed log of each form to its end."""
    rows = []
    for name, form in FORMS.items():
        if form.source == "otlp-traces":
            continue  # their spans have to differ, which takes longer to write than to read
        stream = Stream(name="log.gz", chunks=_long(form, count))
        began = time.process_time()
        found = SOURCES[form.source].read(stream, endpoints())
        took = time.process_time() - began
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        calls = sum(one.calls for one in found.observations)
        rows.append([name, f"{found.batch.records:,}", f"{calls:,}", f"{took:.0f}", f"{held:,}"])
        sys.stderr.write(f"{rows[-1]}\n")
    head = ["form", "lines", "calls", "s, with writing it", "MiB at most"]
    return table("Long logs, packed with gzip", head, rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--long", action="store_true")
    said = parser.parse_args()
    sys.stdout.write((long if said.long else measured)(said.lines) + "\n")


if __name__ == "__main__":
    main()
