"""A mesh in one real Envoy, with keys and tokens as services have them."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool
from drystone.l20_trust.keys import compact_form, signing, tokens
from drystone.l35_mesh.sidecar.model import Address, Caller, Inbound, Mesh, Outbound
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.rig import Rig
from l10_engines.proxy.upstream import Upstream


class Signer:
    """A service that has a key."""

    def __init__(self, issuer: str, key: str = "k1.pem") -> None:
        self.issuer = issuer
        self.id = f"{issuer}/{key}"
        self.pair = signing.make_pair("ES256")
        self._private = signing.load_private(self.pair.private)
        self.jwk = {**self.pair.jwk, "kid": self.id, "alg": "ES256", "use": "sig"}

    def token(self, audience: str, lifetime: timedelta = timedelta(minutes=5)) -> str:
        return tokens.make(
            issuer=self.issuer,
            audience=audience,
            key_id=self.id,
            algorithm="ES256",
            now=datetime.now(UTC),
            lifetime=lifetime,
            unique=secrets.token_hex(8),
            sign=lambda message: signing.sign(self._private, message),
        )

    def signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """Sign anything at all."""
        return compact_form.make(
            header, claims, lambda message: signing.sign(self._private, message)
        )


def key_set(*signers: Signer) -> str:
    return json.dumps({"keys": [signer.jwk for signer in signers]})


def edge_service(name: str, *instances: Upstream, **changes: Any) -> EdgeService:
    service, environment = name.split(".")
    fields: dict[str, Any] = {
        "name": name,
        "hosts": (f"{service}.{environment}.localhost",),
        "pools": (Pool("v1", 1, tuple(Endpoint(one.port) for one in instances)),),
    }
    return EdgeService(**{**fields, **changes})


class MeshRig(Rig):
    """A rig whose Envoy does the mesh as well: ``desk`` calls ``billing``."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.desk = Signer("dev/desk")
        self.out = free_port()

    def billing(self, *instances: Upstream, **changes: Any) -> Inbound:
        fields: dict[str, Any] = {
            "service": edge_service("billing.dev", *instances),
            "audience": "dev/billing",
            "callers": (Caller("dev/desk"),),
            "keys": key_set(self.desk),
        }
        return Inbound(**{**fields, **changes})

    def to_billing(self, **changes: Any) -> Outbound:
        fields: dict[str, Any] = {
            "caller": "desk.dev",
            "issuer": "dev/desk",
            "dependency": "billing",
            "service": "billing.dev",
            "audience": "dev/billing",
            "listen": Address(self.out),
        }
        return Outbound(**{**fields, **changes})

    def mesh(self, *parts: Inbound | Outbound, token: str | None = None) -> Mesh:
        good = self.desk.token("dev/billing") if token is None else token
        return Mesh(
            access_log=self.access_log,
            inbounds=tuple(part for part in parts if isinstance(part, Inbound)),
            outbounds=tuple(part for part in parts if isinstance(part, Outbound)),
            tokens={("dev/desk", "dev/billing"): good} if good else {},
        )

    async def have(self, mesh: Mesh, *more: EdgeService) -> None:
        """Publish a mesh, and an edge for its services and for more, which have no inbound."""
        edge = self.snapshot(*(one.service for one in mesh.inbounds), *more)
        await self.envoy.publish(mesh_snapshot(mesh, edge))

    async def logged(self, count: int, **having: Any) -> list[dict[str, Any]]:
        """Wait until the access log has so many lines with some fields, and return them."""

        def lines() -> list[dict[str, Any]]:
            written = self.access_log.read_text() if self.access_log.exists() else ""
            every = [json.loads(line) for line in written.rpartition("\n")[0].splitlines()]
            return [line for line in every if having.items() <= line.items()]

        await eventually(lambda: len(lines()) >= count)
        return lines()

    async def call(self, path: str = "/", method: str = "GET", **more: Any) -> httpx2.Response:
        """Call billing as desk does."""
        return await self._http.request(method, f"http://127.0.0.1:{self.out}{path}", **more)

    async def ask(
        self, path: str = "/", *, token: str | None = None, method: str = "GET", **more: Any
    ) -> httpx2.Response:
        """Call billing at the edge, as a stranger or with a token."""
        headers = {"host": "billing.dev.localhost", **more.pop("headers", {})}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        url = f"http://127.0.0.1:{self.port}{path}"
        return await self._http.request(method, url, headers=headers, **more)
