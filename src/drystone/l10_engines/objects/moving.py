"""One end of a bucket's move: what it holds, and how an object comes over; blocking calls.

An object is read once, its SHA-256 taken on the way, and read again where it was written: what is said to be copied has been
compared byte for byte. Of what stands beside the bytes, headers, metadata and tags come along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from typing_extensions import override

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.calls import client_of, code_of, refusals

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

AT_ONCE = 8
"""Objects on their way at the same time; a client has ten connections."""

_PIECE = 1 << 20
_TRANSFER = TransferConfig(use_threads=False)
_KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
)
_GONE = frozenset({"NoSuchKey", "404", "NotFound"})
_NO_TAGS = frozenset({"NoSuchTagSet", "NotImplemented", "MethodNotAllowed"})


class Listed(msgspec.Struct, frozen=True):
    """An object as a listing tells it.

    Attributes:
        key: Its key.
        etag: Its entity tag, without quotes.
        size: In bytes.
        modified: When it was written, in microseconds since 1970.
    """

    key: str
    etag: str
    size: int
    modified: int


class Arrived(msgspec.Struct, frozen=True):
    """An object that was copied, and compared byte for byte.

    Attributes:
        read: The entity tag that was read.
        written: The entity tag at the new end.
        digest: SHA-256 of the bytes, in hexadecimal digits.
        size: In bytes.
    """

    read: str
    written: str
    digest: str
    size: int


class Beside(msgspec.Struct, frozen=True):
    """What stands beside the bytes of an object: headers, metadata and tags, each by name."""

    headers: dict[str, str]
    metadata: dict[str, str]
    tags: dict[str, str]


class BucketEnd:
    """A bucket and a key to it. Safe between threads; costs 0.1 s to make.

    Every method raises ``Unavailable`` when the store does not answer, or refuses.

    Args:
        access: A key that may read the bucket and list it; at the new end also write to it.
    """

    def __init__(self, access: BucketAccess) -> None:
        self.access = access
        self._client = client_of(access)

    @override
    def __str__(self) -> str:
        return f"{self.access.endpoint}/{self.access.bucket}"

    def pages(self) -> Iterator[list[Listed]]:
        """List every object, at most 1000 at a time."""
        with refusals(self.access):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.access.bucket
            )
            for page in pages:
                yield [
                    Listed(
                        one["Key"],
                        one["ETag"].strip('"'),
                        one["Size"],
                        int(one["LastModified"].timestamp() * 1_000_000),
                    )
                    for one in page.get("Contents", [])
                ]

    def is_empty(self) -> bool:
        """Tell whether there is no object."""
        with refusals(self.access):
            found = self._client.list_objects_v2(Bucket=self.access.bucket, MaxKeys=1)
            return not found.get("Contents")

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects, at most 1000; those that are not there are no mistake."""
        with refusals(self.access):
            said = self._client.delete_objects(
                Bucket=self.access.bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
        for error in said.get("Errors", []):
            raise Unavailable(
                f"{self} does not remove {error.get('Key')}: {error.get('Message')}; try again"
            )

    def etag(self, key: str) -> str | None:
        """Return the entity tag of an object; None where there is none."""
        with refusals(self.access):
            found = self._head(key)
            return None if found is None else found["ETag"].strip('"')

    def beside(self, key: str) -> Beside | None:
        """Return what stands beside the bytes of an object; None where there is none."""
        with refusals(self.access):
            found = self._head(key)
            return (
                None
                if found is None
                else Beside(_headers(found), found["Metadata"], self._tags(key))
            )

    def copy(self, key: str, target: BucketEnd) -> Arrived | None:
        """Copy an object, and compare what was written with what was read; None where there is none any more.

        Raises:
            Unavailable: A store does not answer, or what was written is not what was read.
        """
        with refusals(self.access):
            found = self._get(key)
            if found is None:
                return None
            beside = Beside(_headers(found), found["Metadata"], self._tags(key))
            reading = _Digesting(found["Body"])
            with found["Body"], refusals(target.access):
                target.write(key, cast("IO[bytes]", reading), beside)
        written, digest = target.digest(key)
        if digest != reading.digest:
            raise Unavailable(
                f"what {target} gives back as {key} is not what was written: somebody else writes there, or it is"
                " damaged; nothing has moved, say the same again"
            )
        return Arrived(found["ETag"].strip('"'), written, digest, reading.size)

    def read(self, key: str) -> tuple[IO[bytes], Beside] | None:
        """Begin to read an object; None where there is none. Whoever gets its bytes closes them."""
        with refusals(self.access):
            found = self._get(key)
            if found is None:
                return None
            beside = Beside(_headers(found), found["Metadata"], self._tags(key))
            return cast("IO[bytes]", found["Body"]), beside

    def write(self, key: str, body: IO[bytes], beside: Beside) -> None:
        """Write an object, in parts when it is large."""
        extra: dict[str, Any] = {**beside.headers, "Metadata": beside.metadata}
        self._client.upload_fileobj(
            body, self.access.bucket, key, ExtraArgs=extra, Config=_TRANSFER
        )
        if beside.tags:
            tags = [{"Key": name, "Value": value} for name, value in beside.tags.items()]
            self._client.put_object_tagging(
                Bucket=self.access.bucket,
                Key=key,
                Tagging={"TagSet": tags},  # type: ignore[typeddict-item]
            )

    def digest(self, key: str) -> tuple[str, str]:
        """Read an object; return its entity tag and the SHA-256 of its bytes."""
        with refusals(self.access):
            found = self._client.get_object(Bucket=self.access.bucket, Key=key)
            reading = _Digesting(found["Body"])
            with found["Body"]:
                while reading.read(_PIECE):
                    pass
            return found["ETag"].strip('"'), reading.digest

    def _get(self, key: str) -> GetObjectOutputTypeDef | None:
        try:
            return self._client.get_object(Bucket=self.access.bucket, Key=key)
        except ClientError as e:
            if code_of(e) in _GONE:
                return None
            raise

    def _head(self, key: str) -> HeadObjectOutputTypeDef | None:
        try:
            return self._client.head_object(Bucket=self.access.bucket, Key=key)
        except ClientError as e:
            if code_of(e) in _GONE:
                return None
            raise

    def _tags(self, key: str) -> dict[str, str]:
        try:
            found = self._client.get_object_tagging(Bucket=self.access.bucket, Key=key)
        except ClientError as e:
            if code_of(e) in _NO_TAGS | _GONE:
                return {}
            raise
        return {one["Key"]: one["Value"] for one in found["TagSet"]}


class _Digesting:
    """Takes the SHA-256 of what is read through it."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, all that remain when negative; none at the end."""
        piece: bytes = self._source.read(None if size < 0 else size)
        self._digest.update(piece)
        self.size += len(piece)
        return piece


def _headers(found: GetObjectOutputTypeDef | HeadObjectOutputTypeDef) -> dict[str, str]:
    """Return those headers that belong to an object rather than to the answer."""
    said = cast("dict[str, object]", found)
    # The date as it was sent: parsed, one that is no date would be lost.
    names = {name: "ExpiresString" if name == "Expires" else name for name in _KEPT}
    return {name: str(said[at]) for name, at in names.items() if said.get(at)}
