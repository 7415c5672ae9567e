"""Numbers about what was found: groups of documents, and figures of each group.

tantivy counts them. Names of fields become columns on the way in, and moments, truths and names come back on the way out.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec
from tantivy import Query

from drystone.l10_engines.search import dates
from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.mapping import Field
from drystone.l10_engines.search.reading import value_of
from drystone.l10_engines.search.scope import Scope

MOST_BUCKETS = 10_000
DEEPEST = 5

_FIGURES = ("avg", "min", "max", "sum", "value_count", "cardinality", "stats")
_OF_ANY = ("terms", "value_count", "cardinality")
_GROUPS: dict[str, set[str]] = {
    "terms": {
        "field",
        "size",
        "order",
        "min_doc_count",
        "shard_size",
        "missing",
        "include",
        "exclude",
    },
    "histogram": {"field", "interval", "offset", "min_doc_count", "extended_bounds", "hard_bounds"},
    "date_histogram": {
        "field",
        "fixed_interval",
        "calendar_interval",
        "interval",
        "min_doc_count",
        "offset",
        "time_zone",
        "extended_bounds",
    },
    "range": {"field", "ranges"},
}
_EVEN = {
    "minute": "m",
    "1m": "m",
    "hour": "h",
    "1h": "h",
    "day": "d",
    "1d": "d",
    "second": "s",
    "1s": "s",
}
_UNEVEN = {"month": "M", "1M": "M", "quarter": "q", "1q": "q", "year": "y", "1y": "y"}
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WEEK = 7 * 86_400_000
_MONDAY = 4 * 86_400_000  # 1970-01-05


class Asked(msgspec.Struct, frozen=True):
    """One aggregation.

    Attributes:
        kind: What is counted.
        field: Of what; None when the index does not have it.
        asked: As tantivy is asked; None where it need not be.
        inner: Within each group.
        edges: Begin of each group and end of the last one, for groups of uneven length.
        least: Groups with fewer documents are left out.
    """

    kind: str
    field: Field | None
    asked: dict[str, Any] | None
    inner: dict[str, Asked]
    edges: tuple[int, ...] = ()
    least: int = 0


def aggregated(scope: Scope, query: Query, said: Any) -> dict[str, Any]:
    """Return the numbers that somebody asked for.

    Args:
        scope: The index.
        query: What was found.
        said: The value of ``aggs``.

    Raises:
        Refused: It cannot be read, is not offered, or is too much.
    """
    asked = _tree(scope, query, said, 1)
    tree = _request(asked)
    try:
        found = scope.snapshot.searcher.aggregate(query, tree) if tree else {}
    except ValueError as e:
        if "bucket limit" in str(e):
            raise Refused(
                "too_many_buckets_exception", f"Trying to create too many buckets: {e}", status=503
            ) from e
        raise illegal(f"the aggregation cannot be counted: {e}") from e
    return {name: _answer(one, found.get(name)) for name, one in asked.items()}


def _request(asked: dict[str, Asked]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in asked.items():
        if one.asked is not None:
            inner = _request(one.inner)
            found[name] = {**one.asked, **({"aggs": inner} if inner else {})}
    return found


def _tree(scope: Scope, query: Query, said: Any, depth: int) -> dict[str, Asked]:
    if not isinstance(said, dict) or depth > DEEPEST:
        raise unreadable(f"aggregations are an object, {DEEPEST} deep at most")
    found = {}
    for name, body in said.items():
        if not isinstance(body, dict):
            raise unreadable(f"the aggregation [{name}] is an object")
        inner = body.get("aggs", body.get("aggregations", {}))
        kinds = [key for key in body if key not in ("aggs", "aggregations", "meta")]
        if len(kinds) != 1:
            raise unreadable(f"the aggregation [{name}] has one type")
        scope.count()
        found[name] = _one(
            scope, query, kinds[0], body[kinds[0]], _tree(scope, query, inner, depth + 1)
        )
    return found


class _Over(msgspec.Struct, frozen=True):
    """One aggregation as it was asked for, and over what."""

    scope: Scope
    query: Query
    kind: str
    body: dict[str, Any]
    inner: dict[str, Asked]
    field: Field
    column: str

    def asked(self, request: dict[str, Any] | None) -> Asked:
        return Asked(self.kind, self.field, request, self.inner)


def _one(scope: Scope, query: Query, kind: str, body: Any, inner: dict[str, Asked]) -> Asked:
    _check_keys(kind, body, inner)
    field = scope.fields.get(body["field"])
    if field is None:
        return Asked(kind, None, None, inner)
    _check_type(kind, field)
    over = _Over(scope, query, kind, body, inner, field, scope.column(field))
    match kind:
        case "terms":
            return over.asked(_terms(over))
        case "range":
            return over.asked(_ranges(over))
        case "histogram":
            return over.asked(_histogram(over))
        case "date_histogram":
            return _date_histogram(over)
        case _:
            return over.asked({kind: {"field": over.column}})


def _check_keys(kind: str, body: Any, inner: dict[str, Asked]) -> None:
    known = {"field"} if kind in _FIGURES else _GROUPS.get(kind)
    if known is None:
        raise not_offered(
            f"the aggregation [{kind}]", f"There are {', '.join((*_GROUPS, *_FIGURES))}."
        )
    if not isinstance(body, dict) or not isinstance(body.get("field"), str):
        raise unreadable(f"the aggregation [{kind}] names a [field]")
    for key in body.keys() - known:
        raise not_offered(f"[{key}] of the aggregation [{kind}]")
    if kind in _FIGURES and inner:
        raise illegal(f"Aggregator of type [{kind}] cannot accept sub-aggregations")


def _check_type(kind: str, field: Field) -> None:
    if field.type == "text":
        raise illegal(
            f"Text fields are not optimised for aggregations. Please use a keyword field instead, such as [{field.path}.keyword]"
        )
    is_wrong = kind == "date_histogram" and field.type != "date"
    if is_wrong or (field.type == "keyword" and kind not in _OF_ANY):
        raise illegal(
            f"Field [{field.path}] of type [{field.type}] is not supported for aggregation [{kind}]"
        )


def _terms(over: _Over) -> dict[str, Any]:
    body, field = over.body, over.field
    size = body.get("size", 10)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_BUCKETS:
        raise illegal(f"[size] of [terms] is 1 to {MOST_BUCKETS}")
    asked: dict[str, Any] = {"field": over.column, "size": size, "segment_size": 65_000}
    asked["min_doc_count"] = max(1, body.get("min_doc_count", 1))
    if body.get("min_doc_count", 1) == 0:
        raise not_offered("[min_doc_count: 0] of the aggregation [terms]")
    order = body.get("order", {"_count": "desc"})
    order = order[0] if isinstance(order, list) and len(order) == 1 else order
    if not isinstance(order, dict) or len(order) != 1:
        raise not_offered("[order] by several keys of the aggregation [terms]")
    ((by, way),) = order.items()
    if by not in ("_count", "_key") and by.partition(".")[0] not in over.inner:
        raise illegal(f"Invalid aggregator order path [{by}]")
    asked["order"] = {by: str(way).lower()}
    if "missing" in body:
        asked["missing"] = value_of(field, body["missing"])[0]
    for key in ("include", "exclude"):
        if key in body:
            if field.type != "keyword":
                raise not_offered(
                    f"[{key}] of the aggregation [terms] for a field that is no keyword"
                )
            asked[key] = body[key]
    return {"terms": asked}


def _ranges(over: _Over) -> dict[str, Any]:
    field, said = over.field, over.body.get("ranges")
    if not isinstance(said, list) or not 1 <= len(said) <= 200:
        raise unreadable("[range] has [ranges], 200 at most")
    found: list[dict[str, Any]] = []
    for one in said:
        edges = {}
        for side in ("from", "to"):
            if one.get(side) is not None:
                is_date = field.type == "date"
                edges[side] = float(_moment(over, one[side]) if is_date else one[side])
        key = one.get("key") or "-".join(
            _edge(field, edges[side]) if side in edges else "*" for side in ("from", "to")
        )
        found.append({"key": str(key), **edges})
    found.sort(key=lambda one: float(one.get("from", "-inf")))
    for one, following in pairwise(found):
        if float(one.get("to", "inf")) > float(following.get("from", "-inf")):
            raise not_offered("an aggregation [range] whose ranges overlap")
    return {"range": {"field": over.column, "ranges": found}}


def _edge(field: Field, value: float) -> str:
    return dates.text(value) if field.type == "date" else str(value)


def _moment(over: _Over, value: Any) -> int:
    try:
        return dates.computed(value, over.field.format, now=over.scope.now, up=False)
    except ValueError as e:
        raise illegal(str(e)) from e


def _histogram(over: _Over) -> dict[str, Any]:
    interval = over.body.get("interval")
    if isinstance(interval, bool) or not isinstance(interval, int | float) or interval <= 0:
        raise illegal("[interval] must be >0 for histogram aggregation")
    more = ("offset", "extended_bounds", "hard_bounds")
    said = {key: over.body[key] for key in more if key in over.body}
    least = over.body.get("min_doc_count", 0)
    return {
        "histogram": {"field": over.column, "min_doc_count": least, "interval": interval, **said}
    }


def _date_histogram(over: _Over) -> Asked:
    body = over.body
    if body.get("time_zone", "UTC") not in ("UTC", "Z", "+00:00"):
        raise not_offered(
            f"[time_zone: {body['time_zone']}] of the aggregation [date_histogram]",
            "It counts in UTC.",
        )
    said = body.get("calendar_interval", body.get("interval", body.get("fixed_interval")))
    if "fixed_interval" not in body and said in _UNEVEN:
        if "offset" in body or "extended_bounds" in body:
            raise not_offered(f"[offset] and [extended_bounds] of groups of one {said}")
        return _uneven(over, _UNEVEN[str(said)])
    asked: dict[str, Any] = {"field": over.column, "min_doc_count": body.get("min_doc_count", 0)}
    if "extended_bounds" in body:
        asked["extended_bounds"] = {
            side: _moment(over, value) for side, value in body["extended_bounds"].items()
        }
    asked["interval"], asked["offset"] = _length(str(said))
    if "offset" in body:
        asked["offset"] += _length(str(body["offset"]).lstrip("+"))[0]
    return over.asked({"histogram": asked})


def _length(said: str) -> tuple[int, int]:
    if said in ("week", "1w"):
        return _WEEK, _MONDAY
    said = f"1{_EVEN[said]}" if said in _EVEN else said
    found = re.fullmatch(r"(\d{1,6})(ms|s|m|h|d)", said)
    if found is None or int(found[1]) == 0:
        raise illegal(
            f"The supplied interval [{said[:40]}] could not be parsed as an interval of time"
        )
    return int(found[1]) * _UNITS[found[2]], 0


def _uneven(over: _Over, unit: str) -> Asked:
    """Make groups of months or years, which tantivy cannot, by their edges."""
    figures = {"low": {"min": {"field": over.column}}, "high": {"max": {"field": over.column}}}
    ends = over.scope.snapshot.searcher.aggregate(over.query, figures)
    low, high = ends["low"]["value"], ends["high"]["value"]
    if low is None:
        return over.asked(None)
    edges = [dates.begin(dates.at(int(low)), unit)]
    while dates.since(edges[-1]) <= high:
        if len(edges) > 2000:
            raise Refused(
                "too_many_buckets_exception",
                "a request has 2000 groups of uneven length at most",
                status=503,
            )
        edges.append(dates.after(edges[-1], unit, 1))
    numbers = tuple(dates.since(edge) for edge in edges)
    ranges = [{"from": float(a), "to": float(b)} for a, b in pairwise(numbers)]
    request = {"range": {"field": over.column, "ranges": ranges}}
    least = over.body.get("min_doc_count", 0)
    return Asked(over.kind, over.field, request, over.inner, numbers, least)


def _answer(asked: Asked, found: Any) -> dict[str, Any]:
    """Return what tantivy counted in the words of OpenSearch."""
    if asked.kind in _FIGURES:
        return _figure(asked, found)
    buckets = (found or {}).get("buckets", [])
    if asked.edges:
        buckets = [
            {**bucket, "key": int(bucket["from"])}
            for bucket in sorted(
                (b for b in buckets if "from" in b and "to" in b), key=lambda b: b["from"]
            )
            if bucket["doc_count"] >= asked.least
        ]
    elif asked.kind == "range" and asked.asked is not None:
        keys = {one["key"] for one in asked.asked["range"]["ranges"]}
        buckets = [bucket for bucket in buckets if bucket["key"] in keys]
    shown = [_bucket(asked, bucket) for bucket in buckets]
    if asked.kind == "terms":
        more = {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": (found or {}).get("sum_other_doc_count", 0),
        }
        return {**more, "buckets": shown}
    return {"buckets": shown}


def _figure(asked: Asked, found: Any) -> dict[str, Any]:
    is_date = asked.field is not None and asked.field.type == "date"
    if asked.kind == "stats":
        return found or {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
    value = None if found is None else found.get("value")
    if asked.kind in ("value_count", "cardinality"):
        return {"value": int(value or 0)}
    if asked.kind == "sum":
        return {"value": value or 0.0}
    if is_date and value is not None:
        return {"value": value, "value_as_string": dates.text(value)}
    return {"value": value}


def _bucket(asked: Asked, bucket: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"key": bucket["key"], "doc_count": bucket["doc_count"]}
    kind = "" if asked.field is None else asked.field.type
    if asked.kind == "range":
        for side in ("from", "to"):
            if side in bucket:
                found[side] = bucket[side]
                if kind == "date":
                    found[f"{side}_as_string"] = dates.text(bucket[side])
    elif kind == "date":
        found = {"key_as_string": dates.text(bucket["key"]), **found, "key": int(bucket["key"])}
    elif kind == "boolean":
        found["key_as_string"] = "true" if bucket["key"] else "false"
    for name, inner in asked.inner.items():
        found[name] = _answer(inner, bucket.get(name))
    return found
