"""What a thousand services cost the one who makes configurations."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median

from benchmarks.mesh_rig import Signer, service_at
from benchmarks.peers.stage import stage
from benchmarks.stand import table

from drystone.l10_engines.proxy.edge import edge_snapshot
from drystone.l10_engines.proxy.envoy import ProxySettings
from drystone.l10_engines.proxy.last_good import LastGood
from drystone.l10_engines.proxy.snapshot import Snapshot, pack_snapshot
from drystone.l35_mesh.sidecar.model import Address, Caller, Inbound, Mesh, Outbound
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot

SERVICES = 1000


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
        service_at(f"s{n}.dev", 20000 + (changed if n == 7 else n % 5000)) for n in range(SERVICES)
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
