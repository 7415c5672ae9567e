"""How each of the platform's own services starts and ends."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, get_args

from drystone.l25_deployer.local.quotas import Quotas
from drystone.l25_deployer.local.rotator import Rotator
from drystone.l25_deployer.local.startup import ADOPTED, Part
from drystone.l25_deployer.quota import Amounts
from drystone.l25_deployer.stacks.model import Bucket, Postgres
from drystone.l25_deployer.stacks.provided import Account

if TYPE_CHECKING:
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.proxy.ads import Ads
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l25_deployer.local.machine import Machine
    from drystone.l25_deployer.local.scaler import Scaler
    from drystone.l25_deployer.local.services import Services
    from drystone.l90_assembly.functions import Computing

ENGINES, DEPLOYER = 10, 25
"""Layers, for reports."""


def parts_of(
    supervisor: Supervisor,
    ads: Ads,
    *,
    machine: Machine,
    services: Services,
    watches: tuple[Scaler, Rotator],
    computing: Computing,
) -> dict[str, Part]:
    """Say how each of the platform's own services starts and ends; engines only when they are needed."""

    async def ensure(engine: str) -> str:
        before = supervisor[engine].status().pid
        await supervisor.ensure(engine)
        return ADOPTED if before is not None and supervisor[engine].status().pid == before else ""

    async def start_proxy() -> str:
        await ads.start()
        await machine.edge.publish()  # what the records say, for a proxy that starts now
        return await ensure("proxy")

    async def start_deployer() -> str:
        await computing.begin()
        for one in watches:
            one.begin()
        return ""

    async def stop_deployer() -> None:
        await computing.leave()
        for one in watches:
            await one.leave()
        await supervisor.detach()

    used = {type(resource) for kept in services.all() for resource in kept.record.eternal.values()}

    def engine(name: str, *resources: type) -> Part:
        return Part(
            name,
            ENGINES,
            partial(ensure, name),
            supervisor[name].stop,
            is_needed=not used.isdisjoint(resources),
            is_running=lambda: supervisor[name].status().pid is not None,
        )

    return {
        "proxy": Part("proxy", ENGINES, start_proxy, supervisor["proxy"].stop),
        "deployer": Part("deployer", DEPLOYER, start_deployer, stop_deployer),
        "postgres": engine("postgres", Postgres),
        "objects": engine("objects", Bucket),
        "aws": engine("aws", *get_args(Account)),
    }


def rotator_of(settings: Settings, services: Services) -> Rotator:
    """Make what replaces credentials when they are as old as the settings say."""
    days = settings.credentials.rotate_days
    return Rotator(services, every=timedelta(days=days) if days else None)


def quotas_of(settings: Settings) -> Quotas:
    """Make what holds services to the quota of the host."""
    said = settings.quota
    return Quotas(
        Amounts(
            said.cpu,
            said.memory or 0,
            said.disk or 0,
            said.services,
            said.instances,
            said.resources,
        )
    )
