"""One small signed S3 request, to learn whether a store serves this key.

The request is written by hand on an asyncio connection: a probe must neither block the event loop nor
hold a thread while a server says nothing.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import quote, urlsplit

from drystone.l10_engines.objects.access import StoreAccess

NO_ANSWER = 0


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
    place = urlsplit(access.endpoint)
    headers = {**signed_headers(access, path), "Host": place.netloc, "Connection": "close"}
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
