from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.history import PointInTime
from drystone.l10_engines.postgres.rewinding import MomentOutOfReach
from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.conformance.engines import started

DAY = timedelta(days=1)


async def test_a_database_is_as_it_was_at_the_very_moment_that_is_named(tmp_path: Path) -> None:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as server:
        databases = Databases(server)
        access = await databases.provision("dev.shop.db", connections=3, password="p")
        history = PointInTime(server, tmp_path / "cluster")
        with psycopg.connect(access.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE rows (n int, at timestamptz)")

            def add(n: int) -> datetime:
                connection.execute("INSERT INTO rows VALUES (%s, clock_timestamp())", (n,))
                found = connection.execute("SELECT clock_timestamp()").fetchone()
                assert found is not None
                moment = found[0]
                assert isinstance(moment, datetime)
                return moment

            add(0)
            too_early = datetime.now(UTC)
            await history.keep(every=DAY, keep=DAY, now=datetime.now(UTC))
            moments = [add(n) for n in range(1, 6)]
            connection.execute("DROP TABLE rows")

        dumped = await history.rewind("dev.shop.db", moments[2], tmp_path / "then.dump")

        assert (dumped.at, dumped.tables["public.rows"].rows) == (moments[2], 4)
        scratch = await databases.lay_out("dev.shop.db", tmp_path / "then.dump")
        with psycopg.connect(scratch.url()) as connection:
            found = connection.execute("SELECT n FROM rows ORDER BY n").fetchall()
        assert found == [(0,), (1,), (2,), (3,)]
        with pytest.raises(MomentOutOfReach, match="at the earliest"):
            await history.rewind("dev.shop.db", too_early, tmp_path / "no.dump")
        later = datetime.now(UTC) + timedelta(hours=1)
        with pytest.raises(MomentOutOfReach, match="yet to come"):
            await history.rewind("dev.shop.db", later, tmp_path / "no.dump")
        assert not server.directory.with_name("postgres-rewound").exists()


async def test_the_log_is_kept_only_while_somebody_wants_it_and_only_as_far_as_it_is_needed(
    tmp_path: Path,
) -> None:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as server:
        history = PointInTime(server, tmp_path / "cluster")
        now = datetime.now(UTC)
        with psycopg.connect(server.admin().url(), autocommit=True) as connection:
            connection.execute("SELECT pg_logical_emit_message(true, 'a', 'b'), pg_switch_wal()")
            await history.keep(every=DAY, keep=DAY, now=now)
            connection.execute("SELECT pg_logical_emit_message(true, 'a', 'b'), pg_switch_wal()")
        (folder,) = (tmp_path / "cluster").iterdir()
        assert len(list((folder / "base").iterdir())) == 1

        for days in (1, 2, 3):
            await history.keep(every=DAY, keep=DAY, now=now + days * DAY)

        # Real copies are all of this minute: whichever moment is said to be the oldest, the last one before it stays.
        assert len(list((folder / "base").iterdir())) == 1
        assert history.is_kept
        history.stop()
        assert not history.is_kept
