"""What a recorded release needs before it can be started again.

The agent may have died, the machine may have been started anew, the home may have been moved or copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.loopback_ports import is_free
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.errors import ArtefactLost
from drystone.l25_deployer.stacks.ways import is_of_site

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.local.machine import Machine
    from drystone.l25_deployer.local.records import InstanceRecord, ReleaseRecord


async def runs(machine: Machine, release: ReleaseRecord, one: InstanceRecord) -> bool:
    """Tell whether an instance runs that a record names.

    Raises:
        RuntimeMissing: The runtime of the release does not work here any more.
    """
    name = Processes.name if is_of_site(one.group) else release.isolation
    found = await machine.runtime(name).find(machine.instances / one.id)
    return found is not None and found.is_running()


async def running_ones(machine: Machine, release: ReleaseRecord) -> frozenset[str]:
    """Return the ids of those instances of a release that run.

    Raises:
        RuntimeMissing: See :func:`runs`.
    """
    return frozenset([one.id for one in release.instances if await runs(machine, release, one)])


async def made_startable(
    machine: Machine, release: ReleaseRecord, network: Path | None
) -> ReleaseRecord:
    """Return the release with ports that its instances can have; it is the same if nothing was amiss.

    An instance that does not run gets another port when its own was taken by somebody else meanwhile.

    Args:
        machine: Where it is to start.
        release: The release.
        network: That of its instances; that of the host when None.

    Raises:
        ArtefactLost: Something of what must be started is missing.
        RuntimeMissing: See :func:`runs`.
    """
    running = await running_ones(machine, release)
    if len(running) == len(release.instances):
        return release
    require_artifact(machine, release)
    instances = tuple(
        msgspec.structs.replace(one, port=machine.ports.lend())
        if one.port is not None and one.id not in running and not is_free(one.port, network)
        else one
        for one in release.instances
    )
    return msgspec.structs.replace(release, instances=instances)


def require_artifact(machine: Machine, release: ReleaseRecord) -> None:
    """Make sure that what a release runs is there.

    Raises:
        ArtefactLost: It is not.
    """
    if lost := machine.artifacts.lacks(release.artifact_folders()):
        raise ArtefactLost(
            f"{', '.join(f'artifacts/{name}' for name in lost)}, which release {release.number} (version"
            f" {release.version}) runs, is not there or not whole; deploy that version again, or put the"
            " folder back from a copy of the home",
            release=str(release.number),
        )
