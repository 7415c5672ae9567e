"""The configuration that Envoy accepted last, on disk for one that has to start again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.shortage import DiskFull, needs_room
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.generation import LAST_GOOD, LEAST_GOOD
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot, static_cluster


class LastGood:
    """Keeps what was accepted, with and without the listeners that Envoy can do without.

    Args:
        directory: The proxy's own.
        settings: What Envoy is started with.
    """

    def __init__(self, directory: Path, settings: ProxySettings) -> None:
        self._directory = directory
        self._settings = settings
        self._owed: Snapshot | None = None
        self._encoded = _Encoded()
        self.problem = ""
        """Why the disk does not have it, for people; empty when it has."""

    def check(self, snapshot: Snapshot) -> None:
        """Refuse what could not be kept.

        Raises:
            InvalidProxyConfig: It has no static form.
        """
        static_bootstrap(snapshot, self._settings)

    def accept(self, snapshot: Snapshot) -> None:
        """Take note of what :meth:`keep` is to write."""
        self._owed = snapshot

    async def keep(self) -> None:
        """Return when what was accepted lies on disk.

        Before that, nothing may go that an older configuration leads to.

        Raises:
            DiskFull: There is no room for it; the next call tries again.
        """
        if (snapshot := self._owed) is None:
            return
        # Where every listener is needed, a second file would say the same; the runner does without.
        self._encoded.turn()
        least = self._packed(snapshot.without(snapshot.optional)) if snapshot.optional else None
        content = self._packed(snapshot)
        try:
            await asyncio.to_thread(self._write, content, least)
        except DiskFull as e:
            self.problem = f"its configuration is not on disk yet: {e}"
            raise
        if self._owed is snapshot:
            self._owed, self.problem = None, ""

    def _packed(self, snapshot: Snapshot) -> bytes:
        """Encode the static form; of what has not changed since the last time the bytes are used again."""
        clusters = [
            self._encoded.of(static_cluster, cluster, snapshot.endpoints.get(name))
            for name, cluster in snapshot.clusters.items()
        ]
        routes = {
            name: {**of, "virtual_hosts": [self._encoded.of(_same, h) for h in of["virtual_hosts"]]}
            for name, of in snapshot.routes.items()
        }
        rest = msgspec.structs.replace(snapshot, clusters={}, endpoints={}, routes=routes)
        static = static_bootstrap(rest, self._settings)
        static["static_resources"]["clusters"] = clusters
        return msgspec.json.encode(static)

    def _write(self, content: bytes, least: bytes | None) -> None:
        if least is None:
            with needs_room(self._directory):  # on a read-only disk nothing can be removed either
                (self._directory / LEAST_GOOD).unlink(missing_ok=True)
        else:
            write_atomically(self._directory / LEAST_GOOD, least)
        write_atomically(self._directory / LAST_GOOD, content)


def _same(part: Config) -> Config:
    return part


class _Encoded:
    """JSON of parts of a configuration, kept from one time to the next: a switch of one service changes few.

    A part is known again by identity. That is enough, since what the edge makes of a service is made once.
    """

    def __init__(self) -> None:
        self._before: dict[tuple[int, ...], tuple[tuple[object, ...], msgspec.Raw]] = {}
        self._now: dict[tuple[int, ...], tuple[tuple[object, ...], msgspec.Raw]] = {}

    def turn(self) -> None:
        """Forget what was not used since the last turn."""
        self._before, self._now = self._now, {}

    def of(self, form: Callable[..., Any], *parts: Config | None) -> msgspec.Raw:
        """Return the JSON of what a function makes of some parts."""
        key = tuple(map(id, parts))
        # The parts are kept with their JSON, or another one could get their identity.
        kept = self._before.get(key) or (parts, msgspec.Raw(msgspec.json.encode(form(*parts))))
        self._now[key] = kept
        return kept[1]
