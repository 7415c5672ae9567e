"""The orchestrator over a network: a socket beside that of the home, and tokens alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

import drystone
from drystone.l00_kernel.contract import openapi, serve
from drystone.l00_kernel.contract.declaration import contracts_of
from drystone.l50_orchestrator.releases.choosing import Choosing
from drystone.l50_orchestrator.releases.reader import Reader
from drystone.l50_orchestrator.remote.door import Door
from drystone.l50_orchestrator.remote.guessing import Guesses
from drystone.l50_orchestrator.remote.releases import RemoteReleases
from drystone.l50_orchestrator.sources.service import Sources
from drystone.l50_orchestrator.targets.serving import ServedTarget

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract import Api
    from drystone.l00_kernel.contract.server import Authenticate
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.on_demand.serving import App
    from drystone.l50_orchestrator.releases.parts import Parts
    from drystone.l50_orchestrator.target import Target

SOURCES = "sources"
"""Folder of the home with what was sent."""

BODY_TIME = timedelta(seconds=30)


def sources_of(home: Home, parts: Parts) -> Sources:
    """Return what keeps the sources that come over a network."""
    reader = Reader(parts.database)
    choosing = Choosing(reader, parts.registry)

    async def places(environment: str) -> list[str]:
        return [one.name for one in await choosing.places(environment)]

    return Sources(home.path / SOURCES, gate=parts.gate, places=places, needed=reader.folders)


def from_afar(
    home: Home,
    parts: Parts,
    others: Sequence[Api],
    *,
    here: Target,
    authenticate: Authenticate,
    clock: Clock,
    log: Log,
) -> App:
    """Return what answers those who come over a network.

    Args:
        home: Whose services.
        parts: What releases need of others.
        others: All that the orchestrator serves but its releases.
        here: Where releases of other platforms run, which may be targets of theirs.
        authenticate: Knows tokens, and people by those of the sign-in.
        clock: The time.
        log: Where it reports.
    """
    sources = sources_of(home, parts)
    target = ServedTarget(
        here,
        parts.database,
        gate=parts.gate,
        registry=parts.registry,
        book=parts.book,
        sources=sources,
    )
    served = (RemoteReleases(parts, sources), sources, target, *others)
    guesses = Guesses(authenticate, clock)
    app = serve(*served, authenticate=guesses, clock=clock, log=log, body_time=BODY_TIME)

    def description() -> bytes:
        contracts = [contract for one in served for contract in contracts_of(type(one))]
        document = openapi(*contracts, title="Drystone orchestrator", version=drystone.__version__)
        return msgspec.json.encode(document)

    return Door(app, authenticate=guesses, description=description)
