"""A bucket moves between two real ones while somebody writes to it; the mover dies at every step."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.objects.buckets import Buckets
from drystone.l10_engines.objects.server import Objects
from drystone.l35_mesh.migration import buckets as places
from drystone.l35_mesh.migration.errors import DataDiverged, DataUnfit
from drystone.l35_mesh.migration.noted_moves import Times
from drystone.testing.conformance.engines import started
from l35_mesh.migration.bucket_rig import SHORT, Ends, Writer

STEPS = (
    places.COPIED,
    places.WRITTEN,
    places.HELD,
    places.DRAINED,
    places.VERIFIED,
    places.SWITCHED,
)

pytestmark = pytest.mark.timeout(300)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Objects]:
    async with started(lambda home: Objects("objects", home / "objects")) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module")
async def ends(store: Objects, tmp_path: Path) -> AsyncIterator[Ends]:
    made, mark = Buckets(store), uuid.uuid4().hex[:8]
    names = [f"{side}-{mark}" for side in ("old", "new")]
    old, new = [
        await made.provision(name, access_key=f"KEY{name}", secret_key=f"secret of {name}")
        for name in names
    ]
    yield Ends(store, old, new, tmp_path)
    for name in names:
        await made.drop(name, and_data=True)


def carried_through(ends: Ends, switch: Callable[[], None] = lambda: None) -> None:
    move = ends.move()
    move.begin()
    move.follow(lambda _: True)
    move.cut_over(switch)


@pytest.mark.slow
def test_no_object_is_lost_under_load(ends: Ends) -> None:
    ends.from_old.put_object(
        Bucket=ends.old.bucket,
        Key="described",
        Body=b"x" * 100,
        ContentType="text/x-own",
        CacheControl="max-age=7",
        Metadata={"who": "me"},
        Tagging="colour=red",
    )
    switched: list[str] = []
    with Writer(ends.old) as writer:
        move = ends.move()
        move.begin()
        writer.until_more()
        move.follow(lambda _: writer.written > 20)
        writer.until_more()
        ends.from_old.put_object_tagging(  # of which no listing tells
            Bucket=ends.old.bucket,
            Key="described",
            Tagging={"TagSet": [{"Key": "colour", "Value": "blue"}]},
        )
        move.cut_over(lambda: switched.append("now"))
        writer.stop()
        assert writer.refused > 0
    assert switched == ["now"]
    found = ends.content(ends.new)
    assert found == ends.content(ends.old)
    assert found.pop("described") == hashlib.sha256(b"x" * 100).hexdigest()
    assert found == writer.acknowledged
    said = ends.from_new.head_object(Bucket=ends.new.bucket, Key="described")
    assert (said["ContentType"], said["CacheControl"], said["Metadata"]) == (
        "text/x-own",
        "max-age=7",
        {"who": "me"},
    )
    tags = ends.from_new.get_object_tagging(Bucket=ends.new.bucket, Key="described")["TagSet"]
    assert tags == [{"Key": "colour", "Value": "blue"}]
    assert "the old bucket takes no more changes" in ends.told
    assert not ends.may_write()
    with pytest.raises(DataUnfit, match="would lose"):
        ends.move().give_up()


PROGRAM = """
import asyncio, json, sys
from datetime import timedelta
from pathlib import Path
from drystone.l00_kernel import fault_points
from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.server import Objects
from drystone.l35_mesh.migration.buckets import BucketMove
from drystone.l35_mesh.migration.noted_moves import Surroundings, Times
told = json.load(sys.stdin)
fault_points.arm(told["fault"] + ":kill", Path(told["folder"]), print)
old, new = BucketAccess(**told["old"]), BucketAccess(**told["new"])
def hold(is_held):
    # As an agent does that has taken the store over.
    async def once():
        store = Objects("objects", Path(told["store"]))
        await store.start()
        return await store.hold(old.bucket, is_held=is_held)
    return asyncio.run(once())
