"""The configuration that Envoy accepted last, on disk for one that has to start again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.shortage import DiskFull, needs_room
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.generation import LAST_GOOD, LEAST_GOOD
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import (
    EXTENSION,
    ROUTE,
    Snapshot,
    references,
    static_cluster,
    static_listener,
    static_secrets,
)


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
        least: bytes | None = None
        if snapshot.optional:
            least = self._packed(snapshot.without(snapshot.optional, self._encoded.names))
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
        encoded = self._encoded
        static = static_bootstrap(Snapshot(), self._settings)
        named = [name for of in snapshot.clusters.values() for name in encoded.names(of)]
        static["static_resources"] = {
            "clusters": [
                encoded.of(static_cluster, cluster, snapshot.endpoints.get(name))
                for name, cluster in snapshot.clusters.items()
            ],
            "listeners": [self._listener(of, snapshot) for of in snapshot.listeners.values()],
            "secrets": static_secrets(snapshot.secrets, named),
        }
        return msgspec.json.encode(static)

    def _listener(self, listener: Config, snapshot: Snapshot) -> msgspec.Raw:
        names = self._encoded.names(listener)
        routes = [snapshot.routes[name] for kind, name in names if kind == ROUTE]
        extensions = [snapshot.extensions[name] for kind, name in names if kind == EXTENSION]

        def form(listener: Config, *parts: Config) -> Config:
            inner = {of["name"]: self._with_hosts(of) for of in parts[: len(routes)]}
            further = {of["name"]: of for of in parts[len(routes) :]}
            return static_listener(listener, inner, further)

        return self._encoded.of(form, listener, *routes, *extensions)

    def _with_hosts(self, routes: Config) -> Config:
        hosts = [self._encoded.of(_same, host) for host in routes["virtual_hosts"]]
        return {**routes, "virtual_hosts": hosts}

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
        self._names_before: dict[int, tuple[Config, Sequence[tuple[str, str]]]] = {}
        self._names_now: dict[int, tuple[Config, Sequence[tuple[str, str]]]] = {}

    def turn(self) -> None:
        """Forget what was not used since the last turn."""
        self._before, self._now = self._now, {}
        self._names_before, self._names_now = self._names_now, {}

    def names(self, one: Config) -> Sequence[tuple[str, str]]:
        """Return what a listener or a cluster asks for apart, in a steady order."""
        key = id(one)
        known = self._names_now.get(key) or self._names_before.get(key)
        kept = known or (one, sorted(references(one)))
        self._names_now[key] = kept
        return kept[1]

    def of(self, form: Callable[..., Any], *parts: Config | None) -> msgspec.Raw:
        """Return the JSON of what a function makes of some parts."""
        key = tuple(map(id, parts))
        # The parts are kept with their JSON, or another one could get their identity.
        known = self._now.get(key) or self._before.get(key)
        kept = known or (parts, msgspec.Raw(msgspec.json.encode(form(*parts))))
        self._now[key] = kept
        return kept[1]
