"""What queries find, in which order, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from opensearchpy import OpenSearch, TransportError, helpers

BOOKS: dict[str, dict[str, Any]] = {
    "1": {
        "title": "The quick brown fox",
        "tags": ["animal", "classic"],
        "pages": 10,
        "price": 1.5,
        "at": "2024-01-15",
        "sold": True,
        "by": {"name": "Ann"},
    },
    "2": {
        "title": "Quick foxes and lazy dogs",
        "tags": ["animal"],
        "pages": 20,
        "price": 2.5,
        "at": "2024-02-20T10:00:00Z",
        "sold": False,
        "by": {"name": "Bob"},
    },
    "3": {
        "title": "A brown study",
        "tags": ["study"],
        "pages": 30,
        "price": -1.0,
        "at": "2024-04-01",
        "by": {"name": "Ann"},
    },
    "4": {"title": "Über Höhlen und Bären", "pages": 30, "price": 9.25},
}

MAPPINGS = {
    "properties": {
        "title": {
            "type": "text",
            "fields": {
                "keyword": {"type": "keyword"},
                "en": {"type": "text", "analyzer": "english"},
            },
        },
        "tags": {"type": "keyword"},
        "pages": {"type": "integer"},
        "price": {"type": "double"},
        "at": {"type": "date"},
        "sold": {"type": "boolean"},
        "by": {"properties": {"name": {"type": "keyword"}}},
    }
}


@pytest.fixture(scope="session")
def books(client: OpenSearch) -> Iterator[str]:
    client.indices.create(index="books", body={"mappings": MAPPINGS})
    helpers.bulk(
        client, [{"_index": "books", "_id": i, **b} for i, b in BOOKS.items()], refresh=True
    )
    yield "books"
    client.indices.delete(index="books")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"match_all": {}}, "1234"),
        ({"match_none": {}}, ""),
        ({"match": {"title": "quick study"}}, "123"),
        ({"match": {"title": {"query": "quick brown", "operator": "and"}}}, "1"),
        ({"match": {"title": {"query": "quick brown lazy", "minimum_should_match": 2}}}, "12"),
        ({"match": {"title": {"query": "quik", "fuzziness": "AUTO"}}}, "12"),
        ({"match": {"title.en": "fox"}}, "12"),
        ({"match": {"title": "bären"}}, "4"),
        ({"match": {"pages": "30"}}, "34"),
        ({"match_phrase": {"title": "quick brown"}}, "1"),
        ({"match_phrase": {"title": {"query": "quick fox", "slop": 1}}}, "1"),
        ({"match_phrase_prefix": {"title": "brown st"}}, "3"),
        ({"multi_match": {"query": "brown Ann", "fields": ["title^2", "by.*"]}}, "13"),
        ({"multi_match": {"query": "brown st", "fields": ["title"], "type": "phrase_prefix"}}, "3"),
        ({"term": {"tags": "animal"}}, "12"),
        ({"term": {"by.name": {"value": "Ann"}}}, "13"),
        ({"term": {"sold": True}}, "1"),
        ({"term": {"at": "2024-01-15T00:00:00Z"}}, "1"),
        ({"term": {"_id": "3"}}, "3"),
        ({"term": {"nowhere": 1}}, ""),
        ({"terms": {"tags": ["classic", "study"]}}, "13"),
        ({"terms": {"pages": list(range(11, 40))}}, "234"),
        ({"ids": {"values": ["1", "4", "9"]}}, "14"),
        ({"range": {"pages": {"gt": 10, "lte": 30}}}, "234"),
        ({"range": {"pages": {"gt": 10.5, "lt": 29.5}}}, "2"),
        ({"range": {"price": {"lt": 0}}}, "3"),
        ({"range": {"at": {"gte": "2024-02-01||/M", "lt": "2024-02-01||+1M/M"}}}, "2"),
        ({"range": {"at": {"lte": "now"}}}, "123"),
        ({"range": {"tags": {"gte": "b", "lt": "study"}}}, "1"),
        ({"exists": {"field": "by"}}, "123"),
        ({"exists": {"field": "sold"}}, "12"),
        ({"prefix": {"tags": "an"}}, "12"),
        ({"wildcard": {"title.keyword": "*brown*"}}, "13"),
        ({"wildcard": {"by.name": {"value": "a?n", "case_insensitive": True}}}, "13"),
        ({"regexp": {"tags": "s.*y|classic"}}, "13"),
        ({"bool": {"must_not": {"term": {"pages": 30}}}}, "12"),
        (
            {
                "bool": {
                    "filter": [{"term": {"pages": 30}}],
                    "should": [{"match": {"title": "brown"}}],
                }
            },
            "34",
        ),
        ({"bool": {"should": [{"term": {"pages": 10}}, {"term": {"pages": 20}}]}}, "12"),
        (
            {
                "bool": {
                    "should": [{"match": {"title": w}} for w in ("quick", "brown", "fox")],
                    "minimum_should_match": "75%",
                }
            },
            "1",
        ),
        ({"constant_score": {"filter": {"term": {"tags": "study"}}}}, "3"),
        ({"dis_max": {"queries": [{"term": {"pages": 10}}, {"term": {"tags": "study"}}]}}, "13"),
        ({"query_string": {"query": "title:(quick AND NOT lazy) OR pages:>=30"}}, "134"),
        ({"query_string": {"query": 'title:"quick brown" tags:stu*'}}, "13"),
        ({"query_string": {"query": "+brown -study", "default_field": "title"}}, "1"),
        ({"query_string": {"query": "price:[2 TO 3} OR _exists_:sold"}}, "12"),
        (
            {
                "simple_query_string": {
                    "query": 'quick + fox* | "brown study" (',
                    "fields": ["title"],
                }
            },
            "123",
        ),
    ],
)
def test_what_a_query_finds(client: OpenSearch, books: str, query: Any, found: str) -> None:
    answer = client.search(index=books, body={"query": query})
    assert "".join(sorted(hit["_id"] for hit in answer["hits"]["hits"])) == found
    assert answer["hits"]["total"] == {"value": len(found), "relation": "eq"}
    assert client.count(index=books, body={"query": query})["count"] == len(found)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (["pages", {"price": "desc"}], "1243"),
        ([{"price": "desc"}], "4213"),
        ([{"at": {"order": "desc", "missing": "_last"}}], "3214"),
        ([{"at": {"order": "asc", "missing": "_first"}}], "4123"),
        ([{"by.name": "desc"}, "pages"], "2134"),
        (["title.keyword"], "3214"),
        ([{"nowhere": {"unmapped_type": "long"}}, {"_id": "desc"}], "4321"),
    ],
)
def test_in_which_order(client: OpenSearch, books: str, sort: Any, order: str) -> None:
    whole = client.search(index=books, body={"sort": sort})["hits"]["hits"]
    assert "".join(hit["_id"] for hit in whole) == order
    after: dict[str, Any] = {}
    walked = ""
    for _ in range(5):
        page = client.search(index=books, body={"sort": sort, "size": 1, **after})["hits"]["hits"]
        if page:
            walked += page[0]["_id"]
            after = {"search_after": page[0]["sort"]}
    assert walked == order


def test_shorter_titles_with_more_of_the_words_come_first(client: OpenSearch, books: str) -> None:
    found = client.search(index=books, body={"query": {"match": {"title": "brown study"}}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["3", "1"]
    assert found["hits"]["max_score"] == found["hits"]["hits"][0]["_score"] > 0


def test_numbers_by_groups(client: OpenSearch, books: str) -> None:
    aggs = {
        "tags": {"terms": {"field": "tags"}, "aggs": {"pages": {"sum": {"field": "pages"}}}},
        "months": {"date_histogram": {"field": "at", "calendar_interval": "month"}},
        "days": {"date_histogram": {"field": "at", "fixed_interval": "30d", "min_doc_count": 1}},
        "pages": {"histogram": {"field": "pages", "interval": 20}},
        "sold": {"terms": {"field": "sold"}},
        "prices": {"range": {"field": "price", "ranges": [{"to": 0}, {"from": 2, "to": 3}]}},
        "average": {"avg": {"field": "price"}},
        "first": {"min": {"field": "at"}},
        "most": {"max": {"field": "price"}},
        "some": {"value_count": {"field": "tags"}},
        "names": {"cardinality": {"field": "by.name"}},
        "nothing": {"avg": {"field": "nowhere"}},
    }
    answer = client.search(index=books, body={"size": 0, "aggs": aggs})
    assert answer["hits"]["hits"] == []
    found = answer["aggregations"]
    tags = [(b["key"], b["doc_count"], b["pages"]["value"]) for b in found["tags"]["buckets"]]
    assert tags == [("animal", 2, 30.0), ("classic", 1, 10.0), ("study", 1, 30.0)]
    months = [(b["key_as_string"][:7], b["doc_count"]) for b in found["months"]["buckets"]]
    assert months == [("2024-01", 1), ("2024-02", 1), ("2024-03", 0), ("2024-04", 1)]
    assert sum(b["doc_count"] for b in found["days"]["buckets"]) == 3
    assert [(b["key"], b["doc_count"]) for b in found["pages"]["buckets"]] == [(0, 1), (20, 3)]
    assert {b["key_as_string"]: b["doc_count"] for b in found["sold"]["buckets"]} == {
        "true": 1,
        "false": 1,
    }
    assert [b["doc_count"] for b in found["prices"]["buckets"]] == [1, 1]
    assert found["average"]["value"] == pytest.approx(12.25 / 4)
    assert found["first"]["value_as_string"] == "2024-01-15T00:00:00.000Z"
    assert (found["most"]["value"], found["some"]["value"], found["names"]["value"]) == (9.25, 4, 2)
    assert found["nothing"]["value"] is None


def test_what_was_sought_is_marked(client: OpenSearch, books: str) -> None:
    body = {
        "query": {
            "bool": {"must": {"match": {"title": "FOX"}}, "must_not": {"match": {"title": "lazy"}}}
        },
        "highlight": {"fields": {"title": {}}, "pre_tags": ["<b>"], "post_tags": ["</b>"]},
    }
    (hit,) = client.search(index=books, body=body)["hits"]["hits"]
    assert hit["highlight"] == {"title": ["The quick brown <b>fox</b>"]}


def test_the_beginning_of_a_word_is_marked_and_no_pattern_holds_a_search_up(
    client: OpenSearch, books: str
) -> None:
    marks: dict[str, Any] = {"fields": {"title": {}}}
    prefix = {"query": {"match_phrase_prefix": {"title": "quick br"}}, "highlight": marks}
    (hit,) = client.search(index=books, body=prefix)["hits"]["hits"]
    assert hit["highlight"] == {"title": ["The <em>quick</em> <em>brown</em> fox"]}
    for regex in ("(q+)+(u+)+.*", "(.*)*k", "([a-z]+)*"):
        body = {"query": {"regexp": {"title": regex}}, "highlight": marks}
        assert client.search(index=books, body=body)["hits"]["hits"]


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        (False, None),
        (["by.name", "pages"], {"pages": 10, "by": {"name": "Ann"}}),
        ({"includes": ["p*"], "excludes": ["pages"]}, {"price": 1.5}),
    ],
)
def test_an_answer_holds_what_is_wanted(
    client: OpenSearch, books: str, wanted: Any, held: Any
) -> None:
    body = {"query": {"ids": {"values": ["1"]}}, "_source": wanted}
    (hit,) = client.search(index=books, body=body)["hits"]["hits"]
    assert hit.get("_source") == held


def test_several_searches_are_answered_each_for_itself(client: OpenSearch, books: str) -> None:
    lines: list[dict[str, Any]] = [
        {"index": books},
        {"query": {"match_all": {}}, "size": 1},
        {"index": "nowhere"},
        {},
    ]
    first, second = (dict(cast("Any", one)) for one in client.msearch(body=lines)["responses"])
    assert first["hits"]["total"]["value"] == 4
    assert second["error"]["type"] == "index_not_found_exception"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"query": {"nested": {"path": "a"}}}, "nested"),
    ({"query": {"match": {"title": {"query": "a", "cutoff_frequency": 1}}}}, "cutoff_frequency"),
    ({"query": {"term": {"tags": "a"}, "match_all": {}}}, "one key"),
    ({"suggest": {}}, "suggest"),
    ({"size": 10001}, "Result window"),
    ({"from": -1}, "negative"),
    ({"sort": ["title"]}, "keyword"),
    ({"sort": ["tags"]}, "several values"),
    ({"sort": ["nowhere"]}, "No mapping found"),
    ({"aggs": {"a": {"percentiles": {"field": "pages"}}}}, "percentiles"),
    ({"aggs": {"a": {"terms": {"field": "title"}}}}, "keyword"),
    ({"aggs": {"a": {"histogram": {"field": "pages", "interval": 0.0001}}}}, "buckets"),
    ({"query": {"regexp": {"tags": "(((a{100}){100}){100})"}}}, "size limit"),
    ({"query": {"wildcard": {"tags": "a" * 2000}}}, "characters"),
    (
        {"query": {"bool": {"should": [{"term": {"pages": n}} for n in range(1100)]}}},
        "maxClauseCount",
    ),
    ({"query": {"range": {"pages": {"gte": "many"}}}}, "failed to create query"),
    ({"query": {"range": {"title": {"gte": "a"}}}}, "keyword"),
    ({"query": {"bool": {"must": "text"}}}, "object"),
    ({"search_after": [1]}, "search_after"),
]


@pytest.mark.parametrize(("body", "why"), REFUSED)
def test_what_is_not_offered_is_refused_by_its_name(
    client: OpenSearch, books: str, body: dict[str, Any], why: str
) -> None:
    with pytest.raises(TransportError) as refused:
        client.search(index=books, body=body)
    assert refused.value.status_code in (400, 503)
    said = cast("dict[str, Any]", refused.value.info)["error"]
    assert why in said["reason"]
    assert said["root_cause"]


def test_queries_in_each_other_without_end_are_refused(client: OpenSearch, books: str) -> None:
    query: dict[str, Any] = {"match_all": {}}
    for _ in range(200):
        query = {"bool": {"must": [query]}}
    with pytest.raises(TransportError, match="deep"):
        client.search(index=books, body={"query": query})
