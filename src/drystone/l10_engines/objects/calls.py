"""Blocking calls to a store's S3 API; they belong in a thread."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import json

from drystone.l00_kernel.errors import Conflict, Unavailable
from drystone.l10_engines.objects.access import BucketAccess, StoreAccess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou"})
_ABSENT = frozenset({"NoSuchBucket", "404", "NotFound"})
_NO_POLICY = frozenset({"NoSuchBucketPolicy", *_ABSENT})


class Calls:
    """Makes buckets and removes them. Safe between threads; costs 0.1 s to make.

    Every method raises ``Unavailable`` when the store does not answer, or refuses.

    Args:
        access: A key that may make buckets.
    """

    def __init__(self, access: StoreAccess) -> None:
        self.access = access
        self._client = client_of(access)

    def make(self, bucket: str, *, public_read: bool) -> None:
        """Make a bucket, or take our own that is there, and say whether everybody may read its objects.

        Raises:
            Conflict: It is somebody else's.
        """
        with refusals(self.access):
            self._create(bucket)
            if public_read:
                self._client.put_bucket_policy(Bucket=bucket, Policy=_public_policy(bucket))
            else:
                with _accepted(_NO_POLICY):
                    self._client.delete_bucket_policy(Bucket=bucket)

    def exists(self, bucket: str) -> bool:
        """Tell whether a bucket is there."""
        with refusals(self.access), _accepted(_ABSENT):
            self._client.head_bucket(Bucket=bucket)
            return True
        return False

    def holds_data(self, bucket: str) -> bool:
        """Tell whether a bucket holds any version of any object."""
        with refusals(self.access):
            found = self._client.list_object_versions(Bucket=bucket, MaxKeys=1)
            return bool(found.get("Versions") or found.get("DeleteMarkers"))

    def remove(self, bucket: str) -> None:
        """Remove a bucket that nobody can write to any more, page by page."""
        with refusals(self.access):
            self._abort_uploads(bucket)
            self._empty(bucket)
            with _accepted(_ABSENT):
                self._client.delete_bucket(Bucket=bucket)

    def _create(self, bucket: str) -> None:
        region = self._client.meta.region_name
        try:
            if region == "us-east-1":  # the one region that may not be named here
                self._client.create_bucket(Bucket=bucket)
            else:
                self._client.create_bucket(
                    Bucket=bucket,
                    CreateBucketConfiguration={"LocationConstraint": region},  # type: ignore[typeddict-item]
                )
        except ClientError as e:
            if code_of(e) == "BucketAlreadyExists":
                raise Conflict(
                    f"bucket {bucket} belongs to somebody else in this store; choose another name",
                    bucket=bucket,
                ) from e
            if code_of(e) not in _OURS_ALREADY:
                raise

    def _abort_uploads(self, bucket: str) -> None:
        for uploads in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in uploads.get("Uploads", []):
                self._client.abort_multipart_upload(
                    Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )

    def _empty(self, bucket: str) -> None:
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                self._client.delete_objects(
                    Bucket=bucket,
                    Delete={
                        "Objects": [{"Key": e["Key"], "VersionId": e["VersionId"]} for e in found],
                        "Quiet": True,
                    },
                )


def may_write(access: BucketAccess, client: S3Client) -> bool:
    """Tell whether the key of a client may write to its bucket; asked by removing an object that there is not.

    Raises:
        Unavailable: The store does not answer.
    """
    key = f"drystone-{secrets.token_hex(16)}"
    with refusals(access):
        try:
            client.delete_object(Bucket=access.bucket, Key=key)
        except ClientError as e:
            if code_of(e) in {"AccessDenied", "403"}:
                return False
            raise
    return True


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


@contextmanager
def refusals(access: StoreAccess) -> Iterator[None]:
    """Turn what boto3 raises into ``Unavailable``."""
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as e:
        raise Unavailable(
            f"the object store at {access.endpoint} refused: {e}; look into its log and try again"
        ) from e


def code_of(error: ClientError) -> str:
    """Return the word by which a store names what is wrong."""
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def _accepted(codes: frozenset[str]) -> Iterator[None]:
    """Take refusals with one of these codes for an answer: what follows in the block is left out."""
    try:
        yield
    except ClientError as e:
        if code_of(e) not in codes:
            raise


def _public_policy(bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
