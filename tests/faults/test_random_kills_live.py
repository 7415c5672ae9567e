"""The checks of the random kills look into engines that run, and at a platform that serves."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.objects.buckets import Buckets
from drystone.l10_engines.objects.identities import Credential, Identities
from drystone.l10_engines.objects.names import bucket_name
from drystone.l10_engines.objects.server import Objects
from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.server import Postgres
from drystone.testing.command_line import (
    CommandLine,
    kill_what_remains,
    short_home,
    stop,
)
from drystone.testing.faults import data, invariants
from drystone.testing.faults.site import Site
from drystone.testing.faults.subjects import (
    ENVIRONMENT,
    Subject,
    bucket_subject,
    database_subject,
)
from drystone.testing.faults.traffic import Traffic
from drystone.testing.python_image import PYTHON
from faults.hand_made_home import deployed, empty_home, started


@pytest.fixture
def home() -> Iterator[Path]:
    """A home in which nobody lives."""
    with empty_home() as home:
        yield home


@pytest.mark.slow
async def test_a_database_and_a_role_of_nobody_are_seen_and_missing_ones(
    home: Path, tmp_path: Path
) -> None:
    site = deployed(home, database_subject(tmp_path))
    check, server = data.NoStrayRole(), Postgres("postgres", home / "engines/postgres")
    assert await check.violations(site) == []
    await server.start()
    try:
        databases = Databases(server)
        found = await check.violations(site)
        assert [text.split()[0] for text in found] == ["database", "role"]
        assert all(text.endswith("is missing") for text in found)
        await databases.provision("dev.rows.db", connections=50, password="x" * 20)
        assert await check.violations(site) == []
        await databases.provision("extra", connections=5, password="x" * 20)
        assert await check.violations(site) == [
            "database extra is too many",
            "role extra of 5 is too many",
        ]
    finally:
        await server.stop()


@pytest.mark.slow
async def test_a_bucket_and_a_key_of_nobody_are_seen_and_missing_ones(
    home: Path, tmp_path: Path
) -> None:
    site = deployed(home, bucket_subject(tmp_path))
    check, store = data.NoStrayBucket(), Objects("objects", home / "engines/objects")
    mine = bucket_name("dev.blobs.files")
    assert await check.violations(site) == []
    await store.start()
    try:
        assert await check.violations(site) == [
            f"{mine} is missing",
            f"key bucket-{mine} is missing",
        ]
        buckets = Buckets(store)
        await buckets.provision("dev.blobs.files", access_key="mine", secret_key="x" * 20)
        assert await check.violations(site) == []
        await buckets.provision("extra", access_key="another", secret_key="x" * 20)
        assert await check.violations(site) == [
            "extra is too many",
            "key bucket-extra is too many",
        ]
        await buckets.drop("extra", and_data=True)
        assert await check.violations(site) == []
        Identities(home / "engines/objects/identities.json").allow("extra", Credential("a", "b"))
        assert await check.violations(site) == ["key bucket-extra is too many"]
    finally:
        await store.stop()


@pytest_asyncio.fixture
async def live(tmp_path: Path) -> AsyncIterator[Site]:
    """A platform that serves one service, which keeps lines in a volume."""
    home, port = short_home("chk"), free_port()
    subject = Subject(
        "lines",
        tmp_path / "lines",
        {
            "process": {"command": [PYTHON, "server.py", "${port}"]},
            "env": {"APP_VERSION": "${version}", "STORE": "file"},
            "resources": {"data": {"type": "volume"}},
        },
    )
    traffic = Traffic(subject, port=port, rate=50, clock=lambda: 0.0)
    drystone = CommandLine(home, {"DRYSTONE_RUNTIME": "processes"})
    site = Site(drystone, port, (subject,), {"lines": traffic})
    try:
        await drystone.must("up", "--detach", "--port", str(port))
        where = ("--env", ENVIRONMENT, "--version", "v0")
        await drystone.must("deploy", subject.write(keep_warm=timedelta(0)), *where)
        yield site
    finally:
        with suppress(Exception):
            await stop(drystone)
        kill_what_remains(home)
        shutil.rmtree(home)


async def test_what_a_platform_says_and_serves_is_held_against_its_records(live: Site) -> None:
    serves, kept, status = (
        invariants.OneReleaseServes(),
        invariants.NothingIsLost(),
        invariants.StatusIsTrue(),
    )
    ledger = live.subjects["lines"].ledger
    async with live.traffic["lines"].flowing(), asyncio.timeout(20):
        while len(ledger.acknowledged) < 5:  # noqa: ASYNC110 - no event of it
            await asyncio.sleep(0.02)
    for check in (serves, kept, status):
        assert await check.violations(live) == []

    ledger.acknowledge(ledger.next_key())
    assert "acknowledged keys are lost" in (await kept.violations(live))[0]
    lines = live.home.path / "volumes/dev/lines/data/keys"
    lines.write_text(lines.read_text() * 2 + "foreign\n")
    found = "\n".join(await kept.violations(live))
    assert "never sent" in found
    assert "more than once" in found

    (id_, main), *_ = live.mains().items()
    started(live, id_, os.getpid())
    assert str(main.pid) in "\n".join(await status.violations(live))
    started(live, id_, main.pid)
    assert await status.violations(live) == []
    lock = live.home.run / "agent.lock"
    agent = lock.read_text()
    lock.write_text(str(os.getpid()))
    assert "status names agent" in (await status.violations(live))[0]
    lock.write_text(agent)

    record, release = live.record("lines"), live.documents.release(ENVIRONMENT, "lines", 1)
    live.documents.save_release(record, msgspec.structs.replace(release, version="v9"))
    assert "v9 is to serve" in (await serves.violations(live))[0]
    assert len(await status.violations(live)) >= 2
