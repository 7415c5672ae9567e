"""Buckets: one with a key of its own for each resource."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l25_deployer.errors import NotRenewable
from drystone.l25_deployer.local.ending import finished
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure
from drystone.l25_deployer.local.resources.credentials import Credentials, password
from drystone.l25_deployer.local.resources.port import Deviations, Owner, ResourceDriver
from drystone.l25_deployer.stacks.model import Bucket

if TYPE_CHECKING:
    from drystone.l10_engines.objects.access import StoreAccess
    from drystone.l10_engines.objects.archives import Contents
    from drystone.l10_engines.objects.buckets import Buckets
    from drystone.l10_engines.supervision.supervisor import Supervisor

ENGINE = "objects"
_ACCESS_KEY, _SECRET_KEY = "access_key", "secret_key"


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
        coming = self._credentials.coming(owner)
        return await self._provision(owner, keeps_former=coming is not None)

    async def _provision(self, owner: Owner, *, keeps_former: bool) -> dict[str, str]:
        """Let the newest key open the bucket, and the former one, too, or no other."""
        former = self._keys(owner)
        coming = self._credentials.coming(owner)
        key = former if coming is None else (coming[_ACCESS_KEY], coming[_SECRET_KEY])
        access = await self._buckets.provision(
            owner.name,
            access_key=key[0],
            secret_key=key[1],
            former=former if keeps_former and key != former else None,
        )
        return {
            "name": access.bucket,
            "endpoint": access.endpoint,
            "region": access.region,
            "access_key": access.access_key,
            "secret_key": access.secret_key,
            "url": f"{access.endpoint}/{access.bucket}",
        }

    def _keys(self, owner: Owner) -> tuple[str, str]:
        if self._given is not None:
            return self._given.access_key, self._given.secret_key
        return (
            self._credentials.get(owner, _ACCESS_KEY),
            self._credentials.get(owner, _SECRET_KEY),
        )

    @override
    async def deviations(self, owner: Owner, wanted: Bucket) -> Deviations:
        if self._credentials.coming(owner) is not None:
            return {}  # until the renewal has ended, both are right
        access_key, secret_key = self._keys(owner)
        return await self._buckets.differences(
            owner.name, access_key=access_key, secret_key=secret_key
        )

    @override
    def require_renewable(self, owner: Owner) -> None:
        if self._given is not None:
            raise NotRenewable(
                f"'{owner.resource}' of {owner.service} in {owner.environment} is in a store that somebody else runs, who"
                " makes its keys: replace the key there, then change objects.access_key_file and objects.secret_key_file"
            )

    @override
    async def begin_renewal(self, owner: Owner, wanted: Bucket) -> None:
        self._credentials.prepare(owner, {_ACCESS_KEY: password, _SECRET_KEY: password})
        await self.apply(owner, wanted)

    @override
    async def end_renewal(self, owner: Owner, wanted: Bucket) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._provision(owner, keeps_former=False)
        self._credentials.settle(owner)

    @override
    async def withdraw_renewal(self, owner: Owner, wanted: Bucket) -> None:
        self._credentials.withdraw(owner)
        await self.apply(owner, wanted)

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
