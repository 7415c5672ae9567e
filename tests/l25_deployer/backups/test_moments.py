from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drystone.l10_engines.postgres.rewinding import MomentOutOfReach
from drystone.l25_deployer.backups.errors import NoSuchBackup
from drystone.l25_deployer.local.resources.copies import NoBackup
from l25_deployer.backups.conftest import Whole
from l25_deployer.backups.small_copies import Kept, deployed, told
from l25_deployer.small_platform import ASKING

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESOURCES = (
    "resources: {db: {type: postgres, connections: 3, backup: {every: 30d, point_in_time: true}}}"
)


async def restore_at(kept: Kept, at: datetime) -> str:
    stream = kept.api.restore(
        ASKING, environment="dev", service=kept.service, resource="db", at=at, confirm="db"
    )
    return (await told(stream))[-1].text


async def test_a_database_goes_back_to_a_named_second_and_to_none_that_it_has_not_seen(
    whole: Whole,
) -> None:
    kept = Kept(whole.platform, whole.platform.backups, "diary")
    await deployed(whole.platform, whole.folder / "diary", "diary", RESOURCES)
    with pytest.raises(NoBackup, match="cannot go back to any moment"):
        await restore_at(kept, datetime.now(UTC))
    await kept.run("CREATE TABLE orders (n int, at timestamptz DEFAULT clock_timestamp())")
    try:
        await whole.platform.schedule.look()
        assert (await whole.platform.deployer.status(ASKING)).problems == []
        await kept.run("INSERT INTO orders SELECT 1")
        at = (await kept.run("SELECT clock_timestamp()"))[0][0]
        assert isinstance(at, datetime)
        then = await kept.table()
        await kept.run("INSERT INTO orders SELECT 2")

        said = await restore_at(kept, at)

        assert f"{at:%H:%M:%S} UTC" in said
        assert await kept.table() == then
        reasons = {one.reason for one in (await kept.backups("db")).backups}
        assert reasons == {"scheduled", "before-restore", "rewound"}
        with pytest.raises(MomentOutOfReach, match="yet to come"):
            await restore_at(kept, datetime.now(UTC) + timedelta(hours=1))
        with pytest.raises(NoSuchBackup, match="offset"):
            await restore_at(kept, datetime.now())  # noqa: DTZ005 - that is what is refused
        assert await kept.table() == then
    finally:
        stream = whole.platform.deployer.destroy(
            ASKING, environment="dev", service="diary", confirm=["db"], final_backup=False
        )
        await told(stream)
        await whole.platform.schedule.look()
