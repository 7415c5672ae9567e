"""What a search of the platform costs above the library that finds for it: documents written, and searches answered, in a second."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import sqlite3
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tantivy
from benchmarks.stand import table

from drystone.l10_engines.search.server import Tantivy
from drystone.testing.conformance.engines import short_home

DOCUMENTS = 20_000
AT_ONCE = 2_000
SECONDS = 3.0
WORDS = [f"word{n}" for n in range(5_000)]


def _documents() -> list[dict[str, Any]]:
    chance = random.Random(1)  # noqa: S311 - the same documents in every run
    return [
        {
            "id": str(n),
            "title": " ".join(chance.choices(WORDS, k=6)),
            "text": " ".join(chance.choices(WORDS, k=40)),
            "tag": f"tag{n % 100}",
            "number": n,
        }
        for n in range(DOCUMENTS)
    ]


class Client:
    """One connection that is kept."""

    def __init__(self, engine: Tantivy) -> None:
        access = engine.access()
        who = b64encode(f"{access.user}:{access.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {who}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection(access.host, access.port, timeout=120)

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Ask, and read the answer whole."""
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return json.loads(content)


def _rate(call: Callable[[int], object]) -> tuple[float, int]:
    """Call on for a while, and return how often in a second, and in all."""
    count, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        call(count)
        count += 1
    return count / SECONDS, count


def _plain_writes(folder: Path, documents: list[dict[str, Any]]) -> tuple[float, int]:
    """Write by the library alone, in one thread."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    for name in ("title", "text"):
        builder.add_text_field(name, stored=True)
    builder.add_text_field("tag", stored=True, fast=True, tokenizer_name="raw")
    builder.add_integer_field("number", stored=True, indexed=True, fast=True)
    schema = builder.build()
    folder.mkdir()
    index = tantivy.Index(schema, path=str(folder))
    begun = time.monotonic()
    writer = index.writer(15_000_000, 1)
    for document in documents:
        writer.add_document(tantivy.Document.from_dict(document, schema))
    writer.commit()
    return DOCUMENTS / (time.monotonic() - begun), DOCUMENTS


def _plain_searches(folder: Path) -> tuple[float, int]:
    """Search by the library alone."""
    index = tantivy.Index.open(str(folder))
    searcher = index.searcher()

    def search(n: int) -> None:
        query = tantivy.Query.term_query(index.schema, "text", WORDS[n % len(WORDS)])
        for _, address in searcher.search(query, 10).hits:
            searcher.doc(address).to_dict()

    return _rate(search)


def _search(client: Client) -> Callable[[int], object]:
    def search(n: int) -> object:
        body = {"query": {"match": {"text": WORDS[n % len(WORDS)]}}}
        return client.ask("POST", "/all/_search", json.dumps(body).encode())

    return search


def _bulk(client: Client, documents: list[dict[str, Any]]) -> tuple[float, int]:
    bodies = []
    for start in range(0, DOCUMENTS, AT_ONCE):
        lines = [
            json.dumps(line)
            for one in documents[start : start + AT_ONCE]
            for line in ({"index": {"_index": "all", "_id": one["id"]}}, one)
        ]
        bodies.append(("\n".join(lines) + "\n").encode())
    begun = time.monotonic()
    for body in bodies:
        assert client.ask("POST", "/_bulk", body)["errors"] is False
    client.ask("POST", "/all/_refresh")
    return DOCUMENTS / (time.monotonic() - begun), DOCUMENTS


def _commits(folder: Path) -> tuple[float, int]:
    connection = sqlite3.connect(folder / "baseline", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table rows (value)")
    found = _rate(lambda _: connection.execute("insert into rows values (?)", ("x" * 300,)))
    connection.close()
    return found


def _cpu(engine: Tantivy) -> float:
    """Return the seconds of processor time that the process has had."""
    fields = Path(f"/proc/{engine.status().pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(engine: Tantivy) -> str:
    status = Path(f"/proc/{engine.status().pid}/status").read_text()
    return f"{int(status.split('VmRSS:')[1].split()[0]) // 1024} MB"


def _measure(home: Path, engine: Tantivy) -> list[list[str]]:
    documents = _documents()
    idle = _memory(engine)
    clients = [Client(engine) for _ in range(16)]
    clients[0].ask(
        "PUT",
        "/all",
        json.dumps({"mappings": {"properties": {"tag": {"type": "keyword"}}}}).encode(),
    )
    clients[0].ask("GET", "/all/_count")
    rows: list[list[str]] = []

    def row(name: str, base: float, work: Callable[[], tuple[float, int]]) -> float:
        begun, own = _cpu(engine), time.process_time()
        rate, count = work()
        used = _cpu(engine) - begun if base else time.process_time() - own
        rows.append(
            [name, f"{rate:,.0f}", f"{rate / (base or rate):.2f}", f"{used / count * 1e6:.0f} µs"]
        )
        return rate

    def many(work: Callable[[Client], Callable[[int], object]], count: int) -> tuple[float, int]:
        with ThreadPoolExecutor(count) as pool:
            found = list(pool.map(lambda client: _rate(work(client)), clients[:count]))
        return sum(rate for rate, _ in found), sum(each for _, each in found)

    def write(client: Client) -> Callable[[int], object]:
        body = json.dumps(documents[0]).encode()
        return lambda n: client.ask("PUT", f"/single/_doc/{n % 1000}", body)

    folder = home / "plain"
    base = row("documents, by tantivy alone", 0, lambda: _plain_writes(folder, documents))
    row(f"documents, {AT_ONCE:,} a request", base, lambda: _bulk(clients[0], documents))
    base = row("searches, by tantivy alone", 0, lambda: _plain_searches(folder))
    row("searches, one client", base, lambda: many(_search, 1))
    row("searches, four clients", base, lambda: many(_search, 4))
    base = row("commits of SQLite", 0, lambda: _commits(home))
    row("single documents, one client", base, lambda: many(write, 1))
    row("single documents, 16 clients", base, lambda: many(write, 16))
    rows.append(["memory, idle and afterwards", f"{idle}, {_memory(engine)}", "", ""])
    return rows


async def searches(_count: int) -> str:
    """Documents and searches in a second, beside tantivy by itself."""
    with short_home() as home:
        engine = Tantivy("search", home / "search", most=1 << 40)
        try:
            await engine.start()
            rows = await asyncio.to_thread(_measure, home, engine)
        finally:
            await engine.stop()
    title = f"A search of {DOCUMENTS:,} documents over HTTP, on disk when it is answered"
    return table(title, ["", "in a second", "ratio", "CPU of one"], rows)
