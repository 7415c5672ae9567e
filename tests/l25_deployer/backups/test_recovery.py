from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import msgspec
import psycopg
import pytest
import pytest_asyncio

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.backups.errors import (
    BackupDamaged,
    BackupSealed,
    BackupUnknown,
    NoSuchBackup,
)
from drystone.l25_deployer.backups.keys import BackupKey, KeyRing
from drystone.l25_deployer.backups.recovering import HomeNotEmpty, begin, read_whole, under_way
from drystone.l25_deployer.backups.store import drafted, part_of, publish_as
from drystone.l25_deployer.backups.whole_domain import CameBack, Whole, data_age, layers_of
from drystone.l25_deployer.backups.whole_domain import Kept as KeptInWhole
from drystone.l25_deployer.local.resources import folders
from l25_deployer.agents import agent_at, start_agent
from l25_deployer.backups.conftest import Whole as Platform
from l25_deployer.backups.small_copies import Kept, deployed, told
from l25_deployer.small_platform import ASKING, short_folder

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESOURCES = (
    "resources: {db: {type: postgres, connections: 3}, state: {type: volume}, hot: {type: cache},"
    " jobs: {type: queue}, word: {type: secret}}"
)
ROWS = "SELECT md5(string_agg(o::text, '' ORDER BY o::text)) FROM orders o"


class Saved(msgspec.Struct, frozen=True):
    """A backup of a platform with one service of which it is known what it keeps."""

    folder: Path
    rows: object
    word: str
    told: list[str]
    key: BackupKey


def queue_at(endpoint: str, access_key: str, secret_key: str) -> Any:
    """Return a client of queues."""
    return boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def saved(whole: Platform) -> AsyncIterator[Saved]:
    kept = Kept(whole.platform, whole.platform.backups, "phoenix")
    await deployed(whole.platform, whole.folder / "phoenix", "phoenix", RESOURCES)
    await kept.run("CREATE TABLE orders AS SELECT i, md5(i::text) FROM generate_series(1, 300) i")
    (Path(await kept.value("state", "path")) / "note").write_text("from the ashes")
    endpoint, access_key, secret_key, url = [
        await kept.value("jobs", key) for key in ("endpoint", "access_key", "secret_key", "url")
    ]
    queue = queue_at(endpoint, access_key, secret_key)
    await asyncio.to_thread(lambda: queue.send_message(QueueUrl=url, MessageBody="not done yet"))
    place = whole.folder / "elsewhere"
    said = await told(whole.platform.backups.take_whole(ASKING, folder=str(place)))
    (folder,) = [path for path in place.iterdir() if not path.name.startswith(".")]
    word = await kept.value("word", "value")
    key = KeyRing(whole.folder / "h").all()[-1]
    yield Saved(folder, (await kept.run(ROWS))[0][0], word, [one.text for one in said], key)
    await told(
        whole.platform.deployer.destroy(
            ASKING,
            environment="dev",
            service="phoenix",
            confirm=["db", "state", "hot", "jobs", "word"],
            final_backup=False,
        )
    )


async def test_everything_comes_back_in_an_empty_home_though_the_agent_dies_in_between(
    saved: Saved,
) -> None:
    with short_folder() as folder:
        home, port = folder / "h", free_port()
        whole = read_whole(saved.folder, lambda _: None)
        begin(home, saved.folder, whole, datetime.now(UTC), saved.key)
        agent = start_agent(home, port, {"DRYSTONE_FAULT": "backup.names.swapped:kill"})
        assert agent.wait(60) == -9

        with agent_at(home, port):
            async with connect(DeployerApi, uds=Home(home).agent_socket) as api:
                steps = [step async for step in api.startup(ASKING)]
                assert not [step for step in steps if step.state == "failed"]
                shown = await api.show(ASKING, environment="dev", service="phoenix")
                assert shown.summary.state == "serving"
                out = [
                    o
                    async for o in api.execute(
                        ASKING, environment="dev", service="phoenix", command=["env"]
                    )
                ]
                env = dict(
                    line.split("=", 1)
                    for line in "".join(o.text for o in out if hasattr(o, "text")).splitlines()
                    if "=" in line
                )
                with psycopg.connect(env["DB_URL"]) as connection:
                    assert connection.execute(ROWS.encode()).fetchone() == (saved.rows,)
                    connection.execute("INSERT INTO orders VALUES (0, 'the role may write')")
                assert (home / "volumes/dev/phoenix/state/note").read_text() == "from the ashes"
                assert env["WORD_VALUE"] == saved.word
                queue = queue_at(
                    env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
                )
                received = await asyncio.to_thread(
                    lambda: queue.receive_message(QueueUrl=env["JOBS_URL"])
                )
                assert [one["Body"] for one in received["Messages"]] == ["not done yet"]
                assert not list((home / "returning").rglob("phoenix/*.json"))
                async for _ in api.stop(ASKING):
                    pass


async def test_a_home_that_was_half_unpacked_is_unpacked_again_and_another_is_refused(
    saved: Saved, tmp_path: Path
) -> None:
    whole, now = read_whole(saved.folder, lambda _: None), datetime.now(UTC)
    home = tmp_path / "h"
    begin(home, saved.folder, whole, now, saved.key)
    (home / "home.json").unlink()  # the last that is put in place
    (home / "services").rename(home / ".recovering")

    known = begin(home, saved.folder, whole, now + timedelta(hours=1), saved.key)

    assert known.since == now
    assert (home / "services/dev/phoenix/service.json").exists()
    assert (home / "home.json").exists()
    assert not (home / ".recovering").exists()
    assert under_way(home) == known
    with pytest.raises(HomeNotEmpty, match="is being recovered from"):
        begin(home, saved.folder, msgspec.structs.replace(whole, id="another"), now)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").touch()
    with pytest.raises(HomeNotEmpty, match="is not empty"):
        begin(tmp_path / "full", saved.folder, whole, now)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


