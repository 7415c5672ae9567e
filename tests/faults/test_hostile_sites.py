"""A static site, asked for what it must not give, by the real server through the real edge."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
import yaml

from journeys.place import Place, place

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "for nobody's eyes"
NAME = "walls"
BIG = 24 * 1024 * 1024
NAVIGATION = "accept: text/html"


class Answer(NamedTuple):
    """What came back; status 0 when the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def write_site(folder: Path) -> None:
    """Write a site that holds what a careless person leaves in one."""
    for path, text in {
        "index.html": "the index",
        "404.html": "lost",
        "a/page.html": "page",
        "a/b/deep.html": "deep",
        "Case.html": "upper",
        "with space.html": "space",
        "ünïcode.html": "letters",
        "100%.html": "percent",
        "q?uestion.html": "question",
        "data:text,x.js": "colon",
        "evil.html.txt": "<script>",
        "page.svg": "<svg/>",
        "archive.tar.gz": "packed",
        ".env": SECRET,
        ".git2/config": SECRET,
        "a/.hidden": SECRET,
        "listed/only.txt": "only",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "alias.html").symlink_to("a/page.html")
    (folder / "dot.html").symlink_to(".env")
    with (folder / "big.bin").open("wb") as file:
        file.truncate(BIG)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """A platform with a site, in the artefact of which traps were put after its build."""
    folder = tmp_path_factory.mktemp("site")
    write_site(folder / "site")
    descriptor = {"schema": 1, "service": NAME, "owner": "tests", "static": {"dir": "site"}}
    (folder / "service.yaml").write_text(yaml.safe_dump(descriptor))
    async with place() as found:
        said = await found.deploy(folder / "service.yaml")
        assert said.code == 0, said.err
        lay_traps(found.home)
        yield found


def lay_traps(home: Path) -> None:
    """Change the artefact behind the platform's back, as one who broke in might."""
    (page,) = home.glob("artifacts/*/source/**/index.html")
    root = page.parent
    (root / "passwd.html").symlink_to("/etc/passwd")
    (root / "etc").symlink_to("/etc")
    (root / "up").symlink_to("../..")
    (root / "self.html").symlink_to("self.html")
    (root / "own-fd.html").symlink_to("/proc/self/fd/0")
    (root / "environ.html").symlink_to("/proc/self/environ")
    os.mkfifo(root / "pipe.html")
    (root / "swapped").mkdir()
    (root / "swapped/passwd").write_text("harmless")
    (root / "swapped").rename(root / "before")
    (root / "swapped").symlink_to("/etc")
    if os.geteuid() == 0:
        os.mknod(root / "zero.html", 0o20666, os.makedev(1, 5))


