"""``drystone migrate data`` on two real platforms: interrupted, carried through with the traffic, and refused."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psycopg
import pytest

from journeys.place import Place, small_service


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_database_moves_with_its_service(two: tuple[Place, Place], tmp_path: Path) -> None:
    here, there = two
    name = here.name()
    descriptor = small_service(tmp_path / "service", name, resources={"db": {"type": "postgres"}})
    urls = []
    for side, version in ((here, "old"), (there, "new")):
        assert (await side.deploy(descriptor, "--version", version)).code == 0
        said = await side.drystone.must("exec", name, "--", "sh", "-c", "echo $DB_URL")
        urls.append(said.out.strip())
    old, new = urls
    with psycopg.connect(old) as connection:
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)")
        connection.execute(
            "INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 1000) n"
        )
    (tmp_path / "url").write_text(new)
    data = ("migrate", "data", name, "db", "--to", f"@{tmp_path / 'url'}")
    await here.drystone.must("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
    async with here.drystone.running(*data) as following:
        assert following.stdout is not None
        async with asyncio.timeout(60):
            while b"follows" not in await following.stdout.readline():
                pass
        following.send_signal(signal.SIGINT)
        assert await following.wait() == 0
    with psycopg.connect(old) as connection:
        connection.execute("UPDATE notes SET text = 'changed' WHERE id <= 10")
    said = await here.drystone.must(*data, "--cut-over")
    assert "both databases hold the same rows" in said.out
    assert new not in said.out + said.err
    with psycopg.connect(new) as connection:
        found = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE text = 'changed') FROM notes"
        )
        assert found.fetchone() == (1000, 10)
    assert await here.version(name) == "new"
    refused = await here.drystone.run(*data, "--give-up")
    assert refused.code == 1
    assert "would lose" in refused.err


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_what_cannot_be_moved_is_told(two: tuple[Place, Place], tmp_path: Path) -> None:
    here, _ = two
    name = here.name()
    descriptor = small_service(tmp_path / "service", name, resources={"files": {"type": "volume"}})
    assert (await here.deploy(descriptor)).code == 0
    said = await here.drystone.run("migrate", "data", name, "files", "--to", "postgresql://x")
    assert said.code == 1
    assert "no data 'files' that can be moved" in said.err
    said = await here.drystone.run("migrate", "data", name, "files", "--to", "@/nowhere")
    assert said.code == 1
    assert "/nowhere cannot be read" in said.err
