from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l10_engines.objects.calls import client_of
from drystone.l10_engines.objects.server import Objects
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.testing.conformance.engines import LocalEngineConformance

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class TestObjects(LocalEngineConformance):
    @override
    def make(self, directory: Path) -> Objects:
        return Objects("objects", directory)

    @override
    async def write(self, engine: LocalEngine, key: str, value: str) -> None:
        client = self.client(engine)
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            await asyncio.to_thread(client.create_bucket, Bucket="kept")
        await asyncio.to_thread(client.put_object, Bucket="kept", Key=key, Body=value.encode())

    @override
    async def read(self, engine: LocalEngine, key: str) -> str | None:
        found = await asyncio.to_thread(self.client(engine).get_object, Bucket="kept", Key=key)
        return found["Body"].read().decode()

    def client(self, engine: LocalEngine) -> S3Client:
        assert isinstance(engine, Objects)
        return client_of(engine.admin())
