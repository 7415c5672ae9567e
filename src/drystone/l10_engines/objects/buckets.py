"""One bucket and one key for each service that asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import json

from drystone.l00_kernel.errors import Conflict, Unavailable
from drystone.l10_engines.objects.access import BucketAccess, StoreAccess
from drystone.l10_engines.objects.names import bucket_name
from drystone.l10_engines.objects.server import ObjectsEngine

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_Result = TypeVar("_Result")
_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou"})
_ABSENT = frozenset({"NoSuchBucket", "404", "NotFound"})
_NO_POLICY = frozenset({"NoSuchBucketPolicy", *_ABSENT})


class Buckets:
    """Makes and drops buckets in one store. Every method may be repeated after any failure.

    Args:
        store: The object store; it is started.
    """

    def __init__(self, store: ObjectsEngine) -> None:
        self._store = store
        self._client: tuple[StoreAccess, S3Client] | None = None

    async def provision(
        self, name: str, *, access_key: str, secret_key: str, public_read: bool = False
    ) -> BucketAccess:
        """Make the bucket and let the key use it, or bring both to what is asked.

        Args:
            name: Any name; :func:`~drystone.l10_engines.objects.names.bucket_name` makes the bucket's.
            access_key: Public half of the only key that the bucket has from now on.
            secret_key: Its secret half.
            public_read: Whether everybody may read (not list) its objects without a key.

        Raises:
            Conflict: The bucket is somebody else's.
            Unavailable: The store does not answer, or refuses.
        """
        admin, bucket = self._store.admin(), bucket_name(name)
        await self._in_thread(lambda client: _make(client, bucket, public_read=public_read))
        access = BucketAccess(
            endpoint=admin.endpoint,
            region=admin.region,
            access_key=access_key,
            secret_key=secret_key,
            bucket=bucket,
        )
        await self._store.allow(access)
        return access

    async def exists(self, name: str) -> bool:
        """Tell whether the bucket is there.

        Raises:
            Unavailable: The store does not answer.
        """
        return await self._in_thread(lambda c: _exists(c, bucket_name(name)))

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
        if await self._in_thread(lambda client: _exists(client, bucket)):
            if not and_data and await self._in_thread(lambda client: _holds_data(client, bucket)):
                raise Conflict(
                    f"bucket {bucket} holds objects; empty it first, or drop it together with its data",
                    bucket=bucket,
                )
            await self._store.refuse(bucket)
            await self._in_thread(lambda client: _remove(client, bucket))
        await self._store.refuse(bucket)

    async def _in_thread(self, work: Callable[[S3Client], _Result]) -> _Result:
        """Run blocking calls beside the event loop."""
        endpoint = self._store.admin().endpoint
        try:
            return await asyncio.to_thread(lambda: work(self._admin_client()))
        except (ClientError, BotoCoreError) as e:
            raise Unavailable(
                f"the object store at {endpoint} refused: {e}; look into its log and try again"
            ) from e

    def _admin_client(self) -> S3Client:
        """Return one client for all calls: it is safe between threads and costs 0.1 s to make."""
        admin = self._store.admin()
        if self._client is None or self._client[0] != admin:
            self._client = (admin, client_of(admin))
        return self._client[1]


def client_of(access: StoreAccess) -> S3Client:
    """Return a blocking client with this key; calls belong in a thread."""
    session = boto3.session.Session()  # the default session is not safe to share between threads
    return session.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        config=Config(
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 3, "mode": "standard"},
        ),
    )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _make(client: S3Client, bucket: str, *, public_read: bool) -> None:
    try:
        if client.meta.region_name == "us-east-1":  # the one region that may not be named here
            client.create_bucket(Bucket=bucket)
        else:
            client.create_bucket(
                Bucket=bucket,
                CreateBucketConfiguration={"LocationConstraint": client.meta.region_name},  # type: ignore[typeddict-item]
            )
    except ClientError as e:
        if _code(e) == "BucketAlreadyExists":
            raise Conflict(
                f"bucket {bucket} belongs to somebody else in this store; choose another name",
                bucket=bucket,
            ) from e
        if _code(e) not in _OURS_ALREADY:
            raise
    if public_read:
        client.put_bucket_policy(Bucket=bucket, Policy=_public_policy(bucket))
    else:
        try:
            client.delete_bucket_policy(Bucket=bucket)
        except ClientError as e:
            if _code(e) not in _NO_POLICY:
                raise


def _public_policy(bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def _exists(client: S3Client, bucket: str) -> bool:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as e:
        if _code(e) in _ABSENT:
            return False
        raise
    return True


def _holds_data(client: S3Client, bucket: str) -> bool:
    found = client.list_object_versions(Bucket=bucket, MaxKeys=1)
    return bool(found.get("Versions") or found.get("DeleteMarkers"))


def _remove(client: S3Client, bucket: str) -> None:
    """Remove a bucket that nobody can write to any more, page by page."""
    for uploads in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in uploads.get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if found:
            client.delete_objects(
                Bucket=bucket,
                Delete={
                    "Objects": [{"Key": e["Key"], "VersionId": e["VersionId"]} for e in found],
                    "Quiet": True,
                },
            )
    try:
        client.delete_bucket(Bucket=bucket)
    except ClientError as e:
        if _code(e) not in _ABSENT:
            raise
