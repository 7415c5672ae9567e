"""What hostile clients may do to the edge: be refused, or be cut off, while nobody else notices.

Everything here goes to loopback, with at most 2,000 connections and for at most 20 seconds each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from drystone.testing.conformance.engines import eventually
from faults.neighbours import NEIGHBOUR, Attacked
from faults.raw_http import exchange, statuses
from l10_engines.proxy.rig import HOST

pytestmark = pytest.mark.asyncio(loop_scope="module")

TO_VICTIM = b"host: " + HOST.encode() + b"\r\n"
CLOSE = b"connection: close\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + TO_VICTIM + b"\r\n"


def request(
    line: bytes = b"GET / HTTP/1.1", *fields: bytes, host: bytes = TO_VICTIM, body: bytes = b""
) -> bytes:
    head = b"".join(field + b"\r\n" for field in fields)
    return line + b"\r\n" + host + CLOSE + head + b"\r\n" + body


def post(*fields: bytes, body: bytes) -> bytes:
    head = b"".join(field + b"\r\n" for field in fields)
    return b"POST / HTTP/1.1\r\n" + TO_VICTIM + head + b"\r\n" + body


async def answers(edge: Attacked, requests: dict[str, bytes]) -> dict[str, bytes]:
    """Send each request over a connection of its own, all at once; return what came back."""
    found = await asyncio.gather(*(exchange(edge.port, sent) for sent in requests.values()))
    return dict(zip(requests, found, strict=True))


MALFORMED: dict[str, tuple[bytes, int]] = {
    "many fields": (request(b"GET / HTTP/1.1", *[b"x-%d: y" % n for n in range(1000)]), 431),
    "a long field": (request(b"GET / HTTP/1.1", b"x: " + b"a" * 100_000), 431),
    "a line of a megabyte": (b"A" * (1 << 20), 431),
    "a path of a megabyte": (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n\r\n", 431),
    "a TLS greeting": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(256), 400),
    "a zero in the line": (request(b"GET /\0 HTTP/1.1"), 400),
    "a zero in a value": (request(b"GET / HTTP/1.1", b"x: a\0b"), 400),
    "a zero in a name": (request(b"GET / HTTP/1.1", b"x\0: b"), 400),
    "a delete in a value": (request(b"GET / HTTP/1.1", b"x: a\x7fb"), 400),
    "a method without end": (request(b"M" * 50_000 + b" / HTTP/1.1"), 400),
    "a method that is none": (request(b"GE(T / HTTP/1.1"), 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "no version": (request(b"GET / "), 400),
    "no host": (request(host=b""), 400),
    "a list of hosts": (request(host=TO_VICTIM[:-2] + b", " + NEIGHBOUR.encode() + b"\r\n"), 400),
    "a path in the host": (request(host=TO_VICTIM[:-2] + b"/x\r\n"), 400),
    "a tab in the host": (request(host=TO_VICTIM[:-2] + b"\tx\r\n"), 400),
    "a space in the path": (request(b"GET /a b HTTP/1.1"), 400),
    "a byte above ASCII in the path": (request(b"GET /\xe4 HTTP/1.1"), 400),
    "a fragment": (request(b"GET /a#b HTTP/1.1"), 400),
    "an escaped zero": (request(b"GET /%00 HTTP/1.1"), 400),
    "a path without a slash": (request(b"GET a HTTP/1.1"), 400),
    "a scheme that is not spoken": (request(b"GET https://" + HOST.encode() + b"/ HTTP/1.1"), 403),
    "a tunnel": (request(b"CONNECT " + NEIGHBOUR.encode() + b":80 HTTP/1.1"), 404),
    "an upgrade to something else": (
        request(b"GET / HTTP/1.1", b"upgrade: evil", b"connection: upgrade"),
        403,
    ),
    "fields that are to be dropped": (
        request(b"GET / HTTP/1.1", b"connection: x-forwarded-for, x-request-id"),
        400,
    ),
    "an overlong pseudo UTF-8 id with an escape": (
        request(b"GET / HTTP/1.1", b"x-request-id: \x1b[2J"),
        400,
    ),
}


async def test_what_is_malformed_is_refused_and_reaches_nobody(edge: Attacked) -> None:
    before = list(edge.victim.lines)
    async with edge.undisturbed():
        found = await answers(edge, {what: sent for what, (sent, _) in MALFORMED.items()})
    assert {what: statuses(answer) for what, answer in found.items()} == {
        what: [status] for what, (_, status) in MALFORMED.items()
    }
    assert edge.victim.lines == before


CHUNKS = b"0\r\n\r\n" + SMUGGLED
TWO_READINGS: dict[str, bytes] = {
    "length and chunks": post(b"content-length: 5", b"transfer-encoding: chunked", body=CHUNKS),
    "two lengths": post(b"content-length: 0", b"content-length: 60", body=SMUGGLED),
    "a list of lengths": post(b"content-length: 0, 60", body=SMUGGLED),
    "a signed length": post(b"content-length: +5", body=b"abcde" + SMUGGLED),
    "a negative length": post(b"content-length: -1", body=SMUGGLED),
    "a length in hexadecimal": post(b"content-length: 0x5", body=b"abcde" + SMUGGLED),
    "a length without end": post(b"content-length: 99999999999999999999", body=SMUGGLED),
    "a folded coding": post(b"transfer-encoding:\r\n chunked", b"content-length: 5", body=CHUNKS),
    "identity": post(b"transfer-encoding: identity", body=SMUGGLED),
    "chunked, then identity": post(b"transfer-encoding: chunked, identity", body=CHUNKS),
    "identity, then chunked": post(b"transfer-encoding: identity, chunked", body=CHUNKS),
    "two codings": post(b"transfer-encoding: chunked", b"transfer-encoding: identity", body=CHUNKS),
    "a coding nobody knows": post(b"transfer-encoding: xchunked", body=CHUNKS),
    "a space before the colon": post(
        b"transfer-encoding : chunked", b"content-length: 5", body=CHUNKS
    ),
    "a control before the coding": post(b"transfer-encoding: \x0bchunked", body=CHUNKS),
    "a line feed in a chunk's extension": post(
        b"transfer-encoding: chunked", body=b"5;a\nb\r\nabcde\r\n" + CHUNKS
    ),
    "a negative chunk": post(b"transfer-encoding: chunked", body=b"-5\r\nabcde\r\n" + CHUNKS),
    "a chunk without end": post(b"transfer-encoding: chunked", body=b"f" * 17 + b"\r\na" + CHUNKS),
}


async def test_a_request_that_can_be_read_in_two_ways_is_refused(edge: Attacked) -> None:
    async with edge.undisturbed():
        found = await answers(edge, TWO_READINGS)
    understood = {how: a for how, a in found.items() if statuses(a) not in ([400], [501])}
    assert understood == {}
    assert not [line for line in edge.victim.lines if "smuggled" in line]


CARELESS = {
    "a bare line feed": request().replace(b"\r\n", b"\n"),
    "a folded line": request(b"GET /headers HTTP/1.1", b"x: a\r\n x-forwarded-for: 6.6.6.6"),
    "a bare carriage return": request(b"GET /headers HTTP/1.1", b"x: a\rx-forwarded-for: 6.6.6.6"),
    "a body that a GET announces": request(
        b"GET / HTTP/1.1", b"content-length: %d" % len(SMUGGLED), body=SMUGGLED
    ),
    "chunks by HTTP/1.0": request(
        b"POST / HTTP/1.0", b"transfer-encoding: chunked", body=CHUNKS
    ),
}  # fmt: skip


async def test_what_is_careless_is_understood_in_one_way_by_everybody(edge: Attacked) -> None:
    before = len(edge.victim.lines)
    found = await answers(edge, CARELESS)
    assert [statuses(answer) for answer in found.values()] == [[200]] * len(CARELESS)
    assert len(edge.victim.lines) == before + len(CARELESS)
    assert not [how for how, a in found.items() if b'"x-forwarded-for": "6.6.6.6"' in a]


HOSTS: dict[str, tuple[bytes, bytes | None]] = {
    "upper case": (request(host=TO_VICTIM.upper()), b"victim"),
    "a port": (request(host=TO_VICTIM[:-2] + b":1\r\n"), b"victim"),
    "a port that is none": (request(host=TO_VICTIM[:-2] + b":99999\r\n"), b"victim"),
    "a dot at the end": (request(host=TO_VICTIM[:-2] + b".\r\n"), b"victim"),
    "a dot and a port": (request(host=TO_VICTIM[:-2] + b".:80\r\n"), b"victim"),
    "an address that says otherwise": (
        request(b"GET http://" + NEIGHBOUR.encode() + b"/ HTTP/1.1"),
        b"neighbour",
    ),
    "an address with a password": (
        request(b"GET http://a:b@" + HOST.encode() + b"/ HTTP/1.1"),
        b"victim",
    ),
    "a user": (request(host=b"host: x@" + HOST.encode() + b"\r\n"), None),
    "none": (request(host=b"host: \r\n"), None),
    "two": (request(host=TO_VICTIM + b"host: " + NEIGHBOUR.encode() + b"\r\n"), None),
    "any": (request(host=b"host: *\r\n"), None),
    "the index's own name": (request(host=b"host: *index\r\n"), None),
    "the cluster of the agent": (request(host=b"host: *xds\r\n"), None),
    "Envoy's administration": (
        request(b"POST /quitquitquit HTTP/1.1", host=b"host: admin\r\n"),
        None,
    ),
    "an internal name": (request(host=b"host: internal.dev.neighbour\r\n"), None),
}


async def test_a_host_leads_to_its_own_service_or_to_none(edge: Attacked) -> None:
    found = await answers(edge, {how: sent for how, (sent, _) in HOSTS.items()})
    assert {how: answer.rpartition(b"\r\n")[2] for how, answer in found.items()} == {
        how: who or found[how].rpartition(b"\r\n")[2] for how, (_, who) in HOSTS.items()
    }
    nobody = [statuses(found[how]) for how, (_, who) in HOSTS.items() if who is None]
    assert nobody == [[404]] * len(nobody)


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd"),
        ("/a/../../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/\\..\\x", "/x"),
        ("/a;b=c/../x", "/x"),
        ("/..", "/"),
        ("/%2e", "/"),
        ("//a//b", "//a//b"),
        ("/a%2f..%2fb", "/a%2f..%2fb"),
        ("/%5c..%5c", "/%5c..%5c"),
        ("/%zz", "/%zz"),
    ],
)
async def test_a_path_never_leads_above_its_root(
    edge: Attacked, written: str, arrives: str
) -> None:
    answer = await exchange(edge.port, request(f"GET {written} HTTP/1.1".encode()))
    assert statuses(answer) == [200]
    assert edge.victim.lines[-1] == f"GET {arrives} HTTP/1.1"


async def test_no_client_sets_how_long_or_how_often_it_is_served(edge: Attacked) -> None:
    """Envoy obeys such fields from clients that it takes for its own, as it does those of this machine."""
    forged = (b"x-envoy-retry-on: 5xx", b"x-envoy-max-retries: 9", b"content-length: 0")
    before = edge.victim.seen["POST /status/503"]
    await exchange(edge.port, request(b"POST /status/503 HTTP/1.1", *forged))
    assert edge.victim.seen["POST /status/503"] == before + 1
    slow = asyncio.create_task(
        exchange(
            edge.port,
            request(b"GET /slow HTTP/1.1", b"x-envoy-upstream-rq-timeout-ms: 1"),
            within=20,
        )
    )
    await eventually(lambda: edge.victim.seen["GET /slow"] == 1)
    await asyncio.sleep(0.1)
    edge.victim.release.set()
    assert statuses(await slow) == [200]


async def test_no_client_says_for_whom_it_speaks(edge: Attacked) -> None:
    standing_for = "for host proto port prefix scheme ssl server client-cert".split()  # noqa: SIM905
    envoys = "internal external-address original-path attempt-count force-trace".split()  # noqa: SIM905
    names = [
        *(f"x-forwarded-{word}" for word in standing_for),
        *(f"x-envoy-{word}" for word in envoys),
        *("forwarded", "x-real-ip", "x-original-url", "x-rewrite-url"),
    ]
    forged = [f"{name}: evil".encode() for name in names]
    answer = await exchange(edge.port, request(b"GET /headers HTTP/1.1", *forged))
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert [name for name, value in seen.items() if value == "evil"] == []
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert not [name for name in seen if name.startswith("x-envoy")]


async def test_a_trailer_does_not_pass_for_a_header(edge: Attacked) -> None:
    body = b"0\r\nx-forwarded-for: 6.6.6.6\r\n\r\n"
    sent = request(b"POST /headers HTTP/1.1", b"transfer-encoding: chunked", body=body)
    answer = await exchange(edge.port, sent)
    assert statuses(answer) == [200]
    assert b"6.6.6.6" not in answer


TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "quotes": lambda mark: request(
        b'GET /"\\"},{"status":200 HTTP/1.1', b'user-agent: "\\n"}', b"x-request-id: " + mark
    ),
    "no UTF-8": lambda mark: request(
        b"GET / HTTP/1.1", b"user-agent: \xff\xfe\xc3\x28\xed\xa0\x80", b"x-request-id: " + mark
    ),
    "separators of lines": lambda mark: request(
        b"GET / HTTP/1.1", "user-agent: a\u2028b\u0085c".encode(), b"x-request-id: " + mark
    ),
    "operators of the log": lambda mark: request(
        b"GET /%REQ(A)%%START_TIME% HTTP/1.1", b"user-agent: %STATUS%", b"x-request-id: " + mark
    ),
    "a long path": lambda mark: request(
        b"GET /" + b"a" * 59_000 + b" HTTP/1.1", b"x-request-id: " + mark
    ),
    "a long agent": lambda mark: request(
        b"GET / HTTP/1.1", b"user-agent: " + b"\xe2\x82\xac" * 19_000, b"x-request-id: " + mark
    ),
    "a long id": lambda mark: request(
        b"GET / HTTP/1.1", b"x-request-id: " + mark + b"z" * 50_000
    ),
    "a long unknown host": lambda mark: request(
        host=b"host: " + b"h" * 50_000 + b"\r\nx-request-id: " + mark + b"\r\n"
    ),
}  # fmt: skip

LONGEST_LINE = 8192
"""Bytes of a line of the access log: the sum of what each field may hold, escaped, and their names."""


async def test_a_line_of_the_access_log_is_one_short_json_object_whatever_a_client_says(
    edge: Attacked,
) -> None:
    log = edge.rig.access_log
    marks = {what: what.replace(" ", "-").encode() for what in TEXTS}
    await answers(edge, {what: TEXTS[what](mark) for what, mark in marks.items()})

    def are_written() -> bool:
        text = log.read_bytes() if log.exists() else b""
        return all(mark in text for mark in marks.values())

    await eventually(are_written)
    lines = log.read_bytes().splitlines()
    assert max(map(len, lines)) < LONGEST_LINE
    entries = [json.loads(line) for line in lines]
    fields = {frozenset(entry) for entry in entries}
    assert len(fields) == 1, "a client added or removed a field"
    ids = [entry["request_id"] or "" for entry in entries]
    told = {what: sum(i.startswith(mark.decode()) for i in ids) for what, mark in marks.items()}
    assert told == dict.fromkeys(TEXTS, 1)
    assert {entry["client"] for entry in entries} == {"127.0.0.1"}
