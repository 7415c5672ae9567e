"""Certificates are renewed before they end, whether somebody deploys or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.stacks.ways import Certificate

if TYPE_CHECKING:
    from drystone.l25_deployer.local.services import Services


async def renew_certificates(services: Services) -> None:
    """Renew those of services and of the edge that are due; of a service that an operation works on, the next time.

    Raises:
        ProxyUnavailable: The edge does not show them yet; it will.
    """
    machine = services.machine
    for kept in services.all():
        held = {n: one for n, one in kept.record.eternal.items() if isinstance(one, Certificate)}
        if not held or kept.lock.locked():
            continue
        for name, wanted in held.items():
            try:
                await machine.provisioner.apply(kept.record, name, wanted)
            except (OSError, PlatformError) as e:
                machine.log.warning("certificate not renewed", service=kept.name, reason=str(e))
    await machine.edge.renew()
