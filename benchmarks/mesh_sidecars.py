"""Sidecars that are processes of their own: what memory each takes, and how long a change takes to all of them.

Ten Envoys run at once, each led by itself as the platform leads them: a configuration of its own, with the inbound of its
service and a way to the next one. The change that is measured concerns every one of them, as a new key of a caller of all does.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.edge import CONNECTIONS, upstream, wrk
from benchmarks.mesh_rig import Signer, service_at
from benchmarks.peers.programs import missing
from benchmarks.peers.stage import Stage, stage
from benchmarks.stand import table

from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import Endpoint
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l35_mesh.sidecar.fleet import Fleet
from drystone.l35_mesh.sidecar.model import Address, Caller, Inbound, Mesh, Outbound
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot
from drystone.l90_assembly.mesh import sidecar_settings

SIDECARS = 10
LENGTH = timedelta(seconds=3)
PATIENCE = timedelta(seconds=30)


class Sidecars:
    """Ten services in a circle, each with a sidecar of its own.

    Args:
        folder: Where everything lies.
        ports: Of the instance that every service has, and of one that takes its place: nobody calls there.
    """

    def __init__(self, folder: Path, ports: tuple[int, int]) -> None:
        self.ads = Ads(folder / "xds.sock")
        self._log = folder / "access.json"
        self.fleet = Fleet(
            folder / "sidecars",
            ads=self.ads,
            supervisor=Supervisor(),
            settings=sidecar_settings(self._log),
            log=NullLog(),
        )
        self._instances = ports
        self.listening = [free_port() for _ in range(SIDECARS)]
        self._calling = [free_port() for _ in range(SIDECARS)]
        self.signer = Signer("dev/desk")

    def snapshots(self, what: str = "", number: int = 0) -> dict[str, Snapshot]:
        """Return the configuration of each, changed in some way where a number is odd."""
        is_other = number % 2 == 1
        keys = [self.signer.jwk]
        if what == "keys" and is_other:
            keys = [Signer("dev/desk").jwk, *keys]
        calls = ("GET /*",) if what == "rules" and is_other else ()
        at = self._instances[what == "instances" and is_other]
        return {
            f"s{n}.dev": instance_snapshot(
                Mesh(
                    access_log=self._log,
                    inbounds=(
                        Inbound(
                            service=service_at(f"s{n}.dev", at),
                            audience=f"dev/s{n}",
                            callers=(Caller("dev/desk", calls),),
                            keys=json.dumps({"keys": keys}),
                            listen=Address(self.listening[n]),
                            is_behind=True,
                        ),
                    ),
                    outbounds=(self._to_next(n),),
                    tokens={(f"dev/s{n}", f"dev/s{(n + 1) % SIDECARS}"): "a.b.c"},
                )
            )
            for n in range(SIDECARS)
        }

    def _to_next(self, number: int) -> Outbound:
        other = (number + 1) % SIDECARS
        return Outbound(
            caller=f"s{number}.dev",
            issuer=f"dev/s{number}",
            dependency=f"s{other}",
            service=f"s{other}.dev",
            audience=f"dev/s{other}",
            listen=Address(self._calling[number]),
            reach=(Endpoint(self.listening[other]),),
        )

    async def deliver(self, made: Mapping[str, Snapshot]) -> None:
        """Return when every Envoy serves by its configuration."""
        groups = {f"sidecar {name}": of for name, of in made.items()}
        versions = {name: await self.ads.publish(of, group=name) for name, of in groups.items()}
        applied = (self.ads.applied(v, PATIENCE, group=name) for name, v in versions.items())
        await asyncio.gather(*applied)

    def memory(self) -> list[tuple[int, int]]:
        """Return the memory that each has alone and its proportional share, in bytes (proc_pid_smaps_rollup(5))."""
        found = []
        for envoy in self.fleet.envoys.values():
            text = Path(f"/proc/{envoy.status().pid}/smaps_rollup").read_text()
            sizes = {line.split()[0]: line.split()[1] for line in text.splitlines()[1:]}
            private = int(sizes["Private_Clean:"]) + int(sizes["Private_Dirty:"])
            found.append((private * 1024, int(sizes["Pss:"]) * 1024))
        return found


@asynccontextmanager
async def _running(on: Stage) -> AsyncIterator[Sidecars]:
    here = Sidecars(on.folder, (await upstream(on), free_port()))
    await here.ads.start()
    try:
        await here.fleet.lead(here.snapshots())
        if here.fleet.failed:
            raise next(iter(here.fleet.failed.values()))
        yield here
    finally:
        await here.fleet.stop()
        await here.ads.stop()


async def mesh_sidecars(count: int) -> str:
    """Measure the memory of ten sidecars, and how long a change takes until all of them have it."""
    if why := missing(("nginx", "wrk")):
        return f"Sidecars of their own: not measured, {why}\n"
    async with stage() as on, _running(on) as here:
        idle = here.memory()
        await _load(here)
        memory = _memory({"idle": idle, f"after {CONNECTIONS} connections each": here.memory()})
        changes = await _changes(here, count * 10)
    return f"{memory}\n{changes}"


async def _load(here: Sidecars) -> None:
    """Let requests come through each, one after the other."""
    for number, port in enumerate(here.listening):
        header = f"Authorization: Bearer {here.signer.token(f'dev/s{number}')}"
        await wrk(f"http://127.0.0.1:{port}/", LENGTH, header)


def _memory(found: Mapping[str, list[tuple[int, int]]]) -> str:
    rows = []
    for when, sizes in found.items():
        alone = sorted(private for private, _ in sizes)
        share = median(share for _, share in sizes)
        numbers = (median(alone), alone[-1], share)
        rows.append([when, *(f"{number / 2**20:.1f} MiB" for number in numbers)])
    columns = ["", "private, median", "the largest", "proportional share, median"]
    return table(f"Memory of each of {SIDECARS} sidecars that are processes", columns, rows)


async def _changes(here: Sidecars, times: int) -> str:
    rows = []
    for what in ("instances", "keys", "rules"):
        served, kept = [], []
        for number in range(1, times + 1):
            began = time.perf_counter()
            made = here.snapshots(what, number)
            await here.deliver(made)
            served.append(time.perf_counter() - began)
            await here.fleet.lead(made)
            kept.append(time.perf_counter() - began)
        numbers = (median(served), sorted(served)[int(times * 0.95)], median(kept))
        rows.append([what, *(f"{number * 1000:.1f} ms" for number in numbers), str(times)])
    columns = ["change of", "p50", "p95", "p50 until the disk has it too", "times"]
    return table(f"From a change to the moment at which {SIDECARS} Envoys have it", columns, rows)
