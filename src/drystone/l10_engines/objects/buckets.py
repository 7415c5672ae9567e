"""One bucket and one key for each service that asks for one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import structs

from drystone.l00_kernel.errors import Conflict, Unavailable
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.objects import probe
from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.names import bucket_name
from drystone.l10_engines.objects.server import ObjectsEngine

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l10_engines.objects.archives import Contents
    from drystone.l10_engines.objects.calls import Calls
    from drystone.l10_engines.objects.moving import BucketEnd

BUCKET_MADE = FaultPoint("objects.bucket.made", "a bucket exists; its key may not open it")
BUCKET_CLOSED = FaultPoint("objects.bucket.closed", "no key opens a bucket, which is to go")

_ABSENT, _REFUSED = 404, 403


class Buckets:
    """Makes and drops buckets in one store. Every method may be repeated after any failure.

    Args:
        store: The object store; it is started.
    """

    def __init__(self, store: ObjectsEngine) -> None:
        self._store = store
        self._made: Calls | None = None

    async def provision(
        self,
        name: str,
        *,
        access_key: str,
        secret_key: str,
        public_read: bool = False,
        former: tuple[str, str] | None = None,
    ) -> BucketAccess:
        """Make the bucket and let the key use it, or bring both to what is asked.

        Args:
            name: Any name; :func:`~drystone.l10_engines.objects.names.bucket_name` makes the bucket's.
            access_key: Public half of the only key that the bucket has from now on, but for ``former``.
            secret_key: Its secret half.
            public_read: Whether everybody may read (not list) its objects without a key.
            former: Both halves of a key that opens the bucket still, until this is called without it.

        Raises:
            Conflict: The bucket is somebody else's.
            Unavailable: The store does not answer, or refuses.
        """
        admin, bucket = self._store.admin(), bucket_name(name)
        await asyncio.to_thread(lambda: self._calls().make(bucket, public_read=public_read))
        BUCKET_MADE.reach()
        access = BucketAccess(
            endpoint=admin.endpoint,
            region=admin.region,
            access_key=access_key,
            secret_key=secret_key,
            bucket=bucket,
        )
        await self._store.allow(access, former=former)
        return access

    async def differences(
        self, name: str, *, access_key: str, secret_key: str
    ) -> dict[str, tuple[str | None, str | None]]:
        """Return in what the bucket is not as :meth:`provision` makes it, and change nothing: what should be and what is.

        Raises:
            Unavailable: The store does not answer.
        """
        admin, bucket = self._store.admin(), bucket_name(name)
        if await probe.ask(admin) == probe.NO_ANSWER:
            raise Unavailable(f"the object store at {admin.endpoint} does not answer")
        if await probe.ask(admin, bucket) == _ABSENT:
            return {"bucket": (bucket, None)}
        found = dict[str, tuple[str | None, str | None]]()
        own = structs.replace(admin, access_key=access_key, secret_key=secret_key)
        if await probe.ask(own, bucket) == _REFUSED:
            found["key"] = ("opens it", "is refused")
        if await probe.is_open(admin.endpoint, bucket):
            found["public"] = ("no", "yes")
        return found

    async def exists(self, name: str) -> bool:
        """Tell whether the bucket is there.

        Raises:
            Unavailable: The store does not answer.
        """
        return await asyncio.to_thread(lambda: self._calls().exists(bucket_name(name)))

    async def drop(self, name: str, *, and_data: bool) -> None:
        """Take the key away and remove the bucket. Idempotent.

        Args:
            name: As it was given to :meth:`provision`.
            and_data: Whether to remove its objects, all versions of them, too.

        Raises:
            Conflict: The bucket holds objects and ``and_data`` is False; nothing has changed then.
            Unavailable: The store does not answer, or refuses.
        """
        bucket = bucket_name(name)
        if await self.exists(name):
            if not and_data and await asyncio.to_thread(lambda: self._calls().holds_data(bucket)):
                raise Conflict(
                    f"bucket {bucket} holds objects; empty it first, or drop it together with its data",
                    bucket=bucket,
                )
            await self._store.refuse(bucket)
            BUCKET_CLOSED.reach()
            await asyncio.to_thread(lambda: self._calls().remove(bucket))
        await self._store.refuse(bucket)

    async def size(self, name: str) -> int:
        """Return the bytes that a copy of the bucket takes at most.

        Raises:
            Unavailable: The store does not answer.
        """
        from drystone.l10_engines.objects import archives  # noqa: PLC0415

        return await asyncio.to_thread(lambda: archives.size_of(self._end(bucket_name(name))))

    async def dump(self, name: str, folder: Path) -> Contents:
        """Copy every object into files of a folder; see :mod:`~drystone.l10_engines.objects.archives`.

        Raises:
            Unavailable: The store does not answer.
        """
        from drystone.l10_engines.objects import archives  # noqa: PLC0415

        return await asyncio.to_thread(lambda: archives.dump(self._end(bucket_name(name)), folder))

    async def lay_out(self, name: str, folder: Path) -> None:
        """Make a bucket of a copy beside the one that is in use, which no key but the administrator's opens.

        Raises:
            Unavailable: The store does not answer.
        """
        from drystone.l10_engines.objects import archives  # noqa: PLC0415

        await self.discard(name)
        scratch = _scratch(name)
        await asyncio.to_thread(lambda: self._calls().make(scratch, public_read=False))
        await asyncio.to_thread(lambda: archives.load(folder, self._end(scratch)))

    async def laid_out(self, name: str) -> Contents:
        """Read back what was laid out.

        Raises:
            Unavailable: The store does not answer.
        """
        from drystone.l10_engines.objects import archives  # noqa: PLC0415

        return await asyncio.to_thread(lambda: archives.contents(self._end(_scratch(name))))

    async def put_in_place(self, name: str) -> None:
        """Let the bucket hold what was laid out, and nothing else, and remove what was laid out. May be repeated.

        Raises:
            Unavailable: The store does not answer.
        """
        from drystone.l10_engines.objects import archives  # noqa: PLC0415

        scratch, bucket = _scratch(name), bucket_name(name)
        await asyncio.to_thread(lambda: archives.take_over(self._end(scratch), self._end(bucket)))
        await self.discard(name)

    async def discard(self, name: str) -> None:
        """Remove what was laid out. Idempotent.

        Raises:
            Unavailable: The store does not answer.
        """
        scratch = _scratch(name)
        if await asyncio.to_thread(lambda: self._calls().exists(scratch)):
            await asyncio.to_thread(lambda: self._calls().remove(scratch))

    def _end(self, bucket: str) -> BucketEnd:
        """Return a bucket as the administrator reaches it; to be asked for in a thread."""
        from drystone.l10_engines.objects.moving import BucketEnd  # noqa: PLC0415

        admin = self._store.admin()
        return BucketEnd(
            BucketAccess(
                endpoint=admin.endpoint,
                region=admin.region,
                access_key=admin.access_key,
                secret_key=admin.secret_key,
                bucket=bucket,
            )
        )

    def _calls(self) -> Calls:
        """Return the calls for the store's present administrator; to be asked for in a thread."""
        # With boto3, which takes a fifth of a second to load: an agent whose home has no bucket, or that
        # changes none, is back sooner without it.
        from drystone.l10_engines.objects.calls import Calls  # noqa: PLC0415

        admin = self._store.admin()
        if self._made is None or self._made.access != admin:
            self._made = Calls(admin)
        return self._made


def _scratch(name: str) -> str:
    """Return the name of the bucket in which a copy is laid out."""
    return bucket_name(f"{name}.restoring")
