"""Where a service reaches a part of the platform, as itself: who it is follows from the address alone, which only it has."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from drystone.l10_engines.proxy.edge_routes import route_configuration
from drystone.l10_engines.proxy.local_replies import Answer, local_replies, otherwise
from drystone.l10_engines.proxy.messages import Config, Shared
from drystone.l10_engines.proxy.occasions import flags, status_is
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.checks import check_own_way
from drystone.l35_mesh.sidecar.connections import http, listening, tells
from drystone.l35_mesh.sidecar.inbound import PARTS
from drystone.l35_mesh.sidecar.model import OwnWay, issuer_of


def own_way_name(caller: str) -> str:
    """Name the listener and the routes by which a service reaches the platform."""
    return f"own/{caller}"


@lru_cache(maxsize=PARTS)
def own_way_part(own: OwnWay, access_log: Path) -> Snapshot:
    """Return all that belongs to the way of a service to the platform.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_own_way(own)
    name, issuer = own_way_name(own.caller), issuer_of(own.caller)
    # It is no call of one service by another, so that it is logged as what arrives, which nobody takes for a dependency.
    chain = http("inbound", name=name, filters=(), replies=_REPLIES, access_log=access_log)
    host = {
        "name": own.caller,
        "domains": ["*"],
        "routes": [*own.further.own_routes, _NOTHING],
    }
    return Snapshot(
        clusters=own.further.clusters,
        listeners={
            name: listening(name, own.listen, [chain], {"caller": issuer, "callee": issuer})
        },
        routes={name: route_configuration([host], name=name)},
        optional=frozenset({name}),
    )


_NOTHING: Config = Shared({"match": {"prefix": "/"}, "direct_response": {"status": 404}})


def _replies() -> Config:
    caller = tells("caller")
    nothing = Answer(
        when=status_is(404, runtime_key="mesh.404"),
        code="NothingHere",
        title="Nothing of the platform is at this path",
        detail=f"%PATH(NQ:ORIG_OR_PATH):512% is nothing that {caller} can ask the platform; its variables have the whole"
        " addresses of what it can.",
    )
    unreachable = Answer(
        when=flags("UH", "NC", "UF", "UC", "UR", "LR", "UO", "UT", "SI"),
        code="PlatformUnreachable",
        title="The platform cannot answer at the moment",
        detail=f"what {caller} asks cannot be answered at the moment; try again later. `drystone status` shows why.",
        status=503,
    )
    return Shared(local_replies("mesh", (nothing, unreachable, otherwise("mesh", "sidecar"))))


_REPLIES = _replies()
