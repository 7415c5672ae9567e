"""Whatever is written and asked, the answer is what reading all documents one by one gives."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l10_engines.search import changing, dates, mapping, searching
from drystone.l10_engines.search.changing import Op
from drystone.l10_engines.search.drafts import Draft, create
from drystone.l10_engines.search.keeper import WORDS, Keeper
from drystone.l10_engines.search.live import Snapshot

FIELDS = {
    "properties": {
        "k": {"type": "keyword"},
        "n": {"type": "long"},
        "f": {"type": "double"},
        "b": {"type": "boolean"},
        "t": {"type": "text"},
        "d": {"type": "date"},
    }
}
WORDS_USED = ["red", "green", "blue", "Über", "don't"]
keywords = st.sampled_from(["a", "ab", "b", "", "ü", "a*b", "\n"])
numbers = st.sampled_from([-(2**63), -2, 0, 1, 3, 2**63 - 1])
floats = st.sampled_from([-1.5, 0.0, 0.1, 2.0, 1e300])
moments = st.sampled_from(["2024-01-31", "2024-02-29T12:00:00Z", "1969-12-31T23:59:59.999Z"])
texts = st.lists(st.sampled_from(WORDS_USED), max_size=6).map(" ".join)
documents = st.fixed_dictionaries(
    {},
    optional={
        "k": st.one_of(keywords, st.lists(keywords, max_size=3)),
        "n": numbers,
        "f": floats,
        "b": st.booleans(),
        "t": texts,
        "d": moments,
    },
)
names = st.sampled_from(["1", "2", "3", "ä/ö", "5"])


def bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    sides = dict.fromkeys(("gt", "gte", "lt", "lte"), values)
    some = st.fixed_dictionaries({}, optional=sides)
    return some.filter(
        lambda b: b and not {"gt", "gte"} <= b.keys() and not {"lt", "lte"} <= b.keys()
    )


leaves = st.one_of(
    keywords.map(lambda v: {"term": {"k": v}}),
    numbers.map(lambda v: {"term": {"n": v}}),
    floats.map(lambda v: {"term": {"f": v}}),
    st.booleans().map(lambda v: {"term": {"b": v}}),
    st.lists(keywords, min_size=1, max_size=3).map(lambda v: {"terms": {"k": v}}),
    bounds(numbers).map(lambda v: {"range": {"n": v}}),
    bounds(floats).map(lambda v: {"range": {"f": v}}),
    bounds(keywords).map(lambda v: {"range": {"k": v}}),
    bounds(moments).map(lambda v: {"range": {"d": v}}),
    st.sampled_from("knfbtd").map(lambda v: {"exists": {"field": v}}),
    st.sampled_from(["a", "ab", "a*", "ü"]).map(lambda v: {"prefix": {"k": v}}),
    st.sampled_from(["red", "RED blue", "über", "don't", "none"]).map(
        lambda v: {"match": {"t": v}}
    ),
    st.just({"match_all": {}}),
)
queries = st.recursive(
    leaves,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            part: st.lists(inner, max_size=3) for part in ("must", "should", "filter", "must_not")
        },
    ).map(lambda body: {"bool": body}),
    max_leaves=6,
)


def values_of(document: dict[str, Any], field: str) -> list[Any]:
    value = document.get(field)
    return value if isinstance(value, list) else [] if value is None else [value]


def is_found(query: dict[str, Any], document: dict[str, Any]) -> bool:  # noqa: PLR0911 - one for each kind
    ((kind, body),) = query.items()
    if kind == "match_all":
        return True
    if kind == "bool":
        should = [is_found(one, document) for one in body.get("should", [])]
        needed = [*body.get("must", []), *body.get("filter", [])]
        return (
            all(is_found(one, document) for one in needed)
            and not any(is_found(one, document) for one in body.get("must_not", []))
            and (not should or bool(needed) or any(should))
        )
    if kind == "exists":
        return bool(values_of(document, body["field"]))
    ((field, said),) = body.items()
    values = values_of(document, field)
    match kind:
        case "term":
            return said in values
        case "terms":
            return any(value in said for value in values)
        case "prefix":
            return any(value.startswith(said) for value in values)
        case "match":
            words = {word for value in values for word in value.lower().split()}
            return bool(words & set(said.lower().split()))
        case _:
            read = dates.millis if field == "d" else lambda one: one
            tests: dict[str, Any] = {
                "gt": lambda a, b: a > b,
                "gte": lambda a, b: a >= b,
                "lt": lambda a, b: a < b,
                "lte": lambda a, b: a <= b,
            }
            return any(
                all(tests[side](read(v), read(b)) for side, b in said.items()) for v in values
            )


@contextmanager
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="ds-"))
    try:
        yield found
    finally:
        shutil.rmtree(found)


def seen(keeper: Keeper) -> Snapshot:
    """Return the one index as searches see everything that was written."""
    (number,) = keeper.catalog.records
    live = keeper.open(number).result()
    keeper.submit(lambda draft: draft.touched.add(number), visible=True, grows=False).result()
    return live.snapshot


def write(keeper: Keeper, kind: Any, identity: str, document: dict[str, Any]) -> str:
    op = Op(kind, "all", identity, b"" if kind == "delete" else msgspec.json.encode(document))
    return keeper.submit(lambda draft: changing.apply(draft, op)).result().result


def make(draft: Draft) -> None:
    create(draft, "all", mapping.read(FIELDS), {"index.refresh_interval": "-1"})


def found_by(keeper: Keeper, snapshot: Snapshot, query: Any) -> set[str]:
    answer = searching.search([snapshot], keeper.store, {"query": query, "size": 100})
    return {hit["_id"] for hit in answer["hits"]["hits"]}


@settings(max_examples=6, deadline=None)
@given(st.lists(documents, max_size=12), st.lists(queries, min_size=1, max_size=12))
def test_a_query_finds_what_reading_everything_finds(
    said: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> None:
    with folder() as place:
        keeper = Keeper(place, 1 << 40)
        try:
            keeper.submit(make).result()
            for number, document in enumerate(said):
                write(keeper, "index", str(number), document)
            snapshot = seen(keeper)
            for query in asked:
                expected = {str(n) for n, document in enumerate(said) if is_found(query, document)}
                assert found_by(keeper, snapshot, query) == expected, query
        finally:
            keeper.close()


steps: st.SearchStrategy[tuple[str, str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("index"), names, documents),
    st.tuples(st.just("delete"), names, st.just({})),
    st.tuples(st.sampled_from(["refresh", "again", "lose"]), st.just(""), st.just({})),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(steps, max_size=20))
def test_what_is_found_is_what_was_written_through_restarts_and_lost_indices_of_words(
    walk: list[tuple[str, str, dict[str, Any]]],
) -> None:
    model: dict[str, dict[str, Any]] = {}
    with folder() as place:
        keeper = Keeper(place, 1 << 40)
        try:
            keeper.submit(make).result()
            for kind, identity, document in walk:
                if kind == "index":
                    result = write(keeper, "index", identity, document)
                    assert result == ("updated" if identity in model else "created")
                    model[identity] = document
                elif kind == "delete":
                    result = write(keeper, "delete", identity, {})
                    assert result == ("deleted" if identity in model else "not_found")
                    model.pop(identity, None)
                elif kind == "refresh":
                    assert found_by(keeper, seen(keeper), {"match_all": {}}) == model.keys()
                else:
                    keeper.close()
                    if kind == "lose":
                        shutil.rmtree(place / WORDS)
                    keeper = Keeper(place, 1 << 40)
            snapshot = seen(keeper)
            assert found_by(keeper, snapshot, {"match_all": {}}) == model.keys()
            for identity, document in model.items():
                held = keeper.store.get(snapshot.record.number, identity)
                assert held is not None
                assert msgspec.json.decode(held.source) == document
        finally:
            keeper.close()


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_moment_is_read_as_it_was_written(when: datetime) -> None:
    moment = dates.since(when.replace(tzinfo=UTC))
    assert dates.millis(dates.text(moment)) == moment
    assert dates.millis(moment) == moment
    shifted = (when + timedelta(hours=5, minutes=30)).strftime(
        "%Y-%m-%dT%H:%M:%S."
    ) + f"{moment % 1000:03d}+05:30"
    assert dates.millis(shifted) == moment
    for unit in "yMwdhms":
        begun = dates.begin(when.replace(tzinfo=UTC), unit)
        assert begun <= when.replace(tzinfo=UTC) < dates.after(begun, unit, 1)
