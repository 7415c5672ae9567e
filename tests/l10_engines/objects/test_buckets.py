from __future__ import annotations

import asyncio
import functools
import os
import signal
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import structs

from drystone.l00_kernel.errors import Conflict, Invalid, Unavailable
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.buckets import Buckets
from drystone.l10_engines.objects.calls import client_of as new_client
from drystone.l10_engines.objects.external import ExternalObjects, parse_url
from drystone.l10_engines.objects.identities import Credential, Identities
from drystone.l10_engines.objects.probe import ask
from drystone.l10_engines.objects.server import RELOAD_LIMIT, Objects
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.port import EngineState
from drystone.testing.conformance.engines import eventually, short_home

client_of = functools.cache(new_client)  # making one takes longer than most tests here

REFUSED_AFTER_START = timedelta(seconds=15)
"""For so long SeaweedFS refuses writes after a start at which it remembers volumes; a client goes on asking."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def buckets(store: Objects) -> Buckets:
    return Buckets(store)


@pytest.fixture
def name() -> str:
    return f"shop_{uuid.uuid4().hex[:8]}/media"


async def provision(
    buckets: Buckets, name: str, key: str | None = None, *, public_read: bool = False
) -> BucketAccess:
    key = key or f"KEY{uuid.uuid4().hex[:12].upper()}"
    return await buckets.provision(
        name, access_key=key, secret_key=f"secret-of-{key}", public_read=public_read
    )


async def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        await asyncio.to_thread(call)
    return str(caught.value.response["Error"]["Code"])


async def put(access: BucketAccess, key: str = "k", body: bytes = b"value") -> None:
    await asyncio.to_thread(client_of(access).put_object, Bucket=access.bucket, Key=key, Body=body)


async def get(access: BucketAccess, key: str = "k") -> bytes:
    found = await asyncio.to_thread(client_of(access).get_object, Bucket=access.bucket, Key=key)
    return found["Body"].read()


def status_without_key(access: BucketAccess, path: str) -> int:
    try:
        url = f"{access.endpoint}/{access.bucket}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as e:
        with e:
            return e.code


async def test_a_service_works_in_its_own_bucket(buckets: Buckets, name: str) -> None:
    access = await provision(buckets, name)
    assert await buckets.exists(name)
    await put(access, body=b"x" * 9_000_000)
    assert await get(access) == b"x" * 9_000_000
    client = client_of(access)
    await asyncio.to_thread(
        client.put_object_tagging,
        Bucket=access.bucket,
        Key="k",
        Tagging={"TagSet": [{"Key": "a", "Value": "b"}]},
    )
    listed = await asyncio.to_thread(client.list_objects_v2, Bucket=access.bucket)
    assert [entry["Key"] for entry in listed["Contents"]] == ["k"]
    await asyncio.to_thread(client.delete_object, Bucket=access.bucket, Key="k")
    assert await refusal(lambda: client.get_object(Bucket=access.bucket, Key="k")) == "NoSuchKey"


async def test_a_service_reaches_no_other_bucket(buckets: Buckets, name: str) -> None:
    mine, other = await provision(buckets, name), await provision(buckets, f"{name}-other")
    await put(other)
    client, theirs = client_of(mine), other.bucket
    for call in (
        lambda: client.list_objects_v2(Bucket=theirs),
        lambda: client.get_object(Bucket=theirs, Key="k"),
        lambda: client.put_object(Bucket=theirs, Key="mine", Body=b""),
        lambda: client.delete_object(Bucket=theirs, Key="k"),
        lambda: client.copy_object(
            Bucket=mine.bucket, Key="k", CopySource={"Bucket": theirs, "Key": "k"}
        ),
        lambda: client.create_bucket(Bucket=f"another-{uuid.uuid4().hex[:8]}"),
        lambda: client.delete_bucket(Bucket=mine.bucket),
        lambda: client.put_bucket_policy(Bucket=mine.bucket, Policy="{}"),
    ):
        assert await refusal(call) == "AccessDenied"
    seen = await asyncio.to_thread(client.list_buckets)
    assert [bucket["Name"] for bucket in seen["Buckets"]] == [mine.bucket]


async def test_provisioning_again_keeps_data_and_retires_the_old_key(
    buckets: Buckets, name: str
) -> None:
    before = await provision(buckets, name)
    await put(before)
    after = await provision(buckets, name)
    assert await get(after) == b"value"
    client = client_of(before)
    refused = await refusal(lambda: client.get_object(Bucket=before.bucket, Key="k"))
    assert refused == "InvalidAccessKeyId"


async def test_a_new_secret_replaces_the_old_one(buckets: Buckets, name: str) -> None:
    access = await provision(buckets, name)
    renewed = await buckets.provision(
        name, access_key=access.access_key, secret_key="another-secret"
    )
    await put(renewed)
    client = client_of(access)
    refused = await refusal(lambda: client.get_object(Bucket=access.bucket, Key="k"))
    assert refused == "SignatureDoesNotMatch"


async def test_a_key_that_the_store_was_not_told_of_is_told_the_next_time(
    buckets: Buckets, store: Objects, name: str
) -> None:
    before = await provision(buckets, name)
    # Whoever wrote the new key died before the store read it.
    Identities(store.directory / "identities.json").allow(
        before.bucket, Credential("KEYOFTHEDEAD", "secret-of-KEYOFTHEDEAD")
    )
    access = await provision(buckets, name, "KEYOFTHEDEAD")
    assert await ask(access, access.bucket) == 200
    assert await ask(before, before.bucket) == 403


async def test_a_key_whose_end_the_store_was_not_told_of_ends_the_next_time(
    buckets: Buckets, store: Objects, name: str
) -> None:
    access = await provision(buckets, name)
    Identities(store.directory / "identities.json").refuse(access.bucket)
    assert await ask(access, access.bucket) == 200
    await buckets.drop(name, and_data=True)
    async with asyncio.timeout(RELOAD_LIMIT.total_seconds()):
        # A key that still worked would learn that there is no such bucket.
        while await ask(access, access.bucket) != 403:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def test_only_a_public_bucket_can_be_read_without_a_key(buckets: Buckets, name: str) -> None:
    access = await provision(buckets, name)
    await put(access)
    assert status_without_key(access, "/k") == 403
    await provision(buckets, name, access.access_key, public_read=True)
    assert status_without_key(access, "/k") == 200
    assert status_without_key(access, "/") == 403
    await provision(buckets, name, access.access_key)
    assert status_without_key(access, "/k") == 403


async def test_a_bucket_with_objects_is_not_dropped_unasked(buckets: Buckets, name: str) -> None:
    access = await provision(buckets, name)
    await put(access)
    with pytest.raises(Conflict, match=f"{access.bucket} holds objects"):
        await buckets.drop(name, and_data=False)
    assert await get(access) == b"value"


async def test_drop_takes_bucket_data_and_key_away(buckets: Buckets, name: str) -> None:
    access = await provision(buckets, name)
    client = client_of(access)
    for i in range(3):
        await put(access, f"folder/{i}")
    await asyncio.to_thread(client.create_multipart_upload, Bucket=access.bucket, Key="unfinished")
    await buckets.drop(name, and_data=True)
    assert not await buckets.exists(name)
    refused = await refusal(lambda: client.list_objects_v2(Bucket=access.bucket))
    assert refused == "InvalidAccessKeyId"
    await buckets.drop(name, and_data=True)
    again = await provision(buckets, name, access.access_key)
    listed = await asyncio.to_thread(client_of(again).list_objects_v2, Bucket=again.bucket)
    assert listed["KeyCount"] == 0


async def test_an_empty_bucket_is_dropped_without_more_ado(buckets: Buckets, name: str) -> None:
    access = await provision(buckets, name)
    await put(access)
    await asyncio.to_thread(client_of(access).delete_object, Bucket=access.bucket, Key="k")
    await buckets.drop(name, and_data=False)
    assert not await buckets.exists(name)


async def test_versions_that_were_kept_are_data_and_are_dropped_with_it(
    buckets: Buckets, store: Objects, name: str
) -> None:
    access = await provision(buckets, name)
    await asyncio.to_thread(
        client_of(store.admin()).put_bucket_versioning,
        Bucket=access.bucket,
        VersioningConfiguration={"Status": "Enabled"},
    )
    await put(access, body=b"1")
    await put(access, body=b"2")
    await asyncio.to_thread(client_of(access).delete_object, Bucket=access.bucket, Key="k")
    with pytest.raises(Conflict):
        await buckets.drop(name, and_data=False)
    await buckets.drop(name, and_data=True)
    assert not await buckets.exists(name)


async def test_many_buckets_fit_and_many_at_once_work(
    buckets: Buckets, store: Objects, name: str
) -> None:
    made = await asyncio.gather(*(provision(buckets, f"{name}{i}") for i in range(20)))
    client = client_of(store.admin())

    def use(bucket: str) -> bytes:
        client.put_object(Bucket=bucket, Key="k", Body=bucket.encode())
        return client.get_object(Bucket=bucket, Key="k")["Body"].read()

    stored = await asyncio.gather(*(asyncio.to_thread(use, access.bucket) for access in made))
    assert stored == [access.bucket.encode() for access in made]


@pytest.mark.slow
async def test_what_was_acknowledged_survives_a_kill_amid_writes(
    buckets: Buckets, store: Objects, name: str
) -> None:
    access = await provision(buckets, name)
    gone = await provision(buckets, f"{name}-gone")
    await buckets.drop(f"{name}-gone", and_data=True)
    acknowledged: dict[str, bytes] = {}

    def write(writer: int) -> None:
        with suppress(ClientError, BotoCoreError):
            for number in range(10_000):
                key, body = f"{writer}/{number}", f"{writer} {number} ".encode() * 500
                client_of(access).put_object(Bucket=access.bucket, Key=key, Body=body)
                acknowledged[key] = body

    writing = [asyncio.create_task(asyncio.to_thread(write, writer)) for writer in range(3)]
    await eventually(lambda: len(acknowledged) >= 30)
    pid = store.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait(writing)
    await store.start()
    access = structs.replace(access, endpoint=store.endpoint)
    assert {key: await get(access, key) for key in acknowledged} == acknowledged
    assert await ask(structs.replace(gone, endpoint=store.endpoint)) == 403
    assert gone.bucket not in store._identities_path.read_text()


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
async def test_a_store_that_was_killed_takes_writes_once_it_says_that_it_is_ready(
    buckets: Buckets, store: Objects, name: str, kills: int
) -> None:
    access = await provision(buckets, name)
    await put(access, "before")
    for number in range(kills):
        pid = store.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await store.start()
        access = structs.replace(access, endpoint=store.endpoint)
        async with asyncio.timeout(REFUSED_AFTER_START.total_seconds() / 2):
            await put(access, f"after {number}")
        assert await get(access, "before") == b"value"


async def test_no_secret_is_shown(buckets: Buckets, store: Objects, name: str) -> None:
    access = await provision(buckets, name)
    assert access.secret_key not in repr(access)
    assert store.admin().secret_key not in repr(store.admin())
    log = store.log.read_text()
    assert access.secret_key not in log
    assert store.admin().secret_key not in log
    assert store._identities_path.stat().st_mode & 0o777 == 0o600
    assert store.data.stat().st_mode & 0o777 == 0o700


async def test_a_store_elsewhere_is_used_with_keys_that_it_knows(
    buckets: Buckets, store: Objects, name: str
) -> None:
    admin = store.admin()
    host = store.endpoint.removeprefix("http://")
    external = ExternalObjects("elsewhere", f"http://{admin.access_key}:{admin.secret_key}@{host}")
    await external.start()
    assert await external.is_ready()
    assert external.status().state is EngineState.EXTERNAL
    access = await provision(buckets, name)
    elsewhere = Buckets(external)
    with pytest.raises(Invalid, match="let the store's owner make a key"):
        await provision(elsewhere, name)
    assert await provision(elsewhere, name, access.access_key) == access
    await elsewhere.drop(name, and_data=True)
    await external.stop()
    assert await store.is_ready()


async def test_a_store_that_refuses_or_is_not_there_is_named(store: Objects) -> None:
    wrong = ExternalObjects("elsewhere", f"http://k:wrong-secret@127.0.0.1:{store.port}")
    with pytest.raises(EngineFailed, match="refuses the key k with status 403") as caught:
        await wrong.start()
    assert "wrong-secret" not in str(caught.value)
    port = free_port()
    nowhere = ExternalObjects("elsewhere", f"http://k:s@127.0.0.1:{port}")
    with pytest.raises(EngineFailed, match=f"no object store answers at http://127.0.0.1:{port}"):
        await nowhere.start()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port} refused"):
        await Buckets(nowhere).exists("any")


async def test_a_home_with_an_odd_path_works() -> None:
    with short_home() as home:
        store = Objects("objects", home / ("odd, 'name' " + "long" * 30) / "objects")
        try:
            await store.start()
            access = await provision(Buckets(store), "any")
            await put(access)
            assert {path.name for path in home.iterdir()} == {store.directory.parent.name}
            assert next(store.data.glob("any_*.dat")).stat().st_size > 0
        finally:
            await store.stop()


@pytest.mark.parametrize("url", ["https://host", "ftp://a:b@host", "https://a:s3cret@host:port"])
async def test_a_url_that_lacks_something_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_url(url)
    assert "s3cret" not in str(caught.value)


async def test_a_url_is_read_with_its_region() -> None:
    access = parse_url("https://AK:s%2Fk@s3.example.com?region=eu-central-1")
    assert (access.endpoint, access.region, access.access_key, access.secret_key) == (
        "https://s3.example.com",
        "eu-central-1",
        "AK",
        "s/k",
    )
