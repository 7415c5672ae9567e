"""What all services of one home share: the engines and stores of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.removal import remove_tree
from drystone.l10_engines.runtimes.errors import RuntimeMissing
from drystone.l20_trust.keys.api import NoReleaseKeys, ReleaseKeys
from drystone.l25_deployer.local.blueprints import instance_id
from drystone.l25_deployer.local.copying import Copying, NoCopying
from drystone.l25_deployer.local.functions.describing import workers_of
from drystone.l25_deployer.local.quotas import Quotas
from drystone.l25_deployer.local.ways_in import Ways

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.ports import Log
    from drystone.l10_engines.runtimes.podman import Podman
    from drystone.l10_engines.runtimes.port import Runtime
    from drystone.l25_deployer.builds.artifacts import Artifacts
    from drystone.l25_deployer.local.documents import Documents
    from drystone.l25_deployer.local.edge import Edge
    from drystone.l25_deployer.local.mesh import Mesh
    from drystone.l25_deployer.local.ports import PortBook
    from drystone.l25_deployer.local.provisioning import Provisioner
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that services are made with.

    Attributes:
        label: Names the home, so that its processes and containers can be told from others'.
        url_port: Port of the edge.
        instances: Folder with one folder per instance.
        disks: Folders whose file systems the platform fills.
        documents: The records.
        artifacts: The built folders.
        provisioner: The resources.
        runtimes: By name, those that work here.
        images: Resolves container images.
        ports: Who has which port.
        edge: The routes.
        mesh: What stands between services.
        clock: The time.
        log: Where to report.
        keys: By which releases prove who they are.
        copying: Keeps copies of what services keep.
        ways: Who has which way in.
        quotas: What services may claim together.
    """

    label: str
    url_port: int
    instances: Path
    disks: tuple[Path, ...]
    documents: Documents
    artifacts: Artifacts
    provisioner: Provisioner
    runtimes: Mapping[str, Runtime]
    images: Podman
    ports: PortBook
    edge: Edge
    mesh: Mesh
    clock: Clock
    log: Log
    keys: ReleaseKeys = NoReleaseKeys()
    copying: Copying = NoCopying()
    ways: Ways = msgspec.field(default_factory=Ways)
    quotas: Quotas = msgspec.field(default_factory=Quotas)

    def url(self, host: str) -> str:
        """Return the address at which the edge answers for a host."""
        return f"http://{host}:{self.url_port}/"

    def runtime(self, name: str) -> Runtime:
        """Return the runtime in which a release runs.

        Raises:
            RuntimeMissing: It does not work here, or does not any more.
        """
        if name not in self.runtimes:
            raise RuntimeMissing(
                f"the runtime '{name}' does not work on this machine; those that do:"
                f" {', '.join(self.runtimes)}"
            )
        return self.runtimes[name]

    def forget_instances(self, record: ServiceRecord, release: ReleaseRecord) -> None:
        """Remove the folders of a release's instances, their logs with them."""
        one_offs = (instance_id(record, release.number, "once", "migrate"),)
        calls = (one.id for one in workers_of(record, release))
        for name in (*(one.id for one in release.instances), *release.gone, *one_offs, *calls):
            with suppress(OSError):
                remove_tree(self.instances / name)
