"""The sign-in, as a service on demand, and what the proxies need of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from drystone.l10_engines.on_demand.service import OnDemand
from drystone.l10_engines.proxy.edge import INDEX_HOSTS, OwnService
from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.local.startup import Part
from drystone.l35_mesh.sidecar.model import Further
from drystone.l35_mesh.signin.doors import doors_of
from drystone.l35_mesh.signin.gate import REMEMBERED, Doors, gate_of
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import HOST, NAME, Place, address_of

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.ports import Log
    from drystone.l00_kernel.settings import Settings
    from drystone.l25_deployer.local.mesh import Member
    from drystone.l35_mesh.signin.seals import Seal

LAYER = 35
PROGRAM = "drystone.l35_mesh.signin"
_SETTINGS = ("DRYSTONE_PORT", "DRYSTONE_SIGNIN_")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_WAY_OUT = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")


def signin_of(home: Home, log: Log, environ: Mapping[str, str]) -> OnDemand:
    """Return the sign-in of a home; nothing listens yet."""
    kept = {name: environ[name] for name in (*_KEPT, *_WAY_OUT) if name in environ}
    kept |= {name: value for name, value in environ.items() if name.startswith(_SETTINGS)}
    return OnDemand(
        NAME,
        place=home.socket(f"{NAME}.sock"),
        command=[sys.executable, "-P", "-m", PROGRAM, "--home", str(home.path)],
        output=home.run / f"{NAME}.log",
        env={"PATH": os.defpath, **kept},
        report=lambda said: log.info("on demand", service=NAME, detail=said),
    )


def signin_at_edge(home: Home, settings: Settings) -> OwnService:
    """Return where people and command lines reach the sign-in: by the name that its address has."""
    host = urlsplit(address_of(settings)).hostname
    return OwnService(
        name=NAME,
        title="Sign-in",
        socket=home.socket(f"{NAME}.sock"),
        # At a name of the index there is no room for it, and every program of the machine would get its cookies.
        host=HOST if host is None or host in INDEX_HOSTS else host,
    )


class Gates:
    """What proxies do about people and builds.

    Args:
        home: Whose keys verify.
        settings: Where people sign in.
        clock: The time.
    """

    def __init__(self, home: Home, settings: Settings, clock: Clock) -> None:
        self._keys = SigningKeys(folder_of(home))
        self._address = address_of(settings)
        self._clock = clock
        self._known: tuple[int, str, Seal] | None = None

    def further(self, member: Member) -> Further:
        """Return what a service's own proxy adds; nothing where its descriptor says nothing of people and builds."""
        doors = doors_of(member.surroundings[0])
        if not doors:
            return Further()
        jwks, seal = self._verifying()
        place = Place(
            issuer_of(member.environment, member.service),
            tuple(sorted({host for one in member.surroundings for host in one.hosts})),
            tuple(sorted({group for door in doors for group in door.groups})),
        )
        return _further(
            Doors(
                audience=place.audience,
                doors=doors,
                issuer=self._address,
                ticket=seal.close(place),
            ),
            jwks,
        )

    def _verifying(self) -> tuple[str, Seal]:
        """Return what verifies, read anew when it has changed: this is asked for every service of each configuration."""
        changed = self._keys.changed()
        if self._known is None or self._known[0] != changed:
            now = self._clock.now()
            self._keys.settle(now)
            jwks = json.dumps(self._keys.jwks(now), sort_keys=True)
            self._known = (self._keys.changed(), jwks, self._keys.seal(now))
        return self._known[1], self._known[2]


@lru_cache(maxsize=REMEMBERED)
def _further(doors: Doors, jwks: str) -> Further:
    return Further(decides=True, **msgspec.structs.asdict(gate_of(doors, jwks)))


def signin_part(signin: OnDemand) -> Part:
    """Say how the sign-in comes up: somebody listens for it, and it starts when it is asked."""

    async def listen() -> str:
        signin.start()
        return "on demand"

    return Part(NAME, LAYER, listen, signin.stop)