quick = Times(timedelta(seconds=0.02), timedelta(seconds=0.3), timedelta(seconds=20))
around = Surroundings(Path(told["folder"], "notes"), hold, print, times=quick)
move = BucketMove(old, new, around)
move.begin()
move.follow(lambda _: True)
move.cut_over(lambda: None)
"""


def killed_at(ends: Ends, point: FaultPoint) -> None:
    brief = {
        "fault": point.name,
        "folder": str(ends.folder),
        "store": str(ends.store.directory),
        "old": msgspec.to_builtins(ends.old),
        "new": msgspec.to_builtins(ends.new),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=msgspec.json.encode(brief),
        capture_output=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize("point", STEPS, ids=lambda point: str(point.name))
def test_a_mover_that_is_killed_at_any_step_goes_on_by_the_same_command(
    ends: Ends, point: FaultPoint
) -> None:
    with Writer(ends.old) as writer:
        killed_at(ends, point)
        carried_through(ends)
        writer.stop()
    assert ends.content(ends.new) == ends.content(ends.old) == writer.acknowledged


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", [places.COPIED, places.WRITTEN, places.HELD, places.DRAINED], ids=lambda p: str(p.name)
)
def test_a_move_that_was_cut_short_can_be_given_up(ends: Ends, point: FaultPoint) -> None:
    with Writer(ends.old) as writer:
        killed_at(ends, point)
        ends.move().give_up()
        writer.refused = 0
        writer.until_more()
        writer.stop()
    assert ends.content(ends.old) == writer.acknowledged
    assert ends.may_write()


@pytest.mark.slow
def test_a_new_bucket_that_somebody_else_changes_is_found_and_the_old_one_goes_on(
    ends: Ends,
) -> None:
    ends.put("a")
    ends.put("b")
    move = ends.move()
    move.begin()
    ends.from_new.put_object(Bucket=ends.new.bucket, Key="a", Body=b"other")
    with pytest.raises(DataDiverged, match="other bytes: a"):
        move.cut_over(lambda: pytest.fail("nothing may move"))
    assert ends.may_write()
    ends.from_new.delete_object(Bucket=ends.new.bucket, Key="a")
    with pytest.raises(DataDiverged, match="lacks a"):
        move.cut_over(lambda: pytest.fail("nothing may move"))


def test_a_new_bucket_with_objects_of_its_own_is_refused(ends: Ends) -> None:
    ends.from_new.put_object(Bucket=ends.new.bucket, Key="mine", Body=b"1")
    with pytest.raises(DataUnfit, match="has objects already"):
        ends.move().begin()


def test_a_held_bucket_stays_held_when_its_service_is_deployed_again(ends: Ends) -> None:
    ends.put("a")
    ends.hold(True)
    asyncio.run(ends.store.allow(ends.old))
    assert not ends.may_write()
    ends.hold(False)
    assert ends.may_write()


@pytest.mark.slow
def test_whoever_writes_on_where_keys_are_not_ours_keeps_the_traffic_here(ends: Ends) -> None:
    impatient = Times(SHORT.pause, SHORT.quiet, timedelta(seconds=1))
    with Writer(ends.old):
        move = ends.move(hold=lambda _: False, times=impatient)
        move.begin()
        with pytest.raises(DataDiverged, match="still writes"):
            move.cut_over(lambda: pytest.fail("nothing may move"))
    assert any("not ours to change" in one for one in ends.told)


@pytest.mark.slow
def test_an_object_that_comes_late_is_brought_over_unless_the_new_side_has_written(
    ends: Ends,
) -> None:
    ends.put("both")
    ends.put("late")
    move = ends.move(hold=lambda _: True)
    move.begin()

    def switch() -> None:
        ends.put("both", b"late")
        ends.put("late", b"late")
        ends.from_new.put_object(Bucket=ends.new.bucket, Key="both", Body=b"newer")

    move.cut_over(switch)
    found = ends.content(ends.new)
    assert found["late"] == hashlib.sha256(b"late").hexdigest()
    assert found["both"] == hashlib.sha256(b"newer").hexdigest()
    assert "both was written at both sides: the new side's stays" in ends.told
    move.cut_over(lambda: None)
    assert ends.content(ends.new) == found


@pytest.mark.slow
def test_an_object_in_parts_comes_over_once(ends: Ends) -> None:
    body = os.urandom(1 << 20) * 20
    ends.put("large", body)
    upload = ends.from_old.create_multipart_upload(Bucket=ends.old.bucket, Key="parts")["UploadId"]
    parts = [
        ends.from_old.upload_part(
            Bucket=ends.old.bucket,
            Key="parts",
            UploadId=upload,
            PartNumber=number,
            Body=body[: 6 << 20],
        )["ETag"]
        for number in (1, 2)
    ]
    ends.from_old.complete_multipart_upload(
        Bucket=ends.old.bucket,
        Key="parts",
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(parts, 1)]
        },
    )
    move = ends.move()
    move.begin()
    again: list[int] = []

    def is_enough(size: int) -> bool:
        again.append(size)
        return True

    move.follow(is_enough)
    assert again == [0]
    move.cut_over(lambda: None)
    assert ends.content(ends.new) == ends.content(ends.old)
