"""How to reach an object store, and one bucket of it."""

from __future__ import annotations

import msgspec
from typing_extensions import override


class StoreAccess(msgspec.Struct, frozen=True, kw_only=True):
    """An object store and a key to it; its ``repr`` hides the secret.

    Attributes:
        endpoint: URL of the S3 API, without a path.
        region: The region that requests are signed for.
        access_key: The key's public half.
        secret_key: The key's secret half.
    """

    endpoint: str
    region: str = "us-east-1"
    access_key: str
    secret_key: str

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.access_key}@{self.endpoint})"


class BucketAccess(StoreAccess, frozen=True, kw_only=True):
    """Everything a client needs to use one bucket.

    Attributes:
        bucket: The bucket's name.
    """

    bucket: str
