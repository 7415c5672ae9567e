"""Ask a running Envoy about itself, through the socket that only its own user may open."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httptools
import msgspec

from drystone.l10_engines.proxy.errors import ProxyUnavailable

_PATIENCE = timedelta(seconds=1)
_LONG_PATIENCE = timedelta(seconds=10)
"""For what may be megabytes."""


class Outcomes(msgspec.Struct, frozen=True):
    """What has become of attempts at one host.

    Attributes:
        answered: With a status below 500.
        failed: Answered with 500 or above, broken off, or never connected.
    """

    answered: int = 0
    failed: int = 0

    def __add__(self, other: Outcomes) -> Outcomes:
        """Return the sum."""
        return Outcomes(self.answered + other.answered, self.failed + other.failed)


UNDER_WAY = r"^http\.(edge|inbound/.+|outbound/.+)\.downstream_rq_active$"
"""The statistics that tell how many requests of clients and of services are under way, as a regular expression."""


class Admin:
    """The administration interface of one Envoy (https://www.envoyproxy.io/docs, "Operations").

    Args:
        socket: Its unix socket.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def is_live(self) -> bool:
        """Tell whether Envoy answers and has its configuration."""
        try:
            await self._ask("GET", "/ready")
        except ProxyUnavailable:
            return False
        return True

    async def server_info(self) -> dict[str, Any]:
        """Return its version, node and command line.

        Raises:
            ProxyUnavailable: It does not answer within a second; so for every method here.
        """
        return dict(msgspec.json.decode(await self._ask("GET", "/server_info")))

    async def drain_listeners(self, *, graceful: bool) -> None:
        """Close each connection after its request, and the port.

        Args:
            graceful: Keep the port open for the drain time, so that another Envoy can take over.
        """
        await self._ask("POST", "/drain_listeners" + ("?graceful" if graceful else ""))

    async def reopen_logs(self) -> None:
        """Make it open its access log again, after that was moved away."""
        await self._ask("POST", "/reopen_logs")

    async def statistics(self, pattern: str) -> bytes:
        """Return the statistics that were ever touched and whose names fit a pattern, as JSON.

        Histograms count from the start of Envoy, and are brought up to date every five seconds.

        Args:
            pattern: A regular expression of RE2, found anywhere in a name.
        """
        query = (
            f"format=json&usedonly&histogram_buckets=cumulative&filter={quote(pattern, safe='')}"
        )
        return await self._ask("GET", f"/stats?{query}", patience=_LONG_PATIENCE)

    async def requests_under_way(self) -> int:
        """Return how many requests and streams it serves now; one that passes two of its listeners counts as two."""
        pattern = quote(UNDER_WAY, safe="")
        content = await self._ask("GET", f"/stats?format=json&type=Gauges&filter={pattern}")
        stats = msgspec.json.decode(content)["stats"]
        return sum(int(stat["value"]) for stat in stats if "value" in stat)

    async def requests_at(
        self, clusters: Collection[str], address: str, ports: Collection[int]
    ) -> int:
        """Return how many requests are under way to some hosts of some clusters; 0 if there are none."""
        # Without a filter Envoy writes out every cluster: 15 ms of its time for 200 services in place of 0.7 ms.
        pattern = quote(f"^({'|'.join(map(re.escape, sorted(clusters)))})$")
        status = msgspec.json.decode(
            await self._ask("GET", f"/clusters?format=json&filter={pattern}")
        )
        wanted = [{"address": address, "port_value": port} for port in ports]
        return sum(
            int(stat.get("value", 0))
            for host in _hosts(status, clusters)
            if host["address"].get("socket_address") in wanted
            for stat in host["stats"]
            if stat["name"] == "rq_active"
        )

    async def outcomes_at(self, cluster: str) -> dict[tuple[str, int], Outcomes]:
        """Return what has become of requests to each host of a cluster, by address and port, since it is one."""
        pattern = quote(f"^{re.escape(cluster)}$")
        status = msgspec.json.decode(
            await self._ask("GET", f"/clusters?format=json&filter={pattern}")
        )
        found = {}
        for host in _hosts(status, (cluster,)):
            if at := host["address"].get("socket_address"):
                stats = {stat["name"]: int(stat.get("value", 0)) for stat in host["stats"]}
                failed = stats.get("rq_error", 0) + stats.get("cx_connect_fail", 0)
                answered = stats.get("rq_success", 0)
                found[at["address"], at["port_value"]] = Outcomes(answered, failed)
        return found

    async def _ask(self, method: str, path: str, *, patience: timedelta = _PATIENCE) -> bytes:
        answer = _Answer()
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await self._exchange(f"{method} {path} HTTP/1.1", answer)
        except (OSError, TimeoutError, httptools.HttpParserError) as e:
            raise ProxyUnavailable(f"the proxy does not answer {path}: {e!r}; see its log") from e
        if answer.status != 200:
            raise ProxyUnavailable(f"the proxy answers {answer.status} to {path}; see its log")
        return bytes(answer.content)

    async def _exchange(self, line: str, answer: _Answer) -> None:
        with _within_reach(self.socket) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(f"{line}\r\nhost: envoy\r\nconnection: close\r\n\r\n".encode())
            parser = httptools.HttpResponseParser(answer)
            while not answer.is_complete and (data := await reader.read(1 << 16)):
                parser.feed_data(data)
            answer.status = parser.get_status_code() if answer.is_complete else 0
        finally:
            writer.close()


@contextmanager
def _within_reach(socket: Path) -> Iterator[str]:
    """Yield a path of a socket that is never too long for one (unix(7)), by way of its open folder (proc(5))."""
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)


class _Answer:
    """What the parser finds; it calls these methods by name."""

    def __init__(self) -> None:
        self.status = 0
        self.content = bytearray()
        self.is_complete = False

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.is_complete = True


def _hosts(status: dict[str, Any], clusters: Collection[str]) -> Iterator[dict[str, Any]]:
    for entry in status.get("cluster_statuses", []):
        if entry["name"] in clusters:
            yield from entry.get("host_statuses", [])
