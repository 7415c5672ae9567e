"""Buckets: one with a key of its own for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l25_deployer.local.resources.port import Credentials, Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Bucket

if TYPE_CHECKING:
    from drystone.l10_engines.objects.buckets import Buckets
    from drystone.l10_engines.supervision.supervisor import Supervisor

ENGINE = "objects"


class ObjectBuckets(ResourceDriver[Bucket]):
    """Makes buckets in the home's object store, which starts with the first of them.

    Args:
        supervisor: Keeps the store.
        buckets: Makes buckets in it.
        credentials: Makes up and keeps their keys.
    """

    engine = ENGINE

    def __init__(self, supervisor: Supervisor, buckets: Buckets, credentials: Credentials) -> None:
        self._supervisor = supervisor
        self._buckets = buckets
        self._credentials = credentials

    @override
    async def apply(self, owner: Owner, wanted: Bucket) -> dict[str, str]:
        await self._supervisor.ensure(ENGINE)
        access = await self._buckets.provision(
            owner.name,
            access_key=self._credentials.get(owner, "access_key"),
            secret_key=self._credentials.get(owner, "secret_key"),
        )
        return {
            "name": access.bucket,
            "endpoint": access.endpoint,
            "region": access.region,
            "access_key": access.access_key,
            "secret_key": access.secret_key,
            "url": f"{access.endpoint}/{access.bucket}",
        }

    @override
    async def remove(self, owner: Owner, wanted: Bucket) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._buckets.drop(owner.name, and_data=True)
        self._credentials.forget(owner)

    @override
    async def suspend(self, owner: Owner) -> None:
        return
