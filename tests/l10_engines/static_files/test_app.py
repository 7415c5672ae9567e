from __future__ import annotations

import asyncio
import gzip
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.static_files.__main__ import parse
from drystone.l10_engines.static_files.app import StaticFiles
from drystone.l10_engines.static_files.site import HEALTH, Site

HASHED = "assets/app.3f9a1c2b.js"
GONE = "assets/app.0a0b0c01.js"
PAGE = {"accept": "text/html,*/*"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "new"
    (root / "assets").mkdir(parents=True)
    (root / "docs").mkdir()
    (root / "index.html").write_text("<h1>new</h1>")
    (root / "docs/index.html").write_text("docs")
    (root / "404.html").write_text("lost")
    (root / HASHED).write_text("code" * 100)
    (root / (HASHED + ".gz")).write_bytes(gzip.compress(b"code" * 100))
    older = tmp_path / "old/assets"
    older.mkdir(parents=True)
    (tmp_path / "old" / GONE).write_text("old code")
    (tmp_path / "old/removed.html").write_text("removed")
    return root


@pytest.fixture
async def client(root: Path) -> AsyncIterator[httpx2.AsyncClient]:
    site = Site(root=root, older=(root.parent / "old",), spa=True, headers={"X-Team": "stone"})
    transport = httpx2.ASGITransport(app=StaticFiles(site))
    headers = {"accept-encoding": "identity"}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://site", headers=headers
    ) as client:
        yield client


async def test_the_index_answers_for_the_root_and_is_asked_for_again(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.text) == (200, "<h1>new</h1>")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-team"] == "stone"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_an_unchanged_file_is_not_sent_again(client: httpx2.AsyncClient) -> None:
    tag = (await client.get("/")).headers["etag"]
    again = await client.get("/", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


async def test_two_instances_give_a_file_the_same_tag(
    client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "index.html").write_text("<h1>new</h1>")
    transport = httpx2.ASGITransport(app=StaticFiles(Site(root=copy)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://site") as other:
        assert (await other.get("/")).headers["etag"] == (await client.get("/")).headers["etag"]


async def test_a_hashed_file_is_kept_for_ever_and_sent_compressed(
    client: httpx2.AsyncClient,
) -> None:
    plain = await client.get(f"/{HASHED}")
    packed = await client.get(f"/{HASHED}", headers={"accept-encoding": "gzip"})
    assert plain.text == packed.text == "code" * 100
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < 100
    assert plain.headers["etag"] != packed.headers["etag"]
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
    assert "immutable" in plain.headers["cache-control"]


async def test_an_old_page_still_finds_its_chunks_and_nothing_else_of_its_release(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get(f"/{GONE}")).text == "old code"
    assert (await client.get("/removed.html")).status_code == 404


async def test_a_navigation_to_an_unknown_path_gets_the_application(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get("/orders/7", headers=PAGE)).text == "<h1>new</h1>"
    missing_script = await client.get("/orders/7.js", headers=PAGE)
    assert (missing_script.status_code, missing_script.text) == (404, "lost")
    fetched = await client.get("/orders/7", headers={"accept": "application/json"})
    assert fetched.status_code == 404


async def test_a_folder_is_answered_by_its_index_under_its_own_name(
    client: httpx2.AsyncClient,
) -> None:
    moved = await client.get("/docs?a=b")
    assert (moved.status_code, moved.headers["location"]) == (308, "/docs/?a=b")
    assert (await client.get("/docs/")).text == "docs"


async def test_no_redirect_leads_to_another_host(client: httpx2.AsyncClient) -> None:
    for path in ("//evil.example/docs", "/\\evil.example/docs", "//docs"):
        answer = await client.get(httpx2.URL("http://site").copy_with(raw_path=path.encode()))
        assert "location" not in answer.headers


async def test_a_part_of_a_file_can_be_asked_for(client: httpx2.AsyncClient) -> None:
    path = f"/{HASHED}"
    part = await client.get(path, headers={"range": "bytes=2-5"})
    assert (part.status_code, part.text) == (206, "deco")
    assert part.headers["content-range"] == "bytes 2-5/400"
    beyond = await client.get(path, headers={"range": "bytes=400-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */400")
    changed = await client.get(path, headers={"range": "bytes=2-5", "if-range": '"other"'})
    assert (changed.status_code, len(changed.content)) == (200, 400)


async def test_head_has_the_headers_of_get_and_no_body(client: httpx2.AsyncClient) -> None:
    head, get = await client.head(f"/{HASHED}"), await client.get(f"/{HASHED}")
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)


async def test_other_methods_are_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_the_health_path_answers_whatever_the_site_holds(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.get(HEALTH)).text == "ok\n"


def test_the_command_line_says_all_that_a_site_can_be(root: Path) -> None:
    words = f"--root {root} --port 8 --older /o --spa --index i.html --cache *.png=60 --health /h"
    site, address, port = parse([*words.split(), "--header", "X-A: b:c", "--csp", "default-src *"])
    assert (address, port) == ("127.0.0.1", 8)
    assert site.older == (Path("/o"),)
    assert site.spa
    assert site.index == "i.html"
    assert site.cache == {"*.png": timedelta(minutes=1)}
    assert site.headers == {"X-A": "b:c"}
    assert site.csp == "default-src *"
    assert site.health == "/h"


@pytest.mark.parametrize("wrong", [["--cache", "a=b"], ["--header", "A"], ["--header", "A:b\nc:d"]])
def test_a_mistake_on_the_command_line_is_named(root: Path, wrong: list[str]) -> None:
    with pytest.raises(Invalid, match=wrong[0]):
        parse(["--root", str(root), "--port", "1", *wrong])


async def test_the_server_runs_alone_and_finishes_an_answer_when_it_is_told_to_end(
    root: Path, tmp_path: Path
) -> None:
    large = b"0123456789abcdef" * (1 << 17)
    (root / "large.bin").write_bytes(large)
    port = free_port()
    command = [sys.executable, "-m", "drystone.l10_engines.static_files"]
    command += ["--root", str(root), "--port", str(port)]
    server = spawn(command, output=tmp_path / "log")
    try:
        await _until_it_answers(port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        writer.write(b"GET /large.bin HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        identity.send(server, signal.SIGTERM)
        assert head.startswith(b"HTTP/1.1 200")
        assert await reader.read() == large
        writer.close()
        await writer.wait_closed()
        assert await identity.wait(server) in {0, -signal.SIGTERM}
    finally:
        await identity.stop(server, grace=timedelta(seconds=1))


async def _until_it_answers(port: int) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
        while True:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}{HEALTH}")
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code == 200
            return
