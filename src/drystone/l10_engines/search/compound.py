"""Queries that are made of other queries, and all that there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tantivy import Occur, Query

from drystone.l10_engines.search import fulltext, queries, query_string
from drystone.l10_engines.search.errors import unreadable
from drystone.l10_engines.search.fulltext import minimum
from drystone.l10_engines.search.live import Snapshot
from drystone.l10_engines.search.scope import (
    Compiler,
    Scope,
    boosted,
    everything,
    filtered,
    nothing,
    options,
)


def _clauses(scope: Scope, body: dict[str, Any], key: str) -> list[Query]:
    said = body.get(key, [])
    return [scope.query(one) for one in (said if isinstance(said, list) else [said])]


def _bool(scope: Scope, said: Any) -> Query:
    body = options(
        "bool",
        said,
        {"must", "should", "filter", "must_not", "minimum_should_match", "adjust_pure_negative"},
    )
    clauses = [(Occur.Must, one) for one in _clauses(scope, body, "must")]
    clauses += [(Occur.Must, filtered(one)) for one in _clauses(scope, body, "filter")]
    should = _clauses(scope, body, "should")
    is_needed = should and not clauses
    least = minimum(body.get("minimum_should_match", 1 if is_needed else 0), len(should))
    if should and least == len(should):
        clauses += [(Occur.Must, one) for one in should]
    elif should and least:
        clauses.append(
            (Occur.Must, Query.boolean_query([(Occur.Should, one) for one in should], least))
        )
    elif should:
        clauses += [(Occur.Should, one) for one in should]
        if not any(how is Occur.Must for how, _ in clauses):
            clauses.append((Occur.Must, filtered(everything())))
    without = [(Occur.MustNot, one) for one in _forgotten(scope, body)]
    if not clauses:
        clauses = [
            (
                Occur.Must,
                filtered(everything()) if without else Query.const_score_query(everything(), 1.0),
            )
        ]
    return boosted(Query.boolean_query([*clauses, *without]), body.get("boost"))


def _forgotten(scope: Scope, body: dict[str, Any]) -> list[Query]:
    """Compile what must not be found; its words are not marked in what is found."""
    before = {path: set(sought) for path, sought in scope.sought.items()}
    found = _clauses(scope, body, "must_not")
    scope.sought = before
    return found


def _constant_score(scope: Scope, said: Any) -> Query:
    body = options("constant_score", said, {"filter"})
    if "filter" not in body:
        raise unreadable("[constant_score] requires a 'filter' element")
    return Query.const_score_query(scope.query(body["filter"]), float(body.get("boost", 1.0)))


def _dis_max(scope: Scope, said: Any) -> Query:
    body = options("dis_max", said, {"queries", "tie_breaker"})
    found = _clauses(scope, body, "queries")
    if not found:
        return nothing()
    return boosted(
        Query.disjunction_max_query(found, float(body.get("tie_breaker", 0.0))), body.get("boost")
    )


KINDS: dict[str, Compiler] = {
    **queries.KINDS,
    **fulltext.KINDS,
    **query_string.KINDS,
    "bool": _bool,
    "constant_score": _constant_score,
    "dis_max": _dis_max,
}
"""Every query that is offered."""


def scope_of(snapshot: Snapshot, now: datetime) -> Scope:
    """Return what queries of an index are compiled for.

    Args:
        snapshot: The index.
        now: The time.
    """
    return Scope(snapshot, now, KINDS)
