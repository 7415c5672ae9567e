"""Ask a running Envoy about itself, through the socket that only its own user may open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from drystone.l10_engines.proxy.errors import ProxyUnavailable

_PATIENCE = timedelta(seconds=1)


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

    async def requests_under_way(self) -> int:
        """Return how many requests and streams of clients it serves now."""
        content = await self._ask(
            "GET", r"/stats?format=json&filter=^http\.edge\.downstream_rq_active$"
        )
        stats = msgspec.json.decode(content)["stats"]
        return sum(int(stat["value"]) for stat in stats if "value" in stat)

    async def requests_at(self, cluster: str, address: str, port: int) -> int:
        """Return how many requests are under way to one host of a cluster; 0 if it has no such host."""
        status = msgspec.json.decode(await self._ask("GET", "/clusters?format=json"))
        return sum(
            int(stat.get("value", 0))
            for host in _hosts(status, cluster)
            if host["address"].get("socket_address") == {"address": address, "port_value": port}
            for stat in host["stats"]
            if stat["name"] == "rq_active"
        )

    async def _ask(self, method: str, path: str) -> bytes:
        transport = httpx2.AsyncHTTPTransport(uds=str(self.socket))
        async with httpx2.AsyncClient(
            transport=transport, timeout=_PATIENCE.total_seconds(), trust_env=False
        ) as client:
            try:
                response = await client.request(method, f"http://envoy{path}")
                response.raise_for_status()
            except httpx2.HTTPError as e:
                raise ProxyUnavailable(
                    f"the proxy does not answer {path}: {e!r}; see its log"
                ) from e
        return response.content


def _hosts(status: dict[str, Any], cluster: str) -> Iterator[dict[str, Any]]:
    for entry in status.get("cluster_statuses", []):
        if entry["name"] == cluster:
            yield from entry.get("host_statuses", [])
