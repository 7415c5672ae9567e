"""Requests that search, and those about the engine itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

import drystone
from drystone.l10_engines.search import analysis, searching
from drystone.l10_engines.search.drafts import Draft
from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.live import Snapshot
from drystone.l10_engines.search.node import Answer, Node, Request

NUMBER = "2.19.0"
"""The version of OpenSearch whose protocol is spoken; clients look at it."""

MOST_SEARCHES = 100
"""Searches that one request may have."""

_SCROLL_SIZE = 10_000


def _body(request: Request) -> dict[str, Any]:
    body = searching.options(request.json())
    said = request.options
    more: dict[str, Any] = {}
    for key in ("from", "size"):
        number = request.number(key)
        if number is not None:
            more[key] = number
    if "sort" in said:
        more["sort"] = said["sort"].split(",")
    if "track_total_hits" in said:
        more["track_total_hits"] = said["track_total_hits"] != "false"
    if "_source" in said:
        more["_source"] = (
            said["_source"] if said["_source"] in ("true", "false") else said["_source"].split(",")
        )
    if "_source_includes" in said or "_source_excludes" in said:
        sides = {side: said.get(f"_source_{side}") for side in ("includes", "excludes")}
        more["_source"] = {side: names.split(",") for side, names in sides.items() if names}
    for key in ("version", "seq_no_primary_term"):
        if key in said:
            more[key] = request.flag(key)
    if "q" in said:
        more["query"] = {
            "query_string": {
                "query": said["q"],
                "default_operator": said.get("default_operator", "or"),
                **({"fields": [said["df"]]} if "df" in said else {}),
            }
        }
    return {**body, **more}


async def search(node: Node, request: Request) -> Answer:
    """A search."""
    body = _body(request)
    if "scroll" in request.options:
        return await _scrolled(node, request, body)
    snapshots = await node.snapshots(
        request.names.get("index", ""), must=not request.flag("ignore_unavailable")
    )
    found = await node.compute(lambda: searching.search(snapshots, node.keeper.store, body))
    if request.flag("rest_total_hits_as_int") and "total" in found["hits"]:
        found["hits"]["total"] = found["hits"]["total"]["value"]
    return Answer(found)


async def many(node: Node, request: Request) -> Answer:
    """Several searches; each is answered for itself."""
    begun = time.perf_counter()
    lines = [line for line in request.body.split(b"\n") if line.strip()]
    if not lines or len(lines) % 2 or len(lines) > 2 * MOST_SEARCHES:
        raise illegal(f"a multi search has pairs of lines, {MOST_SEARCHES} at most")
    answers = await asyncio.gather(
        *(_one_of_many(node, request, *pair) for pair in zip(lines[::2], lines[1::2], strict=True))
    )
    return Answer({"took": int((time.perf_counter() - begun) * 1000), "responses": answers})


_HEADERS = {
    "index",
    "preference",
    "search_type",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "request_cache",
}


async def _one_of_many(node: Node, request: Request, head: bytes, body: bytes) -> dict[str, Any]:
    try:
        try:
            about, said = msgspec.json.decode(head), msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
            raise unreadable(f"a line is not JSON: {e}") from e
        for key in about.keys() - _HEADERS:
            raise not_offered(f"[{key}] of a multi search")
        names = about.get("index", request.names.get("index", ""))
        snapshots = await node.snapshots(",".join(names) if isinstance(names, list) else names)
        found = await node.compute(lambda: searching.search(snapshots, node.keeper.store, said))
    except Refused as e:
        return e.body()
    return {**found, "status": 200}


def _span(said: str) -> float:
    found = re.fullmatch(r"(\d{1,6})(ms|s|m|h)", said)
    if found is None:
        raise illegal(f"failed to parse setting [scroll] with value [{said[:20]}] as a time value")
    return int(found[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]


async def _scrolled(node: Node, request: Request, body: dict[str, Any]) -> Answer:
    """Begin a search whose pages are fetched one after the other; it goes by the rows of documents where nothing is said."""
    span, size = _span(request.options["scroll"]), body.pop("size", 10)
    if not 1 <= size <= _SCROLL_SIZE or "search_after" in body or body.get("from"):
        raise illegal(
            f"a scroll has a [size] from 1 to {_SCROLL_SIZE}, and neither [from] nor [search_after]"
        )
    snapshots = await node.snapshots(request.names.get("index", ""))
    if len(snapshots) > 1:
        raise not_offered("a scroll over several indices at once")
    pages = _pages(node, snapshots, body, size)
    first = await node.compute(pages)
    name = node.begin_scroll(pages, span)
    return Answer({"_scroll_id": name, **first})


def _pages(
    node: Node, snapshots: list[Snapshot], body: dict[str, Any], size: int
) -> Callable[[], dict[str, Any]]:
    said = body.get("sort", [])
    keys = said if isinstance(said, list) else [said]
    if keys in ([], ["_doc"]) or not keys:
        keys = ["_doc"]
    elif keys[-1] != "_doc":
        keys = [*keys, "_doc"]
    after: list[Any] = []

    def page() -> dict[str, Any]:
        nonlocal after
        asked = {**body, "sort": keys, "size": size}
        if after:
            asked = {**asked, "search_after": after}
            asked.pop("aggs", None)
            asked.pop("aggregations", None)
        found = searching.search(snapshots, node.keeper.store, asked)
        hits = found["hits"]["hits"]
        if hits:
            after = hits[-1]["sort"]
        return found

    return page


async def scroll(node: Node, request: Request) -> Answer:
    """The next page of a search."""
    body = request.json() or {}
    name = request.names.get("id") or request.options.get("scroll_id") or body.get("scroll_id", "")
    said = request.options.get("scroll") or body.get("scroll")
    found = node.scroll(str(name), _span(said) if said else None)
    return Answer({"_scroll_id": name, **await node.compute(found.pages)})


async def end_scroll(node: Node, request: Request) -> Answer:
    """End searches."""
    body = request.json() or {}
    said = request.names.get("id") or request.options.get("scroll_id") or body.get("scroll_id", [])
    names = said.split(",") if isinstance(said, str) else said
    count = node.end_scrolls(None if names == ["_all"] else names)
    return Answer(
        {"succeeded": True, "num_freed": count}, 200 if count or names == ["_all"] else 404
    )


async def count(node: Node, request: Request) -> Answer:
    """How many documents a query finds."""
    body = request.json()
    if "q" in request.options:
        body = {"query": _body(Request("GET", {}, request.options, b""))["query"]}
    snapshots = await node.snapshots(
        request.names.get("index", ""), must=not request.flag("ignore_unavailable")
    )
    found = await node.compute(lambda: searching.count(snapshots, body))
    return Answer(
        {
            "count": found,
            "_shards": {
                "total": len(snapshots),
                "successful": len(snapshots),
                "skipped": 0,
                "failed": 0,
            },
        }
    )


async def refresh(node: Node, request: Request) -> Answer:
    """Let searches see what was written; on disk it is already."""
    records = node.resolve(request.names.get("index", ""))
    numbers = {record.number for record in records}

    def touch(draft: Draft) -> None:
        draft.touched |= numbers & draft.records.keys()

    await node.change(touch, visible=True, grows=False)
    return Answer({"_shards": {"total": len(records), "successful": len(records), "failed": 0}})


async def info(_node: Node, _request: Request) -> Answer:
    """What this is."""
    return Answer(
        {
            "name": "search",
            "cluster_name": "drystone",
            "cluster_uuid": "drystone",
            "version": {
                "distribution": "opensearch",
                "number": NUMBER,
                "build_type": "drystone",
                "build_hash": drystone.__version__,
                "build_date": "",
                "build_snapshot": False,
                "lucene_version": "9.12.1",
                "minimum_wire_compatibility_version": "7.10.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": "The protocol of OpenSearch; what is behind it is Drystone's own",
        }
    )


async def health(node: Node, request: Request) -> Answer:
    """Whether everything can be searched as it was written."""
    records = node.resolve(request.names.get("index", ""), must=False)
    trouble = node.keeper.trouble()
    status = "red" if any(record.number in trouble for record in records) else "green"
    wanted = request.options.get("wait_for_status", "red")
    answer = {
        "cluster_name": "drystone",
        "status": status,
        "timed_out": status == "red" and wanted != "red",
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_cluster_manager": True,
        "active_primary_shards": len(records),
        "active_shards": len(records),
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    }
    return Answer(answer, 408 if answer["timed_out"] else 200)


async def cat_indices(node: Node, request: Request) -> Answer:
    """A table of the indices."""
    trouble = node.keeper.trouble()
    rows = []
    for record in node.resolve(request.names.get("index", "")):
        (snapshot,) = await node.snapshots(record.name)
        live = node.keeper.opened(record.number)
        rows.append(
            {
                "health": "red" if record.number in trouble else "green",
                "status": "open",
                "index": record.name,
                "uuid": record.uuid,
                "pri": "1",
                "rep": "0",
                "docs.count": str(snapshot.searcher.num_docs),
                "docs.deleted": "0",
                "store.size": f"{0 if live is None else live.used()}b",
                "pri.store.size": f"{0 if live is None else live.used()}b",
            }
        )
    if request.options.get("format") == "json":
        return Answer(rows)
    names = list(rows[0]) if rows else []
    lines = [names] if request.flag("v") else []
    table = [*lines, *([row[name] for name in names] for row in rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(names))] if table else []
    text = "\n".join(
        " ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table
    )
    return Answer(text + "\n" if text else "")


async def analyze(_node: Node, request: Request) -> Answer:
    """The words of a text."""
    body = request.json() or {}
    if not isinstance(body, dict) or body.keys() - {"analyzer", "text"}:
        raise not_offered("anything but [analyzer] and [text] of an analysis")
    name, text = str(body.get("analyzer", "standard")), body.get("text", "")
    if name not in analysis.ANALYZERS:
        raise illegal(
            f"failed to find analyzer [{name}]; this platform has {', '.join(analysis.ANALYZERS)}"
        )
    tokens = []
    for one in text if isinstance(text, list) else [text]:
        for place, (word, start, end) in enumerate(analysis.places(name, str(one))):
            tokens.append(
                {
                    "token": word,
                    "start_offset": start,
                    "end_offset": end,
                    "type": "word",
                    "position": place,
                }
            )
    return Answer({"tokens": tokens})
