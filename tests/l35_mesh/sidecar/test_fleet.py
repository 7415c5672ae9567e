"""Envoys that services have of their own, as processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l10_engines.supervision.record import processes_in
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l35_mesh.sidecar.fleet import Fleet
from drystone.l35_mesh.sidecar.model import Address, Inbound, Mesh
from drystone.l35_mesh.sidecar.snapshot import instance_snapshot
from drystone.l90_assembly.mesh import sidecar_settings
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import edge_service


class Home:
    """One home, with one agent after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ads = Ads(folder / "xds.sock")
        self.supervisor = Supervisor()
        self.fleet = Fleet(
            folder / "sidecars",
            ads=self.ads,
            supervisor=self.supervisor,
            settings=sidecar_settings(folder / "log"),
            log=NullLog(),
        )

    async def die(self) -> Home:
        await self.supervisor.detach()
        await self.fleet.leave()
        await self.ads.stop()
        another = Home(self.folder)
        await another.ads.start()
        return another

    def pid(self, service: str) -> int | None:
        return self.fleet.envoys[service].status().pid

    def configuration(self, service: str, upstream: Upstream) -> Snapshot:
        name, environment = service.split(".")
        inbound = Inbound(
            service=edge_service(service, upstream),
            audience=f"{environment}/{name}",
            public=True,
            listen=Address(free_port()),
        )
        return instance_snapshot(Mesh(access_log=self.folder / "log", inbounds=(inbound,)))


@pytest.fixture
async def homes(home: Path) -> AsyncIterator[list[Home]]:
    """One; tests append those that come after it."""
    made = [Home(home)]
    await made[0].ads.start()
    yield made
    made[-1].fleet.end_others(())
    await made[-1].fleet.stop()
    await made[-1].ads.stop()


async def test_the_next_agent_takes_over_what_is_wanted_and_ends_the_rest(
    homes: list[Home], blue: Upstream
) -> None:
    first = homes[0]
    wanted = {name: first.configuration(name, blue) for name in ("billing.dev", "desk.dev")}
    await first.fleet.lead(wanted)
    assert first.fleet.failed == {}
    kept = first.pid("billing.dev")
    assert kept is not None
    homes.append(await first.die())
    second = homes[-1]
    await second.fleet.lead({"billing.dev": wanted["billing.dev"]})
    assert second.pid("billing.dev") == kept
    second.fleet.end_others({"billing.dev"})
    await eventually(lambda: second.fleet.envoys.keys() == {"billing.dev"})
    assert not (second.folder / "sidecars/desk.dev").exists()
    await second.fleet.end("billing.dev")
    assert not (second.folder / "sidecars/billing.dev").exists()


async def test_what_one_of_them_refuses_is_the_matter_of_its_service_alone(
    homes: list[Home], blue: Upstream
) -> None:
    here = homes[0]
    good = here.configuration("billing.dev", blue)
    bad = Snapshot(listeners={"broken": {"name": "broken", "no_such_field": 1}})
    await here.fleet.lead({"billing.dev": good, "desk.dev": bad})
    assert here.fleet.failed.keys() == {"desk.dev"}
    assert "no_such_field" in str(here.fleet.failed["desk.dev"])
    assert here.pid("billing.dev") is not None
    assert processes_in(here.folder / "sidecars/desk.dev/g1", "envoy") == ()
    await here.fleet.lead({"desk.dev": here.configuration("desk.dev", blue)})
    assert here.fleet.failed == {}
    assert here.pid("desk.dev") is not None
