"""What was answered stays: through a killed process, a full disk, a damaged index; and what is lost is told."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from opensearchpy import OpenSearch, OpenSearchException, TransportError, helpers

from drystone.l10_engines.search.server import Tantivy, ask
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.testing.conformance.engines import short_home
from faults.disks import MEBIBYTE, Ballast, small_disk


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as found:
        yield found


@pytest.fixture
def mine(home: Path) -> Iterator[Tantivy]:
    found = Tantivy("search-mine", home / "search")
    asyncio.run(found.start())
    try:
        yield found
    finally:
        asyncio.run(found.stop())


def client_of(engine: Tantivy) -> OpenSearch:
    return OpenSearch(engine.access().url(), timeout=60, max_retries=0)


def kill(engine: Tantivy) -> None:
    """Kill the process as it is, and wait until it is gone."""
    pid = engine.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    asyncio.run(engine.wait())


def fill(client: OpenSearch, *, refresh: bool = False) -> tuple[int, TransportError]:
    """Write until it is refused; return how many documents were answered, and the refusal."""
    for n in range(3000):
        try:
            said = {"t": os.urandom(8000).hex()}
            client.index(
                index="all", id=f"more-{n}", body=said, params={"refresh": str(refresh).lower()}
            )
        except TransportError as e:
            return n, e
    raise AssertionError("it takes everything")


def test_what_was_answered_survives_a_killed_process(mine: Tantivy) -> None:
    answered: list[str] = []
    enough = threading.Event()

    def write(writer: int) -> None:
        with suppress(OpenSearchException), client_of(mine) as client:
            for n in range(10_000):
                identity = f"{writer}-{n}"
                client.index(index="all", id=identity, body={"w": writer, "n": n})
                answered.append(identity)
                if len(answered) == 300:
                    enough.set()

    with ThreadPoolExecutor(4) as pool:
        for writer in range(4):
            pool.submit(write, writer)
        assert enough.wait(60)
        kill(mine)
    asyncio.run(mine.start())
    with client_of(mine) as client:
        found = {hit["_id"] for hit in helpers.scan(client, index="all", _source=False)}
        assert set(answered) <= found
        assert len(found) <= len(answered) + 4
        assert client.index(index="all", id="next", body={})["_seq_no"] == len(found)


def test_an_index_of_words_that_is_lost_or_damaged_is_made_anew(mine: Tantivy) -> None:
    with client_of(mine) as client:
        for name in ("lost", "damaged", "cut"):
            some = [{"_index": name, "_id": str(n), "t": f"word{n}"} for n in range(50)]
            helpers.bulk(client, some, refresh=True)
            assert client.count(index=name)["count"] == 50
    asyncio.run(mine.stop())
    lost, damaged, cut = sorted((mine.data / "words").iterdir())
    shutil.rmtree(lost)
    for file in cut.glob("*.idx"):
        os.truncate(file, 1)
    (damaged / "meta.json").write_bytes(b"{")
    asyncio.run(mine.start())
    with client_of(mine) as client:
        for name in ("lost", "damaged", "cut"):
            assert client.count(index=name, body={"query": {"match": {"t": "word7"}}})["count"] == 1
            assert client.count(index=name)["count"] == 50


def test_a_document_that_is_older_than_a_field_does_not_keep_its_index_closed(
    mine: Tantivy,
) -> None:
    with client_of(mine) as client:
        client.indices.create(index="all", body={"mappings": {"dynamic": False}})
        client.index(index="all", id="1", body={"n": "no number", "o": 1}, refresh=True)
        later = {"n": {"type": "long"}, "o": {"properties": {"x": {"type": "long"}}}}
        client.indices.put_mapping(index="all", body={"properties": {"n": later["n"]}})
        client.index(index="all", id="2", body={"n": 2}, refresh=True)
        client.indices.put_mapping(index="all", body={"properties": later})
    asyncio.run(mine.stop())
    shutil.rmtree(mine.data / "words")
    asyncio.run(mine.start())
    with client_of(mine) as client:
        assert client.count(index="all")["count"] == 2
        assert client.count(index="all", body={"query": {"term": {"n": 2}}})["count"] == 1


def test_a_damaged_end_of_the_log_is_found_and_told(mine: Tantivy) -> None:
    with client_of(mine) as client:
        for n in range(20):
            client.index(index="all", id=str(n), body={"n": n})
    kill(mine)
    log = mine.data / "documents.sqlite-wal"
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.seek(size - 3 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(EngineFailed, match="20 documents were written and"):
        asyncio.run(mine.start())
    (mine.data / "written").unlink()
    asyncio.run(mine.start())
    with client_of(mine) as client:
        assert 0 < client.count(index="all")["count"] < 20


def test_a_damaged_document_is_not_given_out(mine: Tantivy) -> None:
    with client_of(mine) as client:
        client.index(index="all", id="1", body={"secret-word": "abcdefghij" * 20})
    asyncio.run(mine.stop())
    file = mine.data / "documents.sqlite"
    content = file.read_bytes()
    assert content.count(b"abcdefghijabcdefghij") == 10
    file.write_bytes(content.replace(b"abcdefghijabcdefghij", b"abcdefghijabcdefghiX", 1))
    asyncio.run(mine.start())
    with client_of(mine) as client, pytest.raises(TransportError, match="not what was written"):
        client.get(index="all", id="1")


def test_a_full_disk_refuses_writes_and_keeps_what_was_answered(home: Path) -> None:
    place = home / "disk"
    place.mkdir()
    with small_disk(place, size=24 * MEBIBYTE, files=2000):
        engine, ballast = Tantivy("search-full", place / "search"), Ballast(place)
        asyncio.run(engine.start())
        try:
            with client_of(engine) as client:
                client.index(index="all", id="0", body={"n": 0}, refresh=True)
                ballast.fill()
                answered, refused = fill(client)
                assert refused.status_code == 429
                assert "no room" in str(refused.info)
                assert client.get(index="all", id="0")["_source"] == {"n": 0}
                ballast.free()
                client.index(index="all", id="after", body={"n": 1})
                client.indices.refresh(index="all")
                assert client.count(index="all")["count"] == answered + 2
                assert client.cluster.health()["status"] == "green"
        finally:
            asyncio.run(engine.stop())


def test_storage_is_a_bound_and_deleting_makes_room(home: Path) -> None:
    engine = Tantivy("search-small", home / "search", most=MEBIBYTE)
    asyncio.run(engine.start())
    try:
        with client_of(engine) as client:
            _, refused = fill(client, refresh=True)
            assert "'storage'" in str(refused.info)
            assert client.delete(index="all", id="more-0")["result"] == "deleted"
            client.indices.delete(index="all")
            client.indices.refresh()
            assert client.index(index="new", id="1", body={}, refresh=True)["result"] == "created"
    finally:
        asyncio.run(engine.stop())


def test_only_the_password_opens_it_and_the_process_does_not_know_it(engine: Tantivy) -> None:
    access = engine.access()
    for password in ("", "wrong", access.password + "x"):
        with (
            OpenSearch(access.url().replace(access.password, password or "-")) as client,
            pytest.raises(TransportError) as refused,
        ):
            client.search()
        assert refused.value.status_code == 401
    pid = engine.status().pid
    for what in ("cmdline", "environ"):
        assert access.password.encode() not in Path(f"/proc/{pid}/{what}").read_bytes()
    assert access.password not in (engine.directory / "known").read_text()
    assert access.password not in repr(access)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (33 * 1024 * 1024), 413),
        (gzip.compress(b" " * (40 * 1024 * 1024)), 413),
        (gzip.compress(b'{"index":{}}\n{"a":1}\n' * 100)[:-20], 400),
        (b'{"index":{}}\n{"a":1}', 400),
        (b"[" * 100_000 + b"\n", 400),
        (b'{"index":{"_index":"UPPER"}}\n{}\n', 200),
    ],
    ids=["large", "large-inside", "cut", "no-end", "deep", "no-name"],
)
def test_bodies_that_are_too_much_or_no_requests_are_refused(
    engine: Tantivy, client: OpenSearch, index: str, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"}
    if body[:2] == b"\x1f\x8b":
        headers["content-encoding"] = "gzip"
    connection = client.transport.get_connection()
    said = 200
    try:
        _, _, answer = connection.perform_request(
            "POST", f"/{index}/_bulk", body=body, headers=headers
        )
        assert '"error"' in answer
    except TransportError as e:
        said = int(e.status_code)
    assert said == status
    assert ask(engine.access(), "GET", "/", limit=10)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_nodes"),
        ("POST", "/a/_update_by_query"),
        ("PUT", "/_template/a"),
        ("GET", "/a/_search?unknown=1"),
        ("GET", "/a/_search?q=x&q=y"),
        ("PUT", "/UPPER"),
        ("PUT", "/..%2f..%2fetc"),
        ("PATCH", "/a"),
    ],
)
def test_requests_that_are_not_offered_are_refused_with_a_reason(
    engine: Tantivy, method: str, path: str
) -> None:
    status, said = ask(engine.access(), method, path, limit=10)
    assert status in (400, 405)
    assert b'"reason"' in said
