"""Two real buckets between which objects move, and somebody who writes to the old one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from botocore.exceptions import ClientError
from typing_extensions import override

from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.calls import client_of
from drystone.l10_engines.objects.server import Objects
from drystone.l35_mesh.migration.buckets import BucketMove
from drystone.l35_mesh.migration.noted_moves import Surroundings, Times
from l35_mesh.migration.writing import Writing

SHORT = Times(
    pause=timedelta(milliseconds=20),
    quiet=timedelta(milliseconds=300),
    patience=timedelta(seconds=20),
)


class Ends:
    """The old and the new bucket in one store, and the loop in which its agent would run."""

    def __init__(self, store: Objects, old: BucketAccess, new: BucketAccess, folder: Path) -> None:
        self.store = store
        self.old = old
        self.new = new
        self.folder = folder
        self.told: list[str] = []
        self.from_old = client_of(old)
        self.from_new = client_of(new)

    def hold(self, is_held: bool) -> bool:
        return asyncio.run(self.store.hold(self.old.bucket, is_held=is_held))

    def move(
        self, *, hold: Callable[[bool], bool] | None = None, times: Times = SHORT
    ) -> BucketMove:
        around = Surroundings(
            self.folder / "notes", hold or self.hold, self.told.append, times=times
        )
        return BucketMove(self.old, self.new, around)

    def put(self, key: str, body: bytes = b"value") -> None:
        self.from_old.put_object(Bucket=self.old.bucket, Key=key, Body=body)

    def may_write(self) -> bool:
        try:
            self.put("probe")
        except ClientError:
            return False
        self.from_old.delete_object(Bucket=self.old.bucket, Key="probe")
        return True

    def content(self, access: BucketAccess) -> dict[str, str]:
        """Return the digest of every object."""
        return content(access)


def content(access: BucketAccess) -> dict[str, str]:
    """Return the digest of every object of a bucket."""
    client, found = client_of(access), {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=access.bucket):
        for one in page.get("Contents", []):
            body = client.get_object(Bucket=access.bucket, Key=one["Key"])["Body"].read()
            found[one["Key"]] = hashlib.sha256(body).hexdigest()
    return found


class Writer(Writing):
    """Writes to the old bucket."""

    more = 5

    def __init__(self, access: BucketAccess) -> None:
        super().__init__()
        self._bucket = access.bucket
        self._client = client_of(access)
        self.acknowledged: dict[str, str] = {}

    @override
    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                self._change(number)
            except ClientError as e:
                assert e.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017 - in a thread
                self.refused += 1
                self._stop.wait(0.02)
            else:
                self.written += 1
                self._stop.wait(0.02)  # leaves the mover a part of the processor
            if number > 10:
                self.enough.set()

    def _change(self, number: int) -> None:
        client, bucket = self._client, self._bucket
        key = (
            f"folder {number % 7}/ä+{number % 40}"
            if number % 3
            else f"folder {number % 7}-{number % 5}"
        )
        if number % 5 == 0:
            client.delete_object(Bucket=bucket, Key=key)
            self.acknowledged.pop(key, None)
            return
        body = f"{number} ".encode() * (number % 50)
        client.put_object(Bucket=bucket, Key=key, Body=body)
        self.acknowledged[key] = hashlib.sha256(body).hexdigest()
