"""``drystone migrate data`` on two real platforms: interrupted, carried through with the traffic, and refused."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from drystone.l10_engines.cache.external import parse_url
from drystone.l10_engines.cache.resp import Refused
from drystone.l10_engines.cache.wire import Wire
from drystone.l10_engines.objects.external import parse_bucket_url
from drystone.testing.command_line import Said
from journeys.place import Place, eventually, small_service
from l35_mesh.migration import bucket_rig, cache_rig

BOTH = tuple[Place, Place]


async def deployed(two: BOTH, folder: Path, kind: str, url: str) -> tuple[str, str, str]:
    """Deploy a service with a resource on both platforms; return its name, and the old and new resource's URL.

    Args:
        two: The platforms.
        folder: An empty one.
        kind: The resource's type; its name is ``data``.
        url: The URL, as a shell makes it of what the service is given.
    """
    here, there = two
    name = here.name()
    descriptor = small_service(folder / "service", name, resources={"data": {"type": kind}})
    urls = []
    for side, version in ((here, "old"), (there, "new")):
        assert (await side.deploy(descriptor, "--version", version)).code == 0
        said = await side.drystone.must("exec", name, "--", "sh", "-c", f"echo {url}")
        urls.append(said.out.strip())
    (folder / "url").write_text(urls[1])
    await here.drystone.must("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
    return name, urls[0], urls[1]


async def followed(platform: Place, *command: str | Path) -> None:
    """Give a command, and interrupt it when it follows."""
    async with platform.drystone.running(*command) as following:
        assert following.stdout is not None
        async with asyncio.timeout(60):
            while b"follows" not in await following.stdout.readline():
                pass
        following.send_signal(signal.SIGINT)
        assert await following.wait() == 0


async def carried_over(two: BOTH, name: str, url: Path, written: Callable[[], int]) -> Said:
    """Copy, follow, stop, and cut over while requests arrive and somebody writes; none of the requests may fail."""
    here, _ = two
    data = ("migrate", "data", name, "data", "--to", f"@{url}")
    async with here.traffic(name) as stopped:
        await followed(here, *data)
        before = written()
        await eventually(lambda: _is(written() > before))
        said = await here.drystone.must(*data, "--cut-over")
        assert await here.version(name) == "new"
        report = await stopped()
    assert report.failures() == {}
    assert "goes on where it was" in said.out
    refused = await here.drystone.run(*data, "--give-up")
    assert refused.code == 1
    assert "would lose" in refused.err
    return said


async def _is(what: bool) -> bool:
    return what


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_cache_moves_with_its_service(two: BOTH, tmp_path: Path) -> None:
    here, _ = two
    name, old, new = await deployed(two, tmp_path, "cache", "$DATA_URL")
    with cache_rig.Writer(parse_url(old)) as writer:
        said = await carried_over(two, name, tmp_path / "url", lambda: writer.written)
        await eventually(lambda: _is(writer.refused > 0))
        writer.stop()
    assert new not in said.out + said.err
    assert "both servers hold the same" in said.out
    with closing(Wire(parse_url(new))) as there, closing(Wire(parse_url(old))) as before:
        assert cache_rig.content(there) == writer.acknowledged
        with pytest.raises(Refused, match="NOPERM"):
            before.ask("SET", "probe", "1")
    # What is held stays so when its service is deployed anew, and its engine takes other settings over.
    changed = small_service(
        tmp_path / "service", name, resources={"data": {"type": "cache", "memory": "80Mi"}}
    )
    assert (await here.deploy(changed, "--version", "newer")).code == 0
    with closing(Wire(parse_url(old))) as before, pytest.raises(Refused, match="NOPERM"):
        before.ask("SET", "probe", "1")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_bucket_moves_with_its_service(two: BOTH, tmp_path: Path) -> None:
    url = "${DATA_ENDPOINT%%://*}://$DATA_ACCESS_KEY:$DATA_SECRET_KEY@${DATA_ENDPOINT#*://}/$DATA_NAME?region=$DATA_REGION"
    name, old, new = await deployed(two, tmp_path, "bucket", f'"{url}"')
    with bucket_rig.Writer(parse_bucket_url(old)) as writer:
        said = await carried_over(two, name, tmp_path / "url", lambda: writer.written)
        await eventually(lambda: _is(writer.refused > 0))
        writer.stop()
    assert new not in said.out + said.err
    assert "both buckets hold the same" in said.out
    assert bucket_rig.content(parse_bucket_url(new)) == writer.acknowledged


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_move_that_is_given_up_leaves_everything_here(two: BOTH, tmp_path: Path) -> None:
    here, _ = two
    name, old, _ = await deployed(two, tmp_path, "cache", "$DATA_URL")
    data = ("migrate", "data", name, "data", "--to", f"@{tmp_path / 'url'}")
    with cache_rig.Writer(parse_url(old)) as writer:
        await followed(here, *data)
        await here.drystone.must(*data, "--give-up")
        before = writer.written
        await eventually(lambda: _is(writer.written > before))
        writer.stop()
    with closing(Wire(parse_url(old))) as wire:
        assert cache_rig.content(wire) == writer.acknowledged
    assert await here.version(name) == "old"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_database_moves_with_its_service(two: BOTH, tmp_path: Path) -> None:
    here, _ = two
    name, old, new = await deployed(two, tmp_path, "postgres", "$DATA_URL")
    with psycopg.connect(old) as connection:
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)")
        connection.execute(
            "INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 1000) n"
        )
    data = ("migrate", "data", name, "data", "--to", f"@{tmp_path / 'url'}")
    await followed(here, *data)
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
async def test_what_cannot_be_moved_is_told(two: BOTH, tmp_path: Path) -> None:
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
