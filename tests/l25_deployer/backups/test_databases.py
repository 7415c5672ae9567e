from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.backups.errors import (
    BackupDamaged,
    BackupUnknown,
    NoSuchBackup,
    NothingToBackUp,
    RestoreNotConfirmed,
)
from drystone.l25_deployer.backups.seals import Seals
from drystone.l25_deployer.backups.store import drafted, parts_of, publish, read_manifest
from l25_deployer.backups.small_copies import Kept
from l25_deployer.small_platform import ASKING

pytestmark = pytest.mark.asyncio(loop_scope="package")

FILLED = (
    "DROP TABLE IF EXISTS orders CASCADE; CREATE TABLE orders (id int PRIMARY KEY, note text, at timestamptz);"
    " CREATE VIEW many AS SELECT * FROM orders WHERE id > 5; CREATE SEQUENCE IF NOT EXISTS numbers;"
    " INSERT INTO orders SELECT i, md5(i::text), '2026-01-01'::timestamptz + i * interval '1 s'"
    " FROM generate_series(1, 500) i; SELECT setval('numbers', 77)"
)


async def test_a_database_comes_back_row_by_row_and_what_was_there_is_kept(kept: Kept) -> None:
    await kept.run(FILLED)
    before = await kept.table()
    await kept.take("db")
    await kept.run(
        "DELETE FROM orders WHERE id % 3 = 0; INSERT INTO orders VALUES (0, 'late', now())"
    )
    after = await kept.table()
    first = (await kept.backups("db")).backups[0]

    await kept.restore("db", first.id)

    assert await kept.table() == before
    assert await kept.run("SELECT last_value FROM numbers") == [(77,)]
    await kept.run("INSERT INTO orders VALUES (9999, 'the role may still write', now())")
    kept_before = (await kept.backups("db")).backups[0]
    assert kept_before.reason == "before-restore"
    await kept.restore("db", kept_before.id)
    assert await kept.table() == after


async def test_a_trial_compares_every_table_and_its_report_is_kept(kept: Kept) -> None:
    await kept.run(FILLED)
    await kept.take("db")

    told = await kept.prove("db")

    assert "500 in 1 parts compared" in told[-1].text
    found = await kept.backups("db")
    assert found.backups[0].proven == found.trials[0].at
    assert found.trials[0].differences == []
    assert (found.trials[0].compared, found.trials[0].counted) == (1, 500)


@pytest.mark.parametrize("part", ["database.dump.sealed", "manifest.json", "SHA256SUMS"])
async def test_a_damaged_byte_is_found_before_anything_changes(kept: Kept, part: str) -> None:
    await kept.run(FILLED)
    await kept.take("db")
    found = (await kept.backups("db")).backups[0]
    await kept.run("UPDATE orders SET note = 'newer'")
    newer = await kept.table()
    file = Path(found.folder, part)
    content = file.read_bytes()
    file.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])

    with pytest.raises((BackupDamaged, BackupUnknown)) as refused:
        await kept.restore("db", found.id)

    assert part in str(refused.value)
    assert await kept.table() == newer
    assert not [
        one
        for one in (await kept.backups("db")).backups
        if one.reason == "before-restore" and one.at > found.at
    ]
    file.write_bytes(content)


async def test_a_backup_of_a_newer_platform_is_refused(kept: Kept) -> None:
    await kept.run(FILLED)
    await kept.take("db")
    found = (await kept.backups("db")).backups[0]
    file = Path(found.folder, "manifest.json")
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"format": 2', b'"format": 3'))

    with pytest.raises(BackupUnknown, match=r"format 3.*knows format 2"):
        await kept.restore("db", found.id)

    assert any("format 3" in text for text in (await kept.backups("db")).unreadable)
    file.write_bytes(content)


async def test_a_backup_of_an_older_platform_comes_back_and_that_it_is_open_is_told(
    kept: Kept,
) -> None:
    await kept.run(FILLED)
    before = await kept.table()
    await kept.take("db")
    found = (await kept.backups("db")).backups[0]
    folder = Path(found.folder)
    manifest = read_manifest(folder)
    seals = Seals(folder.parents[5])  # below backups/services/dev/SERVICE/db
    holds = seals.holds(manifest, folder)
    async with seals.opened(folder, manifest) as plain:
        shutil.copytree(plain, folder, dirs_exist_ok=True)
    for sealed in (*folder.glob("*.sealed"), folder / "manifest.json", folder / "SHA256SUMS"):
        sealed.unlink()
    old = msgspec.structs.replace(
        manifest, format=1, seal=None, holds=holds, parts=parts_of(folder)
    )
    folder.rename(folder.with_name("aside"))
    async with drafted(folder) as draft:
        shutil.copytree(folder.with_name("aside"), draft, dirs_exist_ok=True)
        publish(draft, folder, old)
    shutil.rmtree(folder.with_name("aside"))
    await kept.run("DELETE FROM orders")

    proven = await kept.prove("db", found.id)
    told = await kept.restore("db", found.id)

    assert "500 in 1 parts compared" in proven[-1].text
    assert any("is not encrypted" in one.text for one in told)
    assert await kept.table() == before


async def test_a_restore_needs_the_resources_name(kept: Kept) -> None:
    await kept.run(FILLED)
    await kept.take("db")
    before = await kept.table()

    with pytest.raises(RestoreNotConfirmed, match="--yes db"):
        await kept.restore("db", confirm="orders")

    assert await kept.table() == before


async def test_what_there_is_not_is_said(kept: Kept) -> None:
    with pytest.raises(NoSuchBackup):
        await kept.restore("db", "20200101t000000z-0000")
    with pytest.raises(NoSuchBackup):
        await kept.restore("db", "../../../../etc")
    with pytest.raises(NothingToBackUp, match="it has: db"):
        await kept.take("cellar")
    with pytest.raises(PlatformError):
        await kept.api.backups(ASKING, environment="dev", service="nobody")
