"""Where the orchestrator answers over a network: a host of its own at the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drystone.l10_engines.proxy.edge import INDEX_HOSTS, OwnService
from drystone.l35_mesh.signin.words import HOST, address_of
from drystone.l50_orchestrator.running.engine import NAME

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.settings import Settings

_SIGNIN = HOST.partition(".")[0] + "."


def socket_of(home: Home) -> Path:
    """Return where it listens; the edge alone comes there."""
    return home.socket(f"{NAME}-edge.sock")


def address_from_afar(settings: Settings) -> str:
    """Return where the orchestrator answers over a network; empty where the settings do not tell."""
    if settings.orchestrator.url:
        return settings.orchestrator.url.rstrip("/")
    signin = urlsplit(address_of(settings))
    if not signin.netloc.startswith(_SIGNIN):
        return ""
    return f"{signin.scheme}://{NAME}.{signin.netloc.removeprefix(_SIGNIN)}"


def orchestrator_at_edge(home: Home, settings: Settings) -> tuple[OwnService, ...]:
    """Return where those who are elsewhere reach the orchestrator: by a name of its own, at no path of another one."""
    host = urlsplit(address_from_afar(settings)).hostname
    if host is None or host in INDEX_HOSTS:
        return ()
    own = OwnService(
        name=NAME,
        title="Orchestrator",
        socket=socket_of(home),
        host=host,
        has_path=False,
    )
    return (own,)
