"""Buckets: one with a key of its own for each resource."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.port import Credentials, Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Bucket

if TYPE_CHECKING:
    from drystone.l10_engines.objects.access import StoreAccess
    from drystone.l10_engines.objects.archives import Contents
    from drystone.l10_engines.objects.buckets import Buckets
    from drystone.l10_engines.supervision.supervisor import Supervisor

ENGINE = "objects"


class ObjectBuckets(ResourceDriver[Bucket]):
    """Makes buckets in the home's object store, which starts with the first of them.

    Args:
        supervisor: Keeps the store.
        buckets: Makes buckets in it.
        credentials: Makes up and keeps their keys.
        given: The key for every bucket in a store that somebody else runs, where keys cannot be made up.
    """

    engine = ENGINE
    has_backup = True

    def __init__(
        self,
        supervisor: Supervisor,
        buckets: Buckets,
        credentials: Credentials,
        *,
        given: StoreAccess | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._buckets = buckets
        self._credentials = credentials
        self._given = given

    @override
    async def apply(self, owner: Owner, wanted: Bucket) -> dict[str, str]:
        await self._supervisor.ensure(ENGINE)
        keys = (self._given.access_key, self._given.secret_key) if self._given else None
        access_key, secret_key = keys or (
            self._credentials.get(owner, "access_key"),
            self._credentials.get(owner, "secret_key"),
        )
        access = await self._buckets.provision(
            owner.name, access_key=access_key, secret_key=secret_key
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

    @override
    async def room_for_copy(self, owner: Owner, wanted: Bucket) -> int:
        await self._supervisor.ensure(ENGINE)
        return await self._buckets.size(owner.name)

    @override
    async def back_up(self, owner: Owner, wanted: Bucket, folder: Path) -> Copied:
        at = datetime.now(UTC)
        return Copied(at, _measures(await finished(self._buckets.dump(owner.name, folder))))

    @override
    async def lay_out(self, owner: Owner, wanted: Bucket, folder: Path) -> LaidOut:
        await self._supervisor.ensure(ENGINE)
        await finished(self._buckets.lay_out(owner.name, folder))
        return _Beside(self._buckets, owner.name)


class _Beside(LaidOut):
    """A bucket whose objects are to take the place of another one's."""

    def __init__(self, buckets: Buckets, name: str) -> None:
        self._buckets, self._name = buckets, name

    @override
    async def holds(self) -> dict[str, Measure]:
        return _measures(await self._buckets.laid_out(self._name))

    @override
    async def put_in_place(self) -> None:
        await finished(self._buckets.put_in_place(self._name))

    @override
    async def discard(self) -> None:
        await self._buckets.discard(self._name)


def _measures(found: Contents) -> dict[str, Measure]:
    return {"objects": Measure(found.count, found.digest)}
