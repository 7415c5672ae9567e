from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.configuration import Eviction, server_settings
from drystone.l10_engines.cache.external import ExternalCache, parse_url
from drystone.l10_engines.cache.resp import Connection, Refused, Reply, connected
from drystone.l10_engines.cache.server import Valkey, answers
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.supervision import record
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Patience
from drystone.l10_engines.supervision.port import EngineState
from drystone.testing.conformance.engines import short_home

MEBIBYTE = 1024 * 1024


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


async def call(access: CacheAccess, *words: str) -> Reply:
    async with connected(access) as connection:
        return await connection.call(*words)


async def fill(connection: Connection) -> None:
    for i in range(1, 200):
        await connection.call("SET", f"k{i}", "x" * 50_000)


async def test_memory_is_bounded_and_old_entries_make_room(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache", memory=4 * MEBIBYTE)
    try:
        await cache.start()
        async with connected(cache.access()) as connection:
            await fill(connection)
            held = await connection.call("DBSIZE")
            used = str(await connection.call("INFO", "memory"))
            assert await connection.call("GET", "k199") == "x" * 50_000
        fields = dict(line.split(":") for line in used.splitlines() if ":" in line)
        assert int(fields["maxmemory"]) == 4 * MEBIBYTE
        assert int(fields["used_memory"]) <= 5 * MEBIBYTE
        assert isinstance(held, int)
        assert 0 < held < 100
    finally:
        await cache.stop()


async def test_a_cache_that_may_not_evict_refuses(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache", memory=4 * MEBIBYTE, eviction=Eviction.NOEVICTION)
    try:
        await cache.start()
        async with connected(cache.access()) as connection:
            await connection.call("SET", "k0", "x" * 50_000)
            with pytest.raises(Refused, match="OOM"):
                await fill(connection)
            assert await connection.call("GET", "k0") == "x" * 50_000
    finally:
        await cache.stop()


async def test_a_running_cache_takes_new_settings_over_without_losing_data(home: Path) -> None:
    before = Valkey("cache-one", home / "cache")
    try:
        await before.start()
        await call(before.access(), "SET", "key", "value")
        after = Valkey(
            "cache-one", home / "cache", memory=8 * MEBIBYTE, eviction=Eviction.VOLATILE_TTL
        )
        await after.start()
        info = str(await call(after.access(), "INFO", "memory"))
        assert f"maxmemory:{8 * MEBIBYTE}\r\n" in info
        assert "maxmemory_policy:volatile-ttl\r\n" in info
        assert await call(after.access(), "GET", "key") == "value"
        assert after.status().pid == before.status().pid
        assert before.status().memory_limit == after.status().memory_limit == 8 * MEBIBYTE
    finally:
        await before.stop()


@pytest.mark.parametrize(
    "words",
    [
        ("CONFIG", "GET", "dir"),
        ("CONFIG", "SET", "maxmemory", "0"),
        ("DEBUG", "OBJECT", "key"),
        ("SHUTDOWN",),
        ("ACL", "LIST"),
        ("MODULE", "LIST"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("MONITOR",),
        ("BGSAVE",),
        ("CLIENT", "KILL", "ID", "1"),
    ],
)
async def test_a_service_may_not_administer_its_cache(
    cache_access: CacheAccess, words: tuple[str, ...]
) -> None:
    with pytest.raises(Refused, match=r"NOPERM|not allowed"):
        await call(cache_access, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("FLUSHDB",),
        ("FLUSHALL",),
        ("INFO",),
        ("SELECT", "3"),
        ("CLIENT", "SETNAME", "orders"),
        ("EVAL", "return 1", "0"),
        ("PUBLISH", "channel", "message"),
        ("EXPIRE", "nothing", "1"),
    ],
)
async def test_a_service_may_use_its_cache(
    cache_access: CacheAccess, words: tuple[str, ...]
) -> None:
    assert await call(cache_access, *words) is not None


async def test_nobody_enters_without_name_and_password(cache_access: CacheAccess) -> None:
    nobody = structs.replace(cache_access, user="", password="")
    with pytest.raises(Refused, match="NOAUTH"):
        await call(nobody, "PING")
    for user in ("default", "drystone"):
        with pytest.raises(Refused, match="WRONGPASS"):
            await call(structs.replace(cache_access, user=user, password="wrong"), "PING")
    assert not await answers(nobody)


async def test_no_secret_is_shown(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache")
    try:
        await cache.start()
        password = cache.access().password
        assert len(password) >= 32
        assert password not in repr(cache.access())
        for path in cache.directory.iterdir():
            if path.is_file() and path.name != "password":
                assert password not in path.read_text()
            assert not path.is_file() or path.stat().st_mode & 0o077 == 0
    finally:
        await cache.stop()


async def test_a_password_that_somebody_else_keeps_is_used(home: Path) -> None:
    (home / "secret").write_text("given")
    odd = home / "odd, 'name' \"of\" a folder"
    cache = Valkey("cache-one", odd / "cache", password_file=home / "secret")
    try:
        await cache.start()
        assert cache.access().password == "given"
        assert await call(cache.access(), "PING") == "PONG"
        assert not (cache.directory / "password").exists()
    finally:
        await cache.stop()


async def test_a_running_cache_takes_a_new_password_over(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache")
    try:
        await cache.start()
        before = cache.access()
        await call(before, "SET", "key", "value")
        (cache.directory / "password").write_text("new")
        await cache.start()
        assert await call(cache.access(), "GET", "key") == "value"
        with pytest.raises(Refused, match="WRONGPASS"):
            await call(before, "PING")
    finally:
        await cache.stop()


async def test_one_that_is_frozen_is_not_ready_and_is_stopped_within_bounds(home: Path) -> None:
    patience = Patience(stop=timedelta(milliseconds=100))
    cache = Valkey("cache-one", home / "cache", patience=patience)
    try:
        await cache.start()
        pid = cache.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        assert not await cache.is_ready()
    finally:
        await cache.stop()
    assert record.processes_in(cache.data, "valkey-server") == ()


async def test_a_cache_elsewhere_is_used_and_never_stopped(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache")
    try:
        await cache.start()
        external = ExternalCache("elsewhere", cache.access().url())
        await external.start()
        assert external.access() == cache.access()
        assert await external.is_ready()
        assert external.status().state is EngineState.EXTERNAL
        assert external.status().version == cache.status().version
        await external.stop()
        assert await cache.is_ready()
    finally:
        await cache.stop()


async def test_a_cache_that_is_not_there_or_refuses_is_named(cache_access: CacheAccess) -> None:
    port = free_port()
    nowhere = ExternalCache("elsewhere", f"redis://u:s3cret@127.0.0.1:{port}")
    with pytest.raises(EngineFailed, match=f"no cache can be used at 127.0.0.1:{port}") as caught:
        await nowhere.start()
    assert "s3cret" not in str(caught.value)
    assert not await nowhere.is_ready()
    wrong = structs.replace(cache_access, password="s3cret").url()
    with pytest.raises(EngineFailed, match="WRONGPASS"):
        await ExternalCache("elsewhere", wrong).start()


async def test_something_that_is_no_cache_is_not_taken_for_one() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        assert not await answers(parse_url(f"redis://u:p@127.0.0.1:{port}"))


words = st.text(st.characters(codec="utf-8"), max_size=20)


@given(words, words, st.sampled_from(["cache.example.com", "10.0.0.1", "::1"]), st.booleans())
def test_an_access_survives_its_url(user: str, password: str, host: str, tls: bool) -> None:
    access = CacheAccess(host=host, port=6380, user=user, password=password, database=2, tls=tls)
    assert parse_url(access.url()) == access


@pytest.mark.parametrize(
    "url", ["redis://u:s3cret@h:port", "http://u:s3cret@h", "redis://", "redis://h/x"]
)
def test_a_url_that_lacks_something_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_url(url)
    assert "s3cret" not in str(caught.value)


def test_a_path_cannot_add_a_setting() -> None:
    evil = Path('/x" \nport 1')
    with pytest.raises(ValueError, match="line break"):
        server_settings(port=1, data=evil, users_file=evil, durable=False, live={})
    text = server_settings(
        port=1, data=Path('/a "b" \\c'), users_file=Path("/u"), durable=False, live={}
    )
    assert 'dir "/a \\"b\\" \\\\c"\n' in text


async def test_a_held_cache_can_be_read_and_not_written_until_it_is_let_go(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache")
    try:
        await cache.start()
        async with connected(cache.access()) as connection:
            assert await connection.call("SET", "key", "value") == "OK"
        assert await cache.hold(is_held=True)
        assert await call(cache.access(), "GET", "key") == "value"
        for words in (
            ("SET", "key", "other"),
            ("FLUSHALL",),
            ("SWAPDB", "0", "1"),
            ("RESTORE", "x", "0", "x"),
        ):
            with pytest.raises(Refused, match="NOPERM"):
                await call(cache.access(), *words)
        with pytest.raises(Refused, match="ACL failure"):
            await call(cache.access(), "EVAL", "return redis.call('set', 'key', 'other')", "0")
        await cache.stop()
        again = Valkey("cache-one", home / "cache")
        await again.start()
        with pytest.raises(Refused, match="NOPERM"):
            await call(again.access(), "SET", "key", "other")
        assert await again.hold(is_held=False)
        assert await call(again.access(), "SET", "key", "other") == "OK"
    finally:
        await cache.stop()


async def test_who_has_begun_before_a_cache_is_held_cannot_write_either(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache")
    try:
        await cache.start()
        async with connected(cache.access()) as connection:
            await connection.call("MULTI")
            await connection.call("SET", "key", "value")
            await cache.hold(is_held=True)
            with pytest.raises((Refused, OSError, asyncio.IncompleteReadError)):
                await connection.call("EXEC")
        assert await call(cache.access(), "GET", "key") is None
    finally:
        await cache.stop()


async def test_what_is_no_value_is_not_restored_and_ends_nothing(home: Path) -> None:
    cache = Valkey("cache-one", home / "cache")
    try:
        await cache.start()
        pid = cache.status().pid
        with pytest.raises(Refused, match="payload"):
            await call(cache.access(), "RESTORE", "key", "0", "no value")
        settings = (cache.directory / "valkey.conf").read_text()
        assert "sanitize-dump-payload yes\n" in settings
        assert await call(cache.access(), "PING") == "PONG"
        assert cache.status().pid == pid
    finally:
        await cache.stop()
