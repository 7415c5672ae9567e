"""What the benchmarks of the mesh measure: an Envoy with every way to one service, and those who call."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.peers.stage import until_answered

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l20_trust.keys import signing, tokens
from drystone.l35_mesh.sidecar.model import Address, Caller, Egress, Inbound, Mesh, Outbound
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot

MANY = 500

SPLICE = "Envoy passes bytes on"
INBOUND = "inbound: token, key, rules"
INBOUND_MANY = f"the same with {MANY} callers"
BOTH = "both sidecars in one Envoy"
BOTH_H2 = "the same, HTTP/2 between"


class Signer:
    """A service that calls, with its key."""

    def __init__(self, issuer: str) -> None:
        self.issuer, self.id = issuer, f"{issuer}/k.pem"
        pair = signing.make_pair("ES256")
        self._private = signing.load_private(pair.private)
        self.jwk = {**pair.jwk, "kid": self.id, "alg": "ES256", "use": "sig"}

    def token(self, audience: str) -> str:
        """Return a token for half an hour."""
        return tokens.make(
            issuer=self.issuer,
            audience=audience,
            key_id=self.id,
            algorithm="ES256",
            now=datetime.now(UTC),
            lifetime=timedelta(minutes=30),
            unique=secrets.token_hex(8),
            sign=lambda message: signing.sign(self._private, message),
        )


def service_at(name: str, port: int) -> EdgeService:
    """Return a service with one instance."""
    pools = (Pool("v1", 1, (Endpoint(port),)),)
    return EdgeService(name=name, hosts=(f"{name}.localhost",), pools=pools)


class Measured:
    """One Envoy with every way to the same upstream, each at a port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.signer = Signer("dev/desk")
        self.ports = {name: free_port() for name in (SPLICE, INBOUND, INBOUND_MANY, BOTH, BOTH_H2)}
        self._log = folder / "access.json"
        self._ads = Ads(folder / "xds.sock")
        self._edge = free_port()
        settings = ProxySettings(port=self._edge, access_log=self._log)
        self.envoy = Envoy(folder / "edge", ads=self._ads, settings=settings)
        self._upstream = port
        self._others = [Signer(f"dev/s{number}") for number in range(MANY - 1)]
        self._token = self.signer.token("dev/within")

    def headers(self, way: str) -> list[str]:
        """Return what a client sends that has no sidecar of its own."""
        if way not in (INBOUND, INBOUND_MANY):
            return []
        audience = "dev/many" if way == INBOUND_MANY else "dev/billing"
        return [f"Authorization: Bearer {self.signer.token(audience)}"]

    def snapshot(self, within: EdgeService | None = None) -> Snapshot:
        """Return the whole configuration.

        Args:
            within: What both sidecars lead to, if that is not the upstream.
        """
        others = self._others
        # Whoever is last is found last.
        callers = (*(Caller(one.issuer) for one in others), Caller("dev/desk"))
        inbounds = [
            self._inbound("billing", INBOUND, (self.signer,), (Caller("dev/desk"),)),
            self._inbound("many", INBOUND_MANY, (*others, self.signer), callers),
            self._inbound("within", None, (self.signer,), (Caller("dev/desk"),), within),
        ]
        outbounds = [
            Outbound(
                caller=f"{caller}.dev",
                issuer="dev/desk",
                dependency="within",
                service="within.dev",
                audience="dev/within",
                listen=Address(self.ports[way]),
                protocol="http2" if way == BOTH_H2 else None,
            )
            for caller, way in (("desk", BOTH), ("desk2", BOTH_H2))
        ]
        splice = Egress(
            caller="desk.dev",
            host="127.0.0.1",
            port=self._upstream,
            listen=Address(self.ports[SPLICE]),
        )
        mesh = Mesh(
            access_log=self._log,
            inbounds=tuple(inbounds),
            outbounds=tuple(outbounds),
            egresses=(splice,),
            tokens={("dev/desk", "dev/within"): self._token},
        )
        services = [one.service for one in inbounds]
        return mesh_snapshot(mesh, edge_snapshot(services, port=self._edge, access_log=self._log))

    def _inbound(
        self,
        name: str,
        way: str | None,
        signers: Iterable[Signer],
        callers: tuple[Caller, ...],
        service: EdgeService | None = None,
    ) -> Inbound:
        return Inbound(
            service=service or service_at(f"{name}.dev", self._upstream),
            audience=f"dev/{name}",
            callers=callers,
            keys=json.dumps({"keys": [one.jwk for one in signers]}),
            body=1 << 20,
            listen=Address(self.ports[way]) if way else None,
        )

    async def start(self) -> None:
        """Return when every way leads to the upstream."""
        await self._ads.start()
        await self.envoy.publish(self.snapshot())
        await self.envoy.start()
        for way in (SPLICE, BOTH, BOTH_H2):  # the others answer nobody without a token
            await until_answered(self.ports[way])

    async def stop(self) -> None:
        """End it."""
        await self.envoy.stop()
        await self._ads.stop()

    def pids(self) -> list[int]:
        """Return the process that carries requests."""
        pid = self.envoy.status().pid
        return [pid] if pid else []
