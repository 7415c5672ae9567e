"""Service keys of one machine: the files, the two processes that publish them, and the authority that these are trusted by."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l20_trust.certificates.authority import Authority
from drystone.l20_trust.keys.engine import FIRST, SECOND, KeyServer, Repositories, Shown
from drystone.l20_trust.keys.peers.service import Peers
from drystone.l20_trust.keys.peers.store import PeerStore
from drystone.l20_trust.keys.service import Keys
from drystone.l20_trust.keys.store import Store
from drystone.l25_deployer.local.mesh import Address
from drystone.l25_deployer.local.startup import ADOPTED, Part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Audit, Log
    from drystone.l00_kernel.settings_tables import KeysSettings
    from drystone.l10_engines.supervision.supervisor import Supervisor

LAYER = 20


class KeyParts(msgspec.Struct, frozen=True):
    """What service keys consist of on one machine.

    Attributes:
        store: The files.
        peers: Those of trust in other platforms.
        servers: The repository and its copy.
        authority: The certificate by which these are trusted.
    """

    store: Store
    peers: PeerStore
    servers: tuple[KeyServer, KeyServer]
    authority: Path


def key_parts(home: Home) -> KeyParts:
    """Return the parts for a home; nothing is made or started yet."""
    authority = Authority(home.trust / "certificates")

    def make(folder: Path) -> tuple[Path, Path]:
        files = authority.serve(folder)
        return files.pair, files.due

    def renew(folder: Path) -> tuple[str, ...]:
        program = (sys.executable, "-P", "-m", "drystone.l20_trust.certificates")
        return (*program, "--folder", str(home.trust / "certificates"), "--into", str(folder))

    store = Store(home.trust / "keys", authority.certificate)
    shown = Shown(make, renew, authority.certificate)
    first = KeyServer(FIRST, home.engines / FIRST, public=store.public, shown=shown)
    second = KeyServer(SECOND, home.engines / SECOND, public=store.copy, shown=shown)
    peers = PeerStore(home.trust / "keys")
    return KeyParts(store, peers, (first, second), authority.certificate)


def keys_of(
    parts: KeyParts,
    supervisor: Supervisor,
    clock: Clock,
    *,
    settings: KeysSettings,
    audit: Audit | None = None,
) -> Keys:
    """Put service keys together; the supervisor knows the servers."""
    return Keys(
        parts.store,
        clock=clock,
        repository=Repositories(supervisor, parts.servers),
        algorithm=settings.algorithm,
        audit=audit,
    )


def peers_of(
    parts: KeyParts,
    supervisor: Supervisor,
    keys: Keys,
    *,
    clock: Clock,
    audit: Audit,
    log: Log,
    publish: Callable[[], Awaitable[None]],
) -> Peers:
    """Put the trust in other platforms together; see :class:`Peers`."""
    return Peers(
        parts.peers,
        clock=clock,
        keys=keys,
        repository=Repositories(supervisor, parts.servers),
        authority=str(parts.authority),
        audit=audit,
        log=log,
        publish=publish,
    )


def addresses_of(parts: KeyParts) -> list[Address]:
    """Return where the key repository and its copy are, of those that have ever run here."""
    found = []
    for one in parts.servers:
        with suppress(EngineFailed):
            url = urlsplit(one.url)
            found.append(Address(url.hostname or "", url.port or 0))
    return found


def keys_part(parts: KeyParts, keys: Keys, peers: Peers, supervisor: Supervisor) -> Part:
    """Say how service keys come up: what is published becomes what it is to be, and can be looked up; others are followed."""
    servers = parts.servers

    async def start() -> str:
        before = [one.status().pid for one in servers]
        await Repositories(supervisor, servers).ensure()
        await asyncio.to_thread(keys.settle)
        peers.start()
        same = before == [one.status().pid for one in servers] and None not in before
        return ADOPTED if same else ""

    async def stop() -> None:
        await peers.stop()
        for one in servers:
            await supervisor[one.name].stop()

    return Part(
        "keys",
        LAYER,
        start,
        stop,
        is_needed=parts.store.has_rings() or parts.peers.has_any(),
        is_running=lambda: any(one.status().pid is not None for one in servers),
    )
