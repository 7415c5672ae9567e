"""An object store that somebody else runs: Amazon S3, or anything that speaks its protocol."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

from typing_extensions import override

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.objects.access import BucketAccess, StoreAccess
from drystone.l10_engines.objects.probe import NO_ANSWER, ask
from drystone.l10_engines.objects.server import ObjectsEngine
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.external import ExternalEngine

_CHECK_LIMIT = timedelta(seconds=5)


def parse_url(url: str) -> StoreAccess:
    """Read ``https://ACCESS_KEY:SECRET_KEY@HOST[:PORT][?region=REGION]``.

    Raises:
        Invalid: It cannot be read or lacks a part.
    """
    wanted = "write it as https://ACCESS_KEY:SECRET_KEY@HOST:PORT?region=REGION"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The cause quotes the URL, secret included.
        raise Invalid(f"the URL of the object store cannot be read; {wanted}") from None
    if parts.scheme not in {"http", "https"} or not (
        parts.hostname and parts.username and parts.password
    ):
        raise Invalid(f"the URL of the object store lacks a part; {wanted}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return StoreAccess(
        endpoint=f"{parts.scheme}://{host}" + (f":{port}" if port else ""),
        region=parse_qs(parts.query).get("region", ["us-east-1"])[0],
        access_key=unquote(parts.username),
        secret_key=unquote(parts.password),
    )


def parse_bucket_url(url: str) -> BucketAccess:
    """Read ``https://ACCESS_KEY:SECRET_KEY@HOST[:PORT]/BUCKET[?region=REGION]``.

    Raises:
        Invalid: It cannot be read or lacks a part.
    """
    store = parse_url(url)
    bucket = unquote(urlsplit(url).path.strip("/"))
    if not bucket or "/" in bucket:
        raise Invalid(
            "the URL names no bucket; write it as https://ACCESS_KEY:SECRET_KEY@HOST:PORT/BUCKET"
        )
    return BucketAccess(
        endpoint=store.endpoint,
        region=store.region,
        access_key=store.access_key,
        secret_key=store.secret_key,
        bucket=bucket,
    )


class ExternalObjects(ExternalEngine, ObjectsEngine):
    """An S3 API at a URL. Its owner makes the keys: a bucket is given one that it knows already.

    Args:
        name: The engine's name among all engines of one home.
        url: See :func:`parse_url`.
    """

    def __init__(self, name: str, url: str) -> None:
        self._admin = parse_url(url)
        super().__init__(name, urlsplit(self._admin.endpoint).netloc)

    @override
    def admin(self) -> StoreAccess:
        return self._admin

    @override
    async def check(self) -> str:
        status = await ask(self._admin, limit=_CHECK_LIMIT)
        if status == NO_ANSWER:
            raise EngineFailed(
                f"{self.name}: no object store answers at {self._admin.endpoint}; "
                "check the address and the network",
                engine=self.name,
            )
        if status != 200:
            raise EngineFailed(
                f"{self.name}: the object store at {self._admin.endpoint} refuses the key "
                f"{self._admin.access_key} with status {status}; it must be allowed to list buckets",
                engine=self.name,
            )
        return "S3"

    @override
    async def allow(self, access: BucketAccess, *, former: tuple[str, str] | None = None) -> None:
        status = await ask(access, access.bucket, limit=_CHECK_LIMIT)
        if status != 200:
            raise Invalid(
                f"{self.name}: the key {access.access_key} may not list bucket {access.bucket} "
                f"(status {status}); let the store's owner make a key for this bucket alone and give it",
                bucket=access.bucket,
            )

    @override
    async def hold(self, bucket: str, *, is_held: bool) -> bool:
        return False

    @override
    async def refuse(self, bucket: str) -> None:
        pass
