"""Gather what the references of a release stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.stacks.limits import is_asked_about

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l25_deployer.local.mesh import Mesh
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
    from drystone.l25_deployer.local.resources.port import Deviations, ResourceDriver
    from drystone.l25_deployer.stacks.model import Resource


class Provisioner:
    """Applies the eternal stack and knows the values that come of it.

    Args:
        drivers: One driver per type of resource.
    """

    def __init__(self, drivers: Mapping[type, ResourceDriver[Any]]) -> None:
        self._drivers = drivers

    def engine(self, resource: Resource) -> str:
        """Name what holds such a resource."""
        return self._drivers[type(resource)].engine

    def engines(self, record: ServiceRecord) -> frozenset[str]:
        """Name the engines, as their supervisor calls them, that hold a service's data."""
        return frozenset(self.engine_of(record, name) for name in record.eternal)

    def engine_of(self, record: ServiceRecord, name: str) -> str:
        """Name the engine, as its supervisor calls it, that holds one resource of a service."""
        owner = Owner(record.environment, record.service, name)
        return self._drivers[type(record.eternal[name])].engine_of(owner)

    def driver(self, record: ServiceRecord, owner: Owner) -> ResourceDriver[Any]:
        """Return what makes a resource of a service exist."""
        return self._drivers[type(record.eternal[owner.resource])]

    def drivers(self) -> Mapping[type, ResourceDriver[Any]]:
        """Return what makes resources exist, by their type."""
        return self._drivers

    async def apply(
        self, record: ServiceRecord, name: str, resource: Resource
    ) -> dict[tuple[str, str, str], str]:
        """Make one resource exist and return its values, keyed as references are."""
        owner = Owner(record.environment, record.service, name)
        values = await self._drivers[type(resource)].apply(owner, resource)
        return {("resources", name, key): value for key, value in values.items()}

    async def deviations(self, record: ServiceRecord, name: str) -> Deviations:
        """Return in what an engine has one resource otherwise than the record says; see :meth:`ResourceDriver.deviations`."""
        owner, wanted = Owner(record.environment, record.service, name), record.eternal[name]
        return await self._drivers[type(wanted)].deviations(owner, wanted)

    async def remove(self, record: ServiceRecord, name: str, resource: Resource) -> None:
        """Remove one resource and its data."""
        owner = Owner(record.environment, record.service, name)
        await self._drivers[type(resource)].remove(owner, resource)

    async def suspend(self, record: ServiceRecord) -> None:
        """End what runs for this service's resources alone."""
        for name, resource in record.eternal.items():
            owner = Owner(record.environment, record.service, name)
            await self._drivers[type(resource)].suspend(owner)


def address_values(
    release: ReleaseRecord, key: tuple[str, str], mesh: Mesh
) -> dict[tuple[str, str, str], str]:
    """Return where a service finds those that it depends on, and where it asks about its limits.

    Each has an address of its own, so that no name has to be resolved.
    """
    environment, service = key
    values = {}
    if is_asked_about(release.stacks.environment.limits):
        at = mesh.limits_address(environment, service)
        url = f"http://{at.host}:{at.port}/v1/limits/{environment}/{service}"
        values["limits", "", "url"] = url
    for name, dependency in release.stacks.environment.dependencies.items():
        callee = f"{name}.{dependency.environment or environment}"
        at = mesh.address(environment, service, callee, release.slot)
        for key_, value in (
            ("url", f"http://{at.host}:{at.port}"),
            ("host", at.host),
            ("port", str(at.port)),
        ):
            values["dependencies", name, key_] = value
    return values
