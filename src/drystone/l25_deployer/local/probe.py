"""Ask an instance in its own protocol whether it is well, and say exactly what it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import msgspec

from drystone.l00_kernel.shortage import is_shortage
from drystone.l10_engines.namespaces import NetworkLost, connect
from drystone.l10_engines.proxy.edge import Protocol
from drystone.l25_deployer.local.http2_exchange import exchange
from drystone.l25_deployer.stacks.model import Health

MAX_LINE = 4096
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = 1
_STATUSES = {0: "UNKNOWN", SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_UNIMPLEMENTED, _NOT_FOUND = "12", "5"
_HTTP2_SETTINGS = 4
_LEAST_SLACK = timedelta(milliseconds=500)
_SLACK = 4
"""Which part of the time for an answer this program may lose without doubting what it heard."""


class ProbeResult(msgspec.Struct, frozen=True):
    """One answer, or the lack of it.

    Attributes:
        is_ok: The instance is well: a status from 200 to 399, or SERVING.
        text: What happened, for a person who has to mend it.
        was_asked: False when the question could not be put, for want of something that this machine ran out
            of, or the agent had no time to hear an answer. That says nothing about the instance.
    """

    is_ok: bool
    text: str
    was_asked: bool = True


async def ask_health(
    health: Health, port: int, protocol: Protocol, network: Path | None = None
) -> ProbeResult:
    """Ask an instance what its descriptor says.

    Args:
        health: The question.
        port: The instance's own port; a port of the check's own is asked in its place, by HTTP/1.1 or gRPC.
        protocol: What the instance speaks on its own port.
        network: The way into its network; None where that is this process's own.
    """
    if health.grpc:
        return await probe_grpc(
            health.port or port, health.service or "", timeout=health.timeout, network=network
        )
    if health.port is not None:
        port, protocol = health.port, "http1"
    return await probe(
        port, health.path, timeout=health.timeout, protocol=protocol, network=network
    )


async def probe(
    port: int,
    path: str,
    *,
    timeout: timedelta,  # noqa: ASYNC109 - the limit is part of the question
    method: str = "GET",
    protocol: Protocol = "http1",
    network: Path | None = None,
) -> ProbeResult:
    """Send one request to 127.0.0.1 and judge the status (RFC 9110 section 15)."""
    asked = f"{method} http://127.0.0.1:{port}{path}"
    if protocol == "http2":
        return await _judged(
            f"{asked} by HTTP/2", _probe_http2(port, path, method, network), timeout
        )
    return await _judged(asked, _probe_http1(port, path, method, network), timeout)


async def probe_grpc(
    port: int,
    service: str,
    *,
    timeout: timedelta,  # noqa: ASYNC109 - the limit is part of the question
    network: Path | None = None,
) -> ProbeResult:
    """Ask 127.0.0.1 by the gRPC health protocol (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).

    Args:
        port: The port.
        service: Which of the server's services; the whole server when empty.
        timeout: How long it may take.
        network: See :func:`ask_health`.
    """
    about = f" about {service}" if service else ""
    asked = f"gRPC health of 127.0.0.1:{port}{about}"
    return await _judged(asked, _check(port, service, timeout, network), timeout)


async def _judged(
    asked: str,
    answer: Awaitable[ProbeResult],
    timeout: timedelta,  # noqa: ASYNC109 - the limit is part of the question
) -> ProbeResult:
    end = asyncio.get_running_loop().time() + timeout.total_seconds()
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            result = await answer
    except TimeoutError:
        is_behind = await _is_behind(end, max(timeout / _SLACK, _LEAST_SLACK))
        text = f"no answer within {timeout.total_seconds():g} s"
        if is_behind:
            text = "not judged, the agent had no time to hear an answer"
        result = ProbeResult(False, text, not is_behind)
    except NetworkLost:
        return ProbeResult(False, f"{asked}: the network of the instance is not there any more")
    except ConnectionRefusedError:
        return ProbeResult(False, f"{asked}: connection refused, nothing listens there")
    except (OSError, ValueError) as e:
        if is_shortage(e):
            return ProbeResult(False, f"{asked}: not asked, the agent is short of it: {e}", False)
        return ProbeResult(False, f"{asked}: {str(e)[:200] or type(e).__name__}")
    return ProbeResult(result.is_ok, f"{asked}: {result.text}", result.was_asked)


async def _is_behind(end: float, slack: timedelta) -> bool:
    """Tell whether this program itself is slow, so that an answer may have come and nobody has read it.

    Without this, a machine with too much to do would take all of its services for ill at once, and have more to do.

    Args:
        end: When the limit was reached, by the clock of the event loop.
        slack: How late it may be here.
    """
    await asyncio.sleep(0)  # one turn of the loop, and one more for what came meanwhile
    await asyncio.sleep(0)
    return asyncio.get_running_loop().time() - end > slack.total_seconds()


async def _probe_http1(port: int, path: str, method: str, network: Path | None) -> ProbeResult:
    line = await _status_line(port, path, method, network)
    version, _, rest = line.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not status.isdigit():
        hint = ""
        if len(line) > 3 and line[:2] == "\0\0" and ord(line[3]) == _HTTP2_SETTINGS:
            hint = "; it is HTTP/2: write 'proxy: {protocol: http2}'"
        return ProbeResult(False, f"the answer is not HTTP: {line[:80]!r}{hint}")
    return ProbeResult(_is_good(int(status)), f"status {rest[:60].strip()}")


async def _probe_http2(port: int, path: str, method: str, network: Path | None) -> ProbeResult:
    headers = {"user-agent": "drystone-probe", "accept": "*/*"}
    answer = await exchange(port, method, path, headers, network=network)
    return ProbeResult(_is_good(answer.status), f"status {answer.status}")


def _is_good(status: int) -> bool:
    return 200 <= status < 400


async def _check(port: int, service: str, within: timedelta, network: Path | None) -> ProbeResult:
    named = service.encode()
    # HealthCheckRequest has one field, a text: its number and type, its length, itself.
    message = b"\x0a" + _varint(len(named)) + named if named else b""
    headers = {
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": "drystone-probe",
        "grpc-timeout": f"{max(1, int(within.total_seconds() * 1000))}m",
    }
    body = b"\0" + len(message).to_bytes(4, "big") + message
    answer = await exchange(port, "POST", HEALTH_CHECK, headers, body, network=network)
    code = answer.headers.get("grpc-status")
    if code is None:
        return ProbeResult(False, f"status {answer.status}, and no gRPC")
    if code == _UNIMPLEMENTED:
        return ProbeResult(False, "the server does not offer grpc.health.v1.Health")
    if code == _NOT_FOUND:
        return ProbeResult(False, "the server does not know this service")
    if code != "0":
        said = answer.headers.get("grpc-message", "")
        return ProbeResult(False, f"grpc-status {code} {said[:100]}".rstrip())
    # HealthCheckResponse has one field, a number below 128 that is left out when it is 0.
    reply = answer.body[5:]
    status = reply[1] if len(reply) > 1 and reply[0] == 8 else 0
    return ProbeResult(status == SERVING, _STATUSES.get(status, str(status)))


def _varint(number: int) -> bytes:
    """Write a number as protocol buffers do: seven bits at a time, the lowest first."""
    head = bytearray()
    while number > 127:
        head.append(number & 127 | 128)
        number >>= 7
    return bytes([*head, number])


async def _status_line(port: int, path: str, method: str, network: Path | None) -> str:
    reader, writer = await connect(port, network, limit=MAX_LINE)
    try:
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: drystone-probe\r\n"
            "Accept: */*\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode("ascii", "strict"))
        await writer.drain()
        line = await reader.readline()
        if not line:
            raise ConnectionResetError("the connection was closed without an answer")
        return line.decode("latin-1").strip()
    finally:
        writer.close()
