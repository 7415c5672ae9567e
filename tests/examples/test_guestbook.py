from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx2
import psycopg
import pytest

from drystone.l10_engines.processes.identity import is_alive, send, wait
from drystone.testing.conformance.engines import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from examples.conftest import Guestbook

pytestmark = pytest.mark.asyncio(loop_scope="module")


def says(output: Path, text: str) -> Callable[[], bool]:
    return lambda: text in output.read_text()


async def test_of_several_migrations_at_once_one_does_the_work(guestbook: Guestbook) -> None:
    with psycopg.connect(guestbook.url) as connection:
        connection.execute("drop table if exists entries, schema_versions")

    runs = [guestbook.start("guestbook.migrate") for _ in range(3)]
    codes = [await wait(process) for process, _ in runs]

    assert codes == [0, 0, 0]
    assert sorted(output.read_text() for _, output in runs) == [
        "migrated: 0001_entries, 0002_written_by_version\n",
        "migrated: nothing to do\n",
        "migrated: nothing to do\n",
    ]


async def test_a_message_is_kept_as_written_and_shown_as_text(served: str) -> None:
    entry = {"name": "Ann <b>", "message": '"O\'Hara" & <script>alert(1)</script>\nsecond line ✓'}

    written = httpx2.post(f"{served}/api/entries", json=entry)
    page = httpx2.get(f"{served}/").text

    assert written.status_code == 201
    newest = httpx2.get(f"{served}/api/entries").json()["entries"][0]
    assert newest == written.json()
    assert {key: newest[key] for key in entry} == entry
    assert "Ann &lt;b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\nsecond line ✓" in page
    assert "<script" not in page


async def test_the_form_leads_back_to_the_page_that_shows_the_entry(served: str) -> None:
    form = {"name": "Bo", "message": "one\r\ntwo"}

    signed = httpx2.post(f"{served}/", data=form)

    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    assert "one\ntwo" in httpx2.get(f"{served}/").text


async def test_a_refused_form_keeps_what_was_typed_and_says_what_is_wrong(served: str) -> None:
    answer = httpx2.post(f"{served}/", data={"name": '"><i>', "message": " "})

    assert answer.status_code == 422
    assert "Please fill in the message." in answer.text
    assert 'value="&quot;&gt;&lt;i&gt;"' in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": "a", "message": ""}', 422),
        (b'{"name": "a"}', 422),
        (b'{"name": 1, "message": "b"}', 422),
        (b'{"name": "a", "message": "a\\u0000b"}', 422),
        (b'{"name": "a", "message": "\\ud800"}', 422),
        (b'{"name": "%b", "message": "b"}' % (b"x" * 61), 422),
        (b"[]", 422),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 15_000, 400),
        (b"x" * 20_000, 413),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_what_is_no_entry_is_refused_and_not_kept(
    served: str, body: bytes, status: int
) -> None:
    before = httpx2.get(f"{served}/api/entries").json()["count"]

    answer = httpx2.post(f"{served}/api/entries", content=body)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert httpx2.get(f"{served}/api/entries").json()["count"] == before


@pytest.mark.parametrize("path", ["/", "/version", "/nothing", "/slow?seconds=nan"])
async def test_every_answer_names_its_version_and_binds_the_browser(served: str, path: str) -> None:
    headers = httpx2.get(f"{served}{path}").headers

    assert headers["x-version"] == "1"
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_the_page_holds_the_one_style_that_its_policy_allows(served: str) -> None:
    answer = httpx2.get(f"{served}/")

    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in answer.headers["content-security-policy"]
    assert " style=" not in answer.text


async def test_two_versions_and_one_that_knows_less_write_side_by_side(
    guestbook: Guestbook, served: str
) -> None:
    second, _ = await guestbook.serve(version="2")
    for address in (served, second):
        httpx2.post(f"{address}/api/entries", json={"name": "n", "message": address})
    with psycopg.connect(guestbook.url) as connection:
        connection.execute("insert into entries (name, message) values ('n', 'before versions')")

    for address, version in ((served, "1"), (second, "2")):
        answer = httpx2.get(f"{address}/api/entries").json()
        assert answer["version"] == version
        seen = [(e["message"], e["written_by_version"]) for e in answer["entries"][:3]]
        assert seen == [("before versions", ""), (second, "2"), (served, "1")]


async def test_a_request_under_way_is_answered_after_term(
    guestbook: Guestbook, served: str
) -> None:
    address, process = await guestbook.serve(version="old")
    async with httpx2.AsyncClient() as client:
        long = asyncio.create_task(client.get(f"{address}/slow?seconds=1.5"))
        await client.get(f"{address}/slow?seconds=0.3")  # the long one has long begun when it ends
        send(process, signal.SIGTERM)

        assert (await long).json() == {"version": "old", "seconds": 1.5}
    await eventually(lambda: not is_alive(process))


async def test_the_digest_counts_the_entries_until_term(guestbook: Guestbook, served: str) -> None:
    count = httpx2.get(f"{served}/api/entries").json()["count"]

    process, output = guestbook.start("guestbook.digest")
    await eventually(says(output, f"the guestbook has {count} entries\n"))
    send(process, signal.SIGTERM)

    assert await wait(process) == 0


async def test_it_says_that_the_database_is_gone_and_serves_when_it_is_back(
    guestbook: Guestbook, served: str
) -> None:
    await guestbook.engine.stop()
    try:
        health = httpx2.get(f"{served}/healthcheck")
        version = httpx2.get(f"{served}/version")
    finally:
        await guestbook.engine.start()
    page = httpx2.get(f"{served}/", timeout=15)

    assert health.status_code == 503
    assert "database" in health.json()["error"]
    assert version.is_success
    assert page.is_success
