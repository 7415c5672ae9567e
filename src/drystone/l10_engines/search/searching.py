"""Answers of searches: from a body to what stands in the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from tantivy import Occur, Query

from drystone.l10_engines.search import columns, highlighting, sorting
from drystone.l10_engines.search.aggregations import aggregated
from drystone.l10_engines.search.changing import PRIMARY_TERM
from drystone.l10_engines.search.compound import scope_of
from drystone.l10_engines.search.errors import illegal, not_offered, unreadable
from drystone.l10_engines.search.highlighting import Marking
from drystone.l10_engines.search.live import Snapshot
from drystone.l10_engines.search.records import Document
from drystone.l10_engines.search.scope import Scope, filtered
from drystone.l10_engines.search.sorting import Hit, Key
from drystone.l10_engines.search.source import chooser
from drystone.l10_engines.search.store import Store

WINDOW = 10_000
"""How far a search may reach by ``from`` and ``size``."""

_KNOWN = {
    "query",
    "from",
    "size",
    "sort",
    "search_after",
    "track_total_hits",
    "track_scores",
    "_source",
    "highlight",
    "aggs",
    "aggregations",
    "post_filter",
    "version",
    "seq_no_primary_term",
    "timeout",
    "explain",
}


class _Found(msgspec.Struct, frozen=True):
    """What was found in one index."""

    scope: Scope
    keys: list[Key]
    hits: list[Hit]
    total: int
    marks: list[Marking]
    best: float | None
    numbers: dict[str, Any] | None


def options(said: Any) -> dict[str, Any]:
    """Return the body of a search, of which every key is known.

    Args:
        said: The body; None for an empty one.

    Raises:
        Refused: It has another key.
    """
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise unreadable("the body of a search is an object")
    for key in said.keys() - _KNOWN:
        raise not_offered(f"[{key}] of a search")
    if said.get("explain", False) is not False:
        raise not_offered("[explain: true] of a search")
    return said


def search(snapshots: list[Snapshot], store: Store, said: Any) -> dict[str, Any]:
    """Answer a search.

    Args:
        snapshots: The indices that are searched.
        store: Holds the documents.
        said: The body.

    Raises:
        Refused: It cannot be read, is not offered, or costs too much.
    """
    begun = time.perf_counter()
    body = options(said)
    skip, size = _number(body, "from", 0), _number(body, "size", 10)
    if skip + size > WINDOW:
        raise illegal(
            f"Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{skip + size}]."
            " See search_after and the scroll api for a more efficient way to request large data sets."
        )
    if "search_after" in body and skip:
        raise illegal("`from` parameter must be set to 0 when `search_after` is used.")
    show = chooser(body.get("_source"))
    found = [_in_one(snapshot, body, skip + size) for snapshot in snapshots]
    if len(found) > 1 and any(one.numbers is not None for one in found):
        raise not_offered(
            "an aggregation over several indices at once", "Ask each of them, or index into one."
        )
    hits = _together(found)[skip : skip + size] if size else []
    shown = [
        _shown(one, hit, document, body, show)
        for one, hit, document in _with_documents(hits, store)
    ]
    answer = {
        "took": int((time.perf_counter() - begun) * 1000),
        "timed_out": False,
        "_shards": {"total": len(found), "successful": len(found), "skipped": 0, "failed": 0},
        "hits": {
            **_total(body, found),
            "max_score": max((one.best for one in found if one.best is not None), default=None),
            "hits": shown,
        },
    }
    numbers = next((one.numbers for one in found if one.numbers is not None), None)
    return answer if numbers is None else {**answer, "aggregations": numbers}


def _number(body: dict[str, Any], key: str, default: int) -> int:
    value = body.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise illegal(f"[{key}] parameter cannot be negative, and is a number, found [{value}]")
    return value


def _total(body: dict[str, Any], found: list[_Found]) -> dict[str, Any]:
    if body.get("track_total_hits", True) is False:
        return {}
    return {"total": {"value": sum(one.total for one in found), "relation": "eq"}}


def compiled(scope: Scope, body: dict[str, Any]) -> Query:
    """Return the query of a body; all documents when it has none.

    Args:
        scope: The index.
        body: With ``query``.
    """
    return scope.query(body.get("query") or {"match_all": {}})


def _in_one(snapshot: Snapshot, body: dict[str, Any], need: int) -> _Found:
    scope = scope_of(snapshot, datetime.now(UTC))
    query = compiled(scope, body)
    keys = sorting.keys_of(scope, body.get("sort", []))
    after = sorting.after_of(keys, body["search_after"]) if "search_after" in body else None
    said = body.get("aggs", body.get("aggregations"))
    numbers = aggregated(scope, query, said) if said else None
    if "post_filter" in body:
        query = Query.boolean_query(
            [(Occur.Must, query), (Occur.Must, filtered(scope.query(body["post_filter"])))]
        )
    hits, total = sorting.top(scope, query, keys, after, need) if need else ([], None)
    if total is None:
        total = sorting.count_of(snapshot.searcher, query)
    marks = highlighting.markings(scope, body["highlight"]) if "highlight" in body else []
    best = max((hit.score for hit in hits if hit.score is not None), default=None) if hits else None
    is_scored = not keys or any(key.name == "_score" for key in keys)
    return _Found(scope, keys, hits, total, marks, best if is_scored else None, numbers)


def _together(found: list[_Found]) -> list[tuple[_Found, Hit]]:
    pairs = [(hit, one) for one in found for hit in one.hits]
    if len(found) > 1:
        keys = found[0].keys
        pairs = sorting.compare(keys, pairs, "keys" if keys else "score")
    return [(one, hit) for hit, one in pairs]


def _with_documents(
    hits: list[tuple[_Found, Hit]], store: Store
) -> list[tuple[_Found, Hit, Document]]:
    rows: dict[int, int] = {}
    by_index: dict[int, list[int]] = {}
    for place, (one, _) in enumerate(hits):
        by_index.setdefault(id(one), []).append(place)
    for places in by_index.values():
        searcher = hits[places[0]][0].scope.snapshot.searcher
        where = [hits[place][1].address for place in places]
        values = searcher.fast_field_values(columns.ROW, where)
        rows |= {
            place: int(value)
            for place, value in zip(places, values, strict=True)
            if value is not None
        }
    documents = store.at(rows.values())
    # What died since, and was purged in this very moment, is not found any more.
    return [
        (one, hit, documents[rows[place]])
        for place, (one, hit) in enumerate(hits)
        if rows.get(place) in documents
    ]


def _shown(
    found: _Found,
    hit: Hit,
    document: Document,
    body: dict[str, Any],
    show: Callable[[dict[str, Any]], dict[str, Any] | None],
) -> dict[str, Any]:
    is_scored = (
        not found.keys
        or any(key.name == "_score" for key in found.keys)
        or body.get("track_scores")
    )
    score = None if hit.score is None or not is_scored else hit.score
    shown: dict[str, Any] = {
        "_index": found.scope.snapshot.record.name,
        "_id": document.id,
        "_score": score,
    }
    if body.get("version"):
        shown["_version"] = document.version
    if body.get("seq_no_primary_term"):
        shown |= {"_seq_no": document.seq, "_primary_term": PRIMARY_TERM}
    if body.get("_source") in (None, True) and not found.marks:
        shown["_source"] = msgspec.Raw(document.source)
    else:
        source = msgspec.json.decode(document.source)
        chosen = show(source)
        if chosen is not None:
            shown["_source"] = chosen
        marked = {mark.field.path: highlighting.marked(mark, source) for mark in found.marks}
        if any(marked.values()):
            shown["highlight"] = {path: pieces for path, pieces in marked.items() if pieces}
    if found.keys:
        values = zip(found.keys, hit.values, strict=True)
        shown["sort"] = [
            document.id if key.name == "_id" else sorting.shown(key, value) for key, value in values
        ]
    return shown


def count(snapshots: list[Snapshot], said: Any) -> int:
    """Return how many documents a query finds.

    Args:
        snapshots: The indices.
        said: The body; nothing but a query.
    """
    body = said or {}
    if not isinstance(body, dict) or body.keys() - {"query"}:
        raise unreadable("the body of a count has a [query] and nothing else")
    total = 0
    for snapshot in snapshots:
        scope = scope_of(snapshot, datetime.now(UTC))
        total += sorting.count_of(snapshot.searcher, compiled(scope, body))
    return total


def identities(snapshot: Snapshot, store: Store, said: Any) -> list[tuple[str, int]]:
    """Return what every document that a query finds is called, each with the change that wrote it.

    Args:
        snapshot: The index.
        store: Holds the documents.
        said: The body, with a query.

    Raises:
        Refused: It cannot be read, or finds too many.
    """
    scope = scope_of(snapshot, datetime.now(UTC))
    query = compiled(scope, said)
    total = sorting.count_of(snapshot.searcher, query)
    if total > sorting.MOST_SORTED:
        raise illegal(
            f"the query finds {total} documents, and {sorting.MOST_SORTED} are taken at once"
        )
    found = snapshot.searcher.search(query, max(1, total), count=False).hits
    rows = snapshot.searcher.fast_field_values(columns.ROW, [where for _, where in found])
    return store.names_at(int(row) for row in rows if row is not None)
