"""In which order documents are found: by how well they match, or by values of fields.

tantivy sorts by one column. What it gives first is enough for most pages; where documents tie, or several keys decide, more of
them are taken and sorted here.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
import tantivy
from tantivy import FieldType, Occur, Order, Query

from drystone.l10_engines.search import columns
from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.mapping import Field
from drystone.l10_engines.search.reading import value_of
from drystone.l10_engines.search.scope import Scope, filtered

MOST_SORTED = 1_000_000
"""Documents that are sorted here for one request."""

Value: TypeAlias = str | int | float | None

_SPECIAL = {"_score": "", "_doc": columns.ROW, "_id": columns.IDENTITY}


class Key(msgspec.Struct, frozen=True):
    """One thing that decides the order.

    Attributes:
        name: A field, or ``_score``, ``_doc`` or ``_id``.
        column: Where it lies; empty for the score, or for a field that the index does not have.
        is_desc: Whether the largest comes first.
        missing_first: Whether documents without a value come first.
        field: Of the mapping; None for the others.
    """

    name: str
    column: str
    is_desc: bool
    missing_first: bool = False
    field: Field | None = None

    def rank(self, value: Value) -> tuple[bool, Any]:
        """Return by what :meth:`list.sort` puts a value, with ``reverse`` where the key descends."""
        if value is None:
            return self.missing_first is self.is_desc, 0
        return self.missing_first is not self.is_desc, value


class Hit(msgspec.Struct, frozen=True):
    """A document that was found.

    Attributes:
        address: Where tantivy has it.
        score: How well it matches; None where nobody asked.
        values: By each key.
    """

    address: tantivy.DocAddress
    score: float | None
    values: tuple[Value, ...] = ()


def keys_of(scope: Scope, said: Any) -> list[Key]:
    """Read by what is sorted.

    Args:
        scope: The index.
        said: The value of ``sort``.

    Raises:
        Refused: It cannot be read, or not be sorted by.
    """
    said = [said] if isinstance(said, str | dict) else said
    if not isinstance(said, list):
        raise unreadable("[sort] is a list of fields")
    found: list[Key] = []
    for one in said:
        if isinstance(one, str):
            name, _, order = one.partition(":")
            found.append(_key(scope, name, {"order": order} if order else {}))
        elif isinstance(one, dict):
            found += [
                _key(scope, name, {"order": more} if isinstance(more, str) else more)
                for name, more in one.items()
            ]
        else:
            raise unreadable("[sort] is a list of fields")
    return found


def _key(scope: Scope, name: str, said: Any) -> Key:
    if not isinstance(said, dict):
        raise unreadable(f"[sort] by [{name}] is an order, or an object")
    for key in said.keys() - {"order", "missing", "unmapped_type", "mode"}:
        raise not_offered(f"[{key}] of a sort")
    order = str(said.get("order", "desc" if name == "_score" else "asc")).lower()
    missing = said.get("missing", "_last")
    if order not in ("asc", "desc"):
        raise illegal(f"Unknown SortOrder [{order}]")
    if missing not in ("_first", "_last"):
        raise not_offered(f"[missing: {missing}] of a sort", "It is _first or _last.")
    is_desc = order == "desc"
    usual = "max" if is_desc else "min"
    if said.get("mode", usual) != usual:
        raise not_offered("[mode] of a sort")
    if name in _SPECIAL:
        return Key(name, _SPECIAL[name], is_desc)
    return _of_field(scope, name, is_desc, missing == "_first", "unmapped_type" in said)


def _of_field(scope: Scope, name: str, is_desc: bool, first: bool, may_lack: bool) -> Key:
    field = scope.fields.get(name)
    if field is None:
        if not may_lack:
            raise Refused(
                "query_shard_exception", f"No mapping found for [{name}] in order to sort on"
            )
        return Key(name, "", is_desc, first)
    if field.type == "text":
        raise illegal(
            f"Text fields are not optimised for operations that require per-document field data like aggregations and"
            f" sorting, so these operations are disabled by default. Please use a keyword field instead, such as [{name}.keyword]"
        )
    if name in scope.snapshot.record.columns.several:
        raise not_offered(f"to sort by [{name}], of which some documents have several values")
    return Key(name, scope.column(field), is_desc, first, field)


def after_of(keys: list[Key], said: Any) -> tuple[Value, ...]:
    """Read after which values a page begins.

    Args:
        keys: By what is sorted.
        said: The value of ``search_after``.
    """
    if not isinstance(said, list) or len(said) != len(keys) or not keys:
        raise illegal(
            f"search_after has {len(said) if isinstance(said, list) else 1} value(s) but sort has {len(keys)}."
        )
    found: list[Value] = []
    for key, value in zip(keys, said, strict=True):
        if value is None or key.field is None:
            if isinstance(value, dict | list):
                raise illegal("a value of search_after is a number or a text")
            found.append(value)
            continue
        try:
            found.append(value_of(key.field, value)[0])
        except (ValueError, IndexError) as e:
            raise illegal(f"Failed to parse search_after value for field [{key.name}]: {e}") from e
    return tuple(found)


def top(
    scope: Scope, query: Query, keys: list[Key], after: tuple[Value, ...] | None, need: int
) -> tuple[list[Hit], int | None]:
    """Return the first documents in order, and how many there are where that is known with them.

    Args:
        scope: The index.
        query: What is found.
        keys: By what is sorted; by the score when there are none.
        after: Begin after these values.
        need: How many documents.
    """
    searcher = scope.snapshot.searcher
    if not keys:
        found = searcher.search(query, need)
        return [Hit(where, score) for score, where in found.hits], _count(found)
    if len(keys) == 1 and keys[0].name == "_score" and keys[0].is_desc and after is None:
        found = searcher.search(query, need)
        return [Hit(where, score, (score,)) for score, where in found.hits], _count(found)
    if after is not None:
        query = _narrowed(scope, query, keys, after)
    first = keys[0]
    if first.column and not first.missing_first:
        is_plain = len(keys) == 1 and after is None
        for many in (need,) if is_plain else (4 * need + 200, 20 * need + 10_000):
            some = _first_by(scope, query, keys, after, many)
            if some is not None and (is_plain or some[1] or len(some[0]) >= need):
                return some[0][:need], None
    return _sorted(scope, query, keys, after)[:need], None


def _narrowed(scope: Scope, query: Query, keys: list[Key], after: tuple[Value, ...]) -> Query:
    """Leave out what comes before a page by its first key, where a column of numbers tells."""
    key, value = keys[0], after[0]
    kind = scope.snapshot.record.columns.kinds.get(
        key.column, "int" if key.column == columns.ROW else ""
    )
    if kind not in ("int", "float") or value is None or key.missing_first:
        return query
    low, high = (None, value) if key.is_desc else (value, None)
    numbers = FieldType.Float if kind == "float" else FieldType.Integer
    rest = Query.range_query(scope.schema, key.column, numbers, low, high)
    if key.field is not None:
        has = Query.term_query(scope.schema, columns.HAS, key.name, "basic")
        without = Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, has)])
        rest = Query.boolean_query([(Occur.Should, rest), (Occur.Should, without)])
    return Query.boolean_query([(Occur.Must, query), (Occur.Must, filtered(rest))])


def _first_by(
    scope: Scope, query: Query, keys: list[Key], after: tuple[Value, ...] | None, many: int
) -> tuple[list[Hit], bool] | None:
    """Take what comes first by the first key, and sort that, with whether this is all; None for keys that it cannot be by."""
    first, searcher = keys[0], scope.snapshot.searcher
    if any(not _is_number(scope, key) for key in keys[1:]):
        return None
    found = searcher.search(
        query, many, count=False, order_by_field=first.column, order=_order(first)
    ).hits
    where = [address for _, address in found]
    others = [searcher.fast_field_values(key.column, where) for key in keys[1:]]
    hits = [
        Hit(address, None, (value, *(column[n] for column in others)))
        for n, (value, address) in enumerate(found)
    ]
    if len(found) == many and len(keys) > 1:
        hits = [
            hit for hit in hits if hit.values[0] != found[-1][0]
        ]  # of the last value, some may be left
    hits = _in_order(hits, keys)
    if after is not None:
        hits = [hit for hit in hits if _is_after(hit.values, after, keys)]
    return hits, len(found) < many


def _is_number(scope: Scope, key: Key) -> bool:
    kinds = scope.snapshot.record.columns.kinds
    return key.column == columns.ROW or kinds.get(key.column) in ("int", "float")


def _order(key: Key) -> Order:
    return Order.Desc if key.is_desc else Order.Asc


def _sorted(
    scope: Scope, query: Query, keys: list[Key], after: tuple[Value, ...] | None
) -> list[Hit]:
    """Sort everything that is found."""
    searcher = scope.snapshot.searcher
    count = count_of(searcher, query)
    if count > MOST_SORTED:
        raise illegal(
            f"{count} documents would be sorted, and {MOST_SORTED} are at once; ask for fewer"
        )
    found = searcher.search(query, max(1, count), count=False).hits
    values: list[dict[tuple[int, int], Value]] = []
    for key in keys:
        by: dict[tuple[int, int], Value] = {}
        if key.column:
            ordered = searcher.search(
                query, max(1, count), count=False, order_by_field=key.column
            ).hits
            by = {(where.segment_ord, where.doc): value for value, where in ordered}
        values.append(by)
    hits = [
        Hit(
            where,
            score,
            tuple(
                score if key.name == "_score" else by.get((where.segment_ord, where.doc))
                for key, by in zip(keys, values, strict=True)
            ),
        )
        for score, where in found
    ]
    if after is not None:
        hits = [hit for hit in hits if _is_after(hit.values, after, keys)]
    return _in_order(hits, keys)


def _in_order(hits: list[Hit], keys: list[Key]) -> list[Hit]:
    for place, key in reversed(list(enumerate(keys))):
        hits.sort(key=lambda hit, p=place, k=key: k.rank(hit.values[p]), reverse=key.is_desc)  # type: ignore[misc]
    return hits


def _is_after(values: tuple[Value, ...], after: tuple[Value, ...], keys: list[Key]) -> bool:
    for value, bound, key in zip(values, after, keys, strict=True):
        mine, its = key.rank(value), key.rank(bound)
        if mine != its:
            try:
                return mine < its if key.is_desc else mine > its
            except TypeError as e:
                raise illegal(
                    f"search_after has a value for [{key.name}] that is of another type"
                ) from e
    return False


def compare(
    keys: list[Key], hits: list[tuple[Hit, Any]], way: Literal["score", "keys"]
) -> list[tuple[Hit, Any]]:
    """Put documents of several indices into one order.

    Args:
        keys: By what is sorted.
        hits: Each with what goes with it.
        way: Whether the keys decide, or the score.
    """
    if way == "score":
        return sorted(hits, key=lambda pair: -(pair[0].score or 0.0))
    for place, key in reversed(list(enumerate(keys))):
        hits.sort(key=lambda pair, p=place, k=key: k.rank(pair[0].values[p]), reverse=key.is_desc)  # type: ignore[misc]
    return hits


def _count(found: tantivy.SearchResult) -> int:
    return int(getattr(found, "count"))  # noqa: B009 - the types of tantivy leave it out


def count_of(searcher: tantivy.Searcher, query: Query) -> int:
    """Return how many documents a query finds."""
    return _count(searcher.search(query, 1))


def shown(key: Key, value: Value) -> Value:
    """Return a value of a key as answers have it; what ``search_after`` takes again."""
    if value is not None and key.field is not None and key.field.type == "boolean":
        return int(value)
    return value
