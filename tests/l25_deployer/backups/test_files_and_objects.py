from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.calls import client_of
from l25_deployer.backups.conftest import Whole
from l25_deployer.backups.small_copies import Kept, deployed, told
from l25_deployer.small_platform import ASKING

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESOURCES = "resources: {files: {type: bucket}, state: {type: volume}, hot: {type: cache}}"


@pytest_asyncio.fixture(loop_scope="package")
async def shelf(whole: Whole) -> Kept:
    kept = Kept(whole.platform, whole.platform.backups, "shelf")
    if whole.platform.services.find("dev", "shelf") is None:
        await deployed(whole.platform, whole.folder / "shelf", "shelf", RESOURCES)
    return kept


async def bucket_of(kept: Kept) -> BucketAccess:
    keys = ("endpoint", "region", "access_key", "secret_key", "name")
    endpoint, region, access_key, secret_key, name = [await kept.value("files", k) for k in keys]
    return BucketAccess(
        endpoint=endpoint,
        region=region,
        access_key=access_key,
        secret_key=secret_key,
        bucket=name,
    )


async def test_a_bucket_comes_back_object_by_object(shelf: Kept) -> None:
    access = await bucket_of(shelf)
    s3, bucket = client_of(access), access.bucket
    objects = {f"many/{n}": f"object {n}".encode() * n for n in range(30)}
    objects |= {"a..b/..c": b"a key is no path", "ü /": b"", "large": b"0123456789" * 900_000}

    def fill() -> None:
        for key, content in objects.items():
            s3.put_object(Bucket=bucket, Key=key, Body=content, Metadata={"of": "mine"})

    def spoil() -> None:
        s3.delete_object(Bucket=bucket, Key="large")
        s3.put_object(Bucket=bucket, Key="many/3", Body=b"changed")
        s3.put_object(Bucket=bucket, Key="later", Body=b"later")

    def found() -> dict[str, bytes]:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    await asyncio.to_thread(fill)
    await shelf.take("files")
    await asyncio.to_thread(spoil)
    assert (await shelf.prove("files"))[-1].step == "done"

    await shelf.restore("files")

    assert await asyncio.to_thread(found) == objects
    head = await asyncio.to_thread(lambda: s3.head_object(Bucket=bucket, Key="many/3"))
    assert head["Metadata"] == {"of": "mine"}
    before = (await shelf.backups("files")).backups[0]
    assert (before.reason, before.counted) == ("before-restore", len(objects))


async def test_a_volume_comes_back_file_by_file(shelf: Kept) -> None:
    path = Path(await shelf.value("state", "path"))
    for left in path.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    (path / "deep/er").mkdir(parents=True)
    (path / "deep/er/note").write_text("first")
    await shelf.take("state")
    (path / "deep/er/note").write_text("second")
    (path / "more").write_text("later")

    await shelf.restore("state")

    assert sorted(str(p.relative_to(path)) for p in path.rglob("*")) == [
        "deep",
        "deep/er",
        "deep/er/note",
    ]
    assert (path / "deep/er/note").read_text() == "first"
    assert not list(path.parents[2].glob(".restoring/*/*/*"))
    assert not list(path.parents[2].glob(".replaced/*/*/*"))


async def test_a_service_is_copied_whole_its_cache_too(shelf: Kept) -> None:
    told_all = await shelf.take()

    assert all(name in told_all[-1].text for name in ("files", "hot", "state"))


async def test_what_is_deleted_leaves_a_last_backup_from_which_it_comes_back(
    whole: Whole, tmp_path: Path
) -> None:
    kept = Kept(whole.platform, whole.platform.backups, "brief")
    more = "resources: {state: {type: volume}}"
    await deployed(whole.platform, whole.folder / "brief", "brief", more)
    (Path(await kept.value("state", "path")) / "note").write_text("precious")

    deployer = whole.platform.deployer
    await told(deployer.destroy(ASKING, environment="dev", service="brief", confirm=["state"]))
    (last,) = (await kept.backups("state")).backups
    assert last.reason == "final"
    await deployed(whole.platform, whole.folder / "brief", "brief", more)
    path = Path(await kept.value("state", "path"))
    assert not (path / "note").exists()
    await kept.restore("state", last.id)

    assert (path / "note").read_text() == "precious"
    await told(
        deployer.destroy(
            ASKING, environment="dev", service="brief", confirm=["state"], final_backup=False
        )
    )
    assert [one.reason for one in (await kept.backups("state")).backups] == [
        "before-restore",
        "final",
    ]


async def test_what_is_there_is_given_up_only_when_that_is_said(shelf: Kept) -> None:
    path = Path(await shelf.value("state", "path"))
    (path / "page").write_text("first")
    await shelf.take("state")
    (path / "page").write_text("second")
    before = len((await shelf.backups("state")).backups)

    told_all = await shelf.restore("state", keeps_before=False)

    assert (path / "page").read_text() == "first"
    assert not any(one.step == "backup" for one in told_all)
    assert len((await shelf.backups("state")).backups) == before