async def test_without_the_key_or_with_another_one_nothing_is_begun(
    saved: Saved, tmp_path: Path
) -> None:
    whole, now = read_whole(saved.folder, lambda _: None), datetime.now(UTC)
    (tmp_path / "foreign").mkdir()
    foreign = KeyRing(tmp_path / "foreign").newest(now)
    for key in (None, foreign):
        with pytest.raises(BackupSealed, match=f"is sealed with the key {saved.key.id}"):
            begin(tmp_path / "h", saved.folder, whole, now, key)
    forged = BackupKey(saved.key.id, foreign.secret)
    with pytest.raises(BackupDamaged, match="its seal is of something else"):
        begin(tmp_path / "h", saved.folder, whole, now, forged)
    assert not (tmp_path / "h").exists()


async def test_a_backup_that_an_older_platform_made_still_becomes_a_home(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/home.json").write_text('{"format": 2}')
    (tmp_path / "old/record").write_text("what was known")
    draft = tmp_path / "backup"
    async with drafted(draft) as folder:
        folders.pack(tmp_path / "old", folder / "home.tar")
        (folder / "states").mkdir()
        (folder / "states/aws").write_text("all of it")
        parts = tuple(part_of(folder, name) for name in ("home.tar", "states/aws"))
        now = datetime.now(UTC)
        made = Whole(
            format=1,
            id="20260504t100000z-5d0c",
            platform="1",
            place="/",
            at=now,
            by="me",
            parts=parts,
            states={"states/aws": "engines/aws/data/state.sqlite"},
        )
        publish_as(folder, draft, msgspec.json.encode(made), parts)

    begin(tmp_path / "h", draft, read_whole(draft, lambda _: None), now)

    assert (tmp_path / "h/record").read_text() == "what was known"
    assert (tmp_path / "h/engines/aws/data/state.sqlite").read_text() == "all of it"


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "SHA256SUMS",
        "home.tar.sealed",
        "resources/dev/phoenix/db/database.dump.sealed",
        "resources/dev/phoenix/db/manifest.json",
        "resources/dev/phoenix/state/files.tar.sealed",
    ],
)
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
async def test_a_damaged_backup_is_refused_by_the_name_of_the_file(
    saved: Saved, tmp_path: Path, name: str, how: str
) -> None:
    copy = tmp_path / "b"
    shutil.copytree(saved.folder, copy)
    content = (copy / name).read_bytes()
    middle = len(content) // 2
    damage: dict[str, Callable[[], object]] = {
        "flipped": lambda: (copy / name).write_bytes(
            content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        ),
        "cut": lambda: (copy / name).write_bytes(content[:middle]),
        "gone": (copy / name).unlink,
    }
    damage[how]()

    with pytest.raises((BackupDamaged, NoSuchBackup)) as refused:
        read_whole(copy, lambda _: None)

    said = str(refused.value)
    assert str((copy / name).parent) in said
    assert Path(name).name in said or "manifest.json" in said or how == "gone"


async def test_a_newer_backup_is_refused(saved: Saved, tmp_path: Path) -> None:
    copy = tmp_path / "b"
    shutil.copytree(saved.folder, copy)
    content = (copy / "manifest.json").read_bytes()
    (copy / "manifest.json").write_bytes(content.replace(b'"format": 2', b'"format": 7', 1))

    with pytest.raises(BackupUnknown, match="format 7"):
        read_whole(copy, lambda _: None)


async def test_nothing_of_an_interrupted_backup_is_left(whole: Platform, tmp_path: Path) -> None:
    stream = whole.platform.backups.take_whole(ASKING, folder=str(tmp_path / "there"))
    async for progress in stream:
        if progress.step == "records":
            break
    await stream.aclose()  # type: ignore[attr-defined]

    assert list((tmp_path / "there").iterdir()) == []


async def test_what_has_no_backup_is_named_and_secrets_are_closed_to_others(saved: Saved) -> None:
    whole = read_whole(saved.folder, lambda _: None)

    assert [text for text in whole.left_out if "phoenix" in text] == []
    assert sorted(one.resource for one in whole.resources if one.service == "phoenix") == [
        "db",
        "hot",
        "state",
    ]
    assert whole.states == {"states/aws.sealed": "engines/aws/data/state.sqlite"}
    for path in saved.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    sums = (saved.folder / "SHA256SUMS").read_text().splitlines()
    for line in sums:
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((saved.folder / name).read_bytes()).hexdigest() == digest


async def test_layers_take_from_their_first_begin_to_their_last_end_and_name_their_oldest_data() -> (
    None
):
    began = datetime(2026, 5, 4, tzinfo=UTC)
    kept = [
        KeptInWhole("dev", service, "db", began - timedelta(hours=hours), "f", 1)
        for service, hours in (("a", 1), ("b", 5))
    ]
    whole = Whole(id="x", platform="1", place="/", at=began, by="me", resources=tuple(kept))
    second = timedelta(seconds=1)
    steps = [
        CameBack(100, "a.dev", began + 7 * second, 2.0),
        CameBack(100, "b.dev", began + 9 * second, 1.0),
        CameBack(10, "postgres", began + 3 * second, 3.0),
    ]

    found = layers_of(whole, steps, began=began)

    assert [(one.layer, one.seconds, one.oldest) for one in found] == [
        (10, 3.0, None),
        (100, 4.0, 5 * 3600),
    ]
    assert data_age(whole, began) == 5 * 3600
