"""One small signed S3 request, to learn whether a store serves this key.

The request is written by hand on an asyncio connection: a probe must neither block the event loop nor
hold a thread while a server says nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote, urlsplit

from drystone.l10_engines.objects.access import StoreAccess

NO_ANSWER = 0
_LISTED, _NO_SUCH = 200, 404


async def ask(
    access: StoreAccess, bucket: str = "", *, limit: timedelta = timedelta(seconds=1)
) -> int:
    """List the buckets, or one key of a bucket, and return the HTTP status.

    Returns:
        The status; :data:`NO_ANSWER` when none came within the limit.
    """
    # With botocore, which an agent loads only when its home has an object store.
    from drystone.l10_engines.objects.signature import signed_headers  # noqa: PLC0415

    path = f"/{quote(bucket)}?list-type=2&max-keys=1" if bucket else "/"
    return await _status(access.endpoint, path, signed_headers(access, path), limit)


async def is_open(endpoint: str, bucket: str, *, limit: timedelta = timedelta(seconds=2)) -> bool:
    """Tell whether everybody may list a bucket or read its objects, by asking without a key for one that is not there.

    A store says that there is no such object to those alone who may read.
    """
    paths = (
        f"/{quote(bucket)}?list-type=2&max-keys=1",
        f"/{quote(bucket)}/{secrets.token_hex(16)}",
    )
    for path, answer in zip(paths, (_LISTED, _NO_SUCH), strict=True):
        if await _status(endpoint, path, {}, limit) == answer:
            return True
    return False


async def _status(endpoint: str, path: str, signed: Mapping[str, str], limit: timedelta) -> int:
    place = urlsplit(endpoint)
    headers = {**signed, "Host": place.netloc, "Connection": "close"}
    lines = (
        f"GET {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    )
    encrypted = place.scheme == "https"
    try:
        async with asyncio.timeout(limit.total_seconds()):
            reader, writer = await asyncio.open_connection(
                place.hostname, place.port or (443 if encrypted else 80), ssl=encrypted or None
            )
            try:
                writer.write("\r\n".join(lines).encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return NO_ANSWER
    spoken = len(status) > 1 and status[0].startswith(b"HTTP/") and status[1].isdigit()
    return int(status[1]) if spoken else NO_ANSWER