async def ask(site: Place, target: str, *headers: str, method: str = "GET") -> Answer:
    """Send a request target as it stands, byte by byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    host = f"host: {NAME}.dev.localhost:{site.port}"
    lines = [f"{method} {target} HTTP/1.1", host, "connection: close", *headers, "", ""]
    try:
        writer.write("\r\n".join(lines).encode("latin-1"))
        async with asyncio.timeout(20):
            said = await reader.read()
    finally:
        writer.close()
    head, _, body = said.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in rest if ": " in line)
    status = int(first.split()[1]) if first.startswith("HTTP/1.1 ") else 0
    return Answer(status, {name.lower(): value for name, value in pairs}, body)


SERVED = {
    "/": "the index",
    "/a/page.html": "page",
    "/a/b/deep.html": "deep",
    "/alias.html": "page",
    "/with%20space.html": "space",
    "/%C3%BCn%C3%AFcode.html": "letters",
    "/100%25.html": "percent",
    "/q%3Fuestion.html": "question",
    "/data:text,x.js": "colon",
    "/a/%70age.html": "page",  # an encoded letter is that letter (RFC 3986, 6.2.2.2)
    "/a/../index.html": "the index",  # dots that stay within the site (RFC 3986, 5.2.4)
    "/a/./page.html": "page",
    "/a/b/../page.html?x=../../etc/passwd": "page",
    "/a/%2e%2e/index.html": "the index",
    "/a/.%2E/index.html": "the index",
}
REFUSED = [
    "/.env",
    "/%2eenv",
    "/%2Eenv",
    "/a/../.env",
    "/.git2/config",
    "/a/.hidden",
    "/dot.html",
    "/passwd.html",
    "/etc/passwd",
    "/etc/",
    "/up/",
    "/up/build.log",
    "/up/complete",
    "/self.html",
    "/own-fd.html",
    "/environ.html",
    "/pipe.html",
    "/zero.html",
    "/swapped/passwd",
    "/case.html",
    "/CASE.HTML",
    "/INDEX.HTML",
    "/a/page.html/",
    "/a/page.html/x",
    "/../etc/passwd",
    "/../../../../../../../../etc/passwd",
    "/a/../../../etc/passwd",
    "/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "/..%252f..%252fetc/passwd",
    "/..%5c..%5cetc%5cpasswd",
    "/..\\..\\etc\\passwd",
    "/....//....//etc/passwd",
    "/..;/..;/etc/passwd",
    "/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "/%e0%80%ae%e0%80%ae/etc/passwd",
    "/%uff0e%uff0e/etc/passwd",
    "/\xc0\xae\xc0\xae/etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/%2fetc%2fpasswd",
    "/./.././../etc/passwd",
    "/a//page.html",
    "/index.html%00",
    "/index.html%00.png",
    "/etc/passwd%00.html",
    "/a/page.html%0d%0aset-cookie:%20a=b",
    "/a%2fpage.html%2f..%2f..%2f.env",
    "/file:///etc/passwd",
    "/proc/self/environ",
    "/index.html::$DATA",
    "/index.html.",
    "/index.html%20",
    "/index.html~",
    "/" + "a/" * 500 + "x",
    "/" + "n" * 5000,
]


@pytest.mark.parametrize("target", SERVED)
async def test_a_name_of_the_site_is_served_however_it_is_written(site: Place, target: str) -> None:
    answer = await ask(site, target)
    assert (answer.status, answer.body.decode()) == (200, SERVED[target])


@pytest.mark.parametrize("target", REFUSED)
async def test_what_is_not_of_the_site_is_refused(site: Place, target: str) -> None:
    for headers in ((), (NAVIGATION,)):
        answer = await ask(site, target, *headers)
        assert answer.status in {400, 404}, answer
        assert b"root:" not in answer.body
        assert SECRET.encode() not in answer.body
        assert "set-cookie" not in answer.headers


async def test_no_folder_is_listed(site: Place) -> None:
    for target in ("/listed/", "/a/", "/a/b/"):
        answer = await ask(site, target)
        assert answer.status == 404
        assert b"only" not in answer.body
    moved = await ask(site, "/listed")
    assert moved.status in {308, 404}
    assert moved.headers.get("location", "/listed/") == "/listed/"


@pytest.mark.parametrize(
    "target",
    ["//evil.example/%2e%2e", "/%2fevil.example", "/\\evil.example", "/a//evil.example/.."],
)
async def test_nobody_is_sent_to_another_site(site: Place, target: str) -> None:
    answer = await ask(site, target)
    assert re.fullmatch(r"(/[^/\\].*)?", answer.headers.get("location", "")), answer


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/evil.html.txt", "text/plain; charset=utf-8"),
        ("/page.svg", "image/svg+xml"),
        ("/archive.tar.gz", "application/gzip"),
        ("/data:text,x.js", "text/javascript; charset=utf-8"),
        ("/big.bin", "application/octet-stream"),
    ],
)
async def test_a_browser_is_told_one_type_and_not_to_guess(
    site: Place, target: str, kind: str
) -> None:
    answer = await ask(site, target, method="HEAD")
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("asked", "status", "length"),
    [
        ("bytes=0-0", 206, 1),
        ("bytes=-1", 206, 1),
        (f"bytes={BIG - 1}-", 206, 1),
        (f"bytes={BIG}-", 416, 0),
        ("bytes=-0", 416, 0),
        (f"bytes={BIG - 2}-99999999999999999", 206, 2),
    ],
)
async def test_a_part_of_a_large_file_is_sent(
    site: Place, asked: str, status: int, length: int
) -> None:
    answer = await ask(site, "/big.bin", f"range: {asked}")
    assert (answer.status, len(answer.body)) == (status, length)


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=" + ",".join(["0-"] * 500),  # the "Apache killer", CVE-2011-3192
        "bytes=5-1",
        "bytes=--1",
        "bytes=99999999999999999999999999-",
        "lines=0-1",
        "bytes=0-1,0-1",
        "bytes=\u0660-\u0661".encode().decode("latin-1"),  # digits, and not ASCII
    ],
)
async def test_a_range_that_makes_no_sense_costs_no_more_than_the_file(
    site: Place, asked: str
) -> None:
    answer = await ask(site, "/a/page.html", f"range: {asked}")
    assert answer.status in {200, 400, 416}
    assert answer.body in {b"page", b""} or answer.status == 400


async def test_many_readers_of_a_huge_file_cost_no_memory(site: Place) -> None:
    (instance,) = await site.instances(NAME)
    answers = await asyncio.gather(*(ask(site, "/big.bin") for _ in range(3)))
    assert {(a.status, len(a.body)) for a in answers} == {(200, BIG)}
    (after,) = await site.instances(NAME)
    assert (
        after["pid"] == instance["pid"]
    )  # one that used more than its 128 MB would have been killed


async def test_only_reading_is_allowed(site: Place) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        assert (await ask(site, "/index.html", method=method)).status == 405
    assert (await ask(site, "/index.html", method="TRACE")).status in {400, 405, 501}


async def test_what_leads_out_of_the_folder_is_refused_before_it_is_built(
    site: Place, tmp_path: Path
) -> None:
    for number, link in enumerate(("/etc/passwd", "../../service.yaml", "/proc/self/environ")):
        folder = tmp_path / str(number)
        (folder / "site").mkdir(parents=True)
        (folder / "site/index.html").write_text("index")
        (folder / "site/out.html").symlink_to(link)
        text = {"schema": 1, "service": "leak", "owner": "tests", "static": {"dir": "site"}}
        (folder / "service.yaml").write_text(yaml.safe_dump(text))
        said = await site.deploy(folder / "service.yaml")
        assert said.code == 1
        assert "outside the service's folder" in said.err
