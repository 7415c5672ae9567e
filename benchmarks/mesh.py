"""What the mesh costs a request and a change, beside a splice of bytes in the same Envoy and beside other proxies.

``mesh`` measures the processor time of a request, in interleaved rounds. The first row, an Envoy that passes bytes on without
looking at them, is what no proxy of its kind can be below, and the others are told as multiples of it: that ratio survives a
busy machine. ``mesh-changes`` switches under traffic and counts what fails; ``mesh-scale`` has a thousand services.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec
from benchmarks.edge import CONNECTIONS, upstream, wrk
from benchmarks.peers.programs import missing
from benchmarks.peers.proxies import Caddy, Haproxy, Nginx, Proxy, Traefik, cpu_seconds
from benchmarks.peers.stage import stage, until_answered
from benchmarks.stand import table

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.proxy.last_good import LastGood
from drystone.l10_engines.proxy.snapshot import Snapshot, pack_snapshot
from drystone.l20_trust.keys import signing, tokens
from drystone.l35_mesh.sidecar.model import Address, Caller, Egress, Inbound, Mesh, Outbound
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from drystone.testing.load import Load, run

ROUNDS = 5
LENGTH = timedelta(seconds=2)
MANY = 500
SERVICES = 1000
PEERS: tuple[type[Proxy], ...] = (Nginx, Haproxy, Traefik, Caddy)

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


class Costs(msgspec.Struct):
    """What was measured of one way, a number per round."""

    cpu_us: list[float] = []
    rates: list[float] = []
    alone_ms: list[float] = []
    failed: int = 0


def service(name: str, port: int) -> EdgeService:
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

    def headers(self, way: str) -> list[str]:
        """Return what a client sends that has no sidecar of its own."""
        if way not in (INBOUND, INBOUND_MANY):
            return []
        audience = "dev/many" if way == INBOUND_MANY else "dev/billing"
        return [f"Authorization: Bearer {self.signer.token(audience)}"]

    def snapshot(self) -> Snapshot:
        """Return the whole configuration."""
        others = [Signer(f"dev/s{number}") for number in range(MANY - 1)]
        # Whoever is last is found last.
        callers = (*(Caller(one.issuer) for one in others), Caller("dev/desk"))
        inbounds = [
            self._inbound("billing", INBOUND, (self.signer,), (Caller("dev/desk"),)),
            self._inbound("many", INBOUND_MANY, (*others, self.signer), callers),
            self._inbound("within", None, (self.signer,), (Caller("dev/desk"),)),
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
            tokens={("dev/desk", "dev/within"): self.signer.token("dev/within")},
        )
        services = [one.service for one in inbounds]
        return mesh_snapshot(mesh, edge_snapshot(services, port=self._edge, access_log=self._log))

    def _inbound(
        self, name: str, way: str | None, signers: Iterable[Signer], callers: tuple[Caller, ...]
    ) -> Inbound:
        return Inbound(
            service=service(f"{name}.dev", self._upstream),
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


async def mesh(count: int) -> str:
    """Measure the processor time of a request on each way, and of other proxies on the plain one."""
    if why := missing(("nginx", "wrk")):
        return f"The mesh: not measured, {why}\n"
    rounds = max(1, min(ROUNDS, count))
    found: dict[str, Costs] = {}
    async with stage() as on:
        port = await upstream(on)
        measured = Measured(on.folder, port)
        peers = [kind(on) for kind in PEERS if not missing(kind.needs)]
        try:
            await measured.start()
            for peer in peers:
                await peer.start(port)
            for _ in range(rounds):
                for way, at in measured.ports.items():
                    costs = found.setdefault(way, Costs())
                    await _measure(at, measured.pids(), costs, *measured.headers(way))
                for peer in peers:
                    costs = found.setdefault(peer.name, Costs())
                    await _measure(peer.port, peer.pids(), costs)
        finally:
            for peer in peers:
                await peer.stop()
            await measured.stop()
    floor = min(found[SPLICE].cpu_us)
    rows = [
        [
            name,
            f"{min(costs.cpu_us):.0f} µs",
            f"{min(costs.cpu_us) / floor:.1f}",
            f"{max(costs.rates):.0f}",
            f"{min(costs.alone_ms):.2f} ms",
            str(costs.failed),
        ]
        for name, costs in found.items()
    ]
    columns = [
        "way",
        "CPU of a request",
        "times the first",
        f"requests/s, {CONNECTIONS} connections",
        "a request alone",
        "failed",
    ]
    return table(f"The mesh, best of {rounds} rounds, 1 kB from an nginx", columns, rows)


async def _measure(port: int, pids: list[int], costs: Costs, *headers: str) -> None:
    url = f"http://127.0.0.1:{port}/"
    rate, _, requests, failed = await wrk(url, timedelta(seconds=1), *headers, connections=1)
    costs.alone_ms.append(1000 / rate)
    before = cpu_seconds(pids)
    rate, _, requests, more = await wrk(url, LENGTH, *headers)
    costs.cpu_us.append((cpu_seconds(pids) - before) / max(1, requests) * 1e6)
    costs.rates.append(rate)
    costs.failed += failed + more


async def mesh_changes(count: int) -> str:
    """Switch between two instances under traffic through both sidecars."""
    return await _flips(count * 10)


async def _flips(count: int) -> str:
    """Switch between two instances while requests come through both sidecars."""
    async with stage() as on:
        first = await upstream(on)
        measured = Measured(on.folder, first)
        await measured.start()
        stop = asyncio.Event()
        load = Load(
            url=f"http://127.0.0.1:{measured.ports[BOTH_H2]}/",
            rate=300,
            length=timedelta(minutes=5),
        )
        traffic = asyncio.create_task(run(load, stop=stop))
        try:
            whole = measured.snapshot()
            for number in range(count):
                weights = (1, 0) if number % 2 else (0, 1)
                await measured.envoy.publish(_weighted(whole, first, weights))
        finally:
            stop.set()
            report = await traffic
            await measured.stop()
    row = [str(count), str(len(report.outcomes)), str(len(report.failed))]
    return table(
        "Switches under traffic through both sidecars", ["switches", "requests", "failed"], [row]
    )


def _weighted(whole: Snapshot, port: int, weights: tuple[int, int]) -> Snapshot:
    """Return the same with two pools of the one instance, of which one serves."""
    where = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    localities = [
        {
            "locality": {"zone": zone},
            "load_balancing_weight": weight,
            "lb_endpoints": [{"endpoint": {"address": where}}],
        }
        for zone, weight in zip(("blue", "green"), weights, strict=True)
        if weight
    ]
    ends = {"cluster_name": "within.dev", "endpoints": localities}
    return msgspec.structs.replace(whole, endpoints={**whole.endpoints, "within.dev": ends})


async def mesh_scale(count: int) -> str:
    """Measure what a thousand services cost the one who makes configurations, at the start and for a change."""
    rows = []
    async with stage() as on:
        kept = LastGood(on.folder, ProxySettings(port=8400, access_log=on.folder / "log"))
        for ways in (1, 3):
            began = time.process_time()
            packed = pack_snapshot(_many(on.folder, ways, 0), 1)
            start = time.process_time() - began
            changes, writes = [], []
            for number in range(1, max(2, count // 2)):
                began = time.process_time()
                made = _many(on.folder, ways, number)
                packed = pack_snapshot(made, number + 1, packed)
                changes.append(time.process_time() - began)
                began = time.process_time()
                kept.accept(made)
                await kept.keep()
                writes.append(time.process_time() - began)
            rows.append(
                [
                    str(SERVICES * ways),
                    f"{start:.1f} s",
                    f"{median(changes) * 1000:.0f} ms",
                    f"{min(writes) * 1000:.0f} ms",
                ]
            )
    columns = ["ways between them", "start", "a change of one", "to keep it on disk"]
    return table(f"Processor time of the agent for {SERVICES} services", columns, rows)


_JWK = Signer("dev/desk").jwk
_KEYS = [
    json.dumps({"keys": [{**_JWK, "kid": f"dev/s{number}/k.pem"}]}) for number in range(SERVICES)
]


def _many(folder: Path, ways: int, changed: int) -> Snapshot:
    """A thousand services, each of which calls others; one has an instance elsewhere each time."""
    services = [
        service(f"s{n}.dev", 20000 + (changed if n == 7 else n % 5000)) for n in range(SERVICES)
    ]
    inbounds = tuple(
        Inbound(
            service=one,
            audience=f"dev/s{number}",
            callers=tuple(Caller(f"dev/s{(number + n) % SERVICES}") for n in range(1, ways + 1)),
            keys=_KEYS[number],
            body=1 << 20,
        )
        for number, one in enumerate(services)
    )
    outbounds = tuple(
        Outbound(
            caller=f"s{(number + n) % SERVICES}.dev",
            issuer=f"dev/s{(number + n) % SERVICES}",
            dependency=f"s{number}",
            service=f"s{number}.dev",
            audience=f"dev/s{number}",
            listen=Address(1024 + number * ways + n),
        )
        for number in range(SERVICES)
        for n in range(1, ways + 1)
    )
    log = folder / "log"
    made = Mesh(
        access_log=log,
        inbounds=inbounds,
        outbounds=outbounds,
        tokens={(one.issuer, one.audience): "a.b.c" for one in outbounds},
    )
    return mesh_snapshot(made, edge_snapshot(services, port=8400, access_log=log))
