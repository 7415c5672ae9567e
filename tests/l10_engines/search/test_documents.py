"""Documents and indices, as the public client sees them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opensearchpy import ConflictError, NotFoundError, OpenSearch, RequestError, helpers


def test_a_document_is_there_at_once_and_found_after_a_refresh(
    client: OpenSearch, index: str
) -> None:
    client.indices.create(index=index, body={"settings": {"refresh_interval": "-1"}})
    assert client.count(index=index)["count"] == 0
    made = client.index(index=index, id="a/ü b", body={"title": "Hello world"})
    assert (made["result"], made["_version"], made["_seq_no"]) == ("created", 1, 0)
    assert client.get(index=index, id="a/ü b")["_source"] == {"title": "Hello world"}
    assert client.count(index=index)["count"] == 0
    client.indices.refresh(index=index)
    found = client.search(index=index, body={"query": {"match": {"title": "HELLO"}}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["a/ü b"]


def test_what_is_written_is_found_within_a_while_without_asking(
    client: OpenSearch, index: str
) -> None:
    client.index(index=index, id="1", body={"n": 1}, refresh="wait_for")
    assert client.count(index=index)["count"] == 1


def test_a_field_that_is_added_can_be_used_at_once(client: OpenSearch, index: str) -> None:
    client.index(index=index, id="1", body={"n": 1}, refresh=True)
    assert client.count(index=index)["count"] == 1
    client.indices.put_mapping(index=index, body={"properties": {"later": {"type": "date"}}})
    found = client.search(index=index, body={"sort": ["later"]})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]


def test_a_replaced_document_is_found_once_and_a_deleted_one_not(
    client: OpenSearch, index: str
) -> None:
    for n in range(3):
        client.index(index=index, id="1", body={"n": n}, refresh=True)
    assert client.get(index=index, id="1")["_version"] == 3
    assert client.count(index=index)["count"] == 1
    assert client.count(index=index, body={"query": {"term": {"n": 1}}})["count"] == 0
    assert client.delete(index=index, id="1", refresh=True)["result"] == "deleted"
    assert client.count(index=index)["count"] == 0
    with pytest.raises(NotFoundError):
        client.get(index=index, id="1")
    with pytest.raises(NotFoundError):
        client.delete(index=index, id="1")
    client.index(index=index, id="1", body={"n": 9}, refresh=True)
    assert client.count(index=index)["count"] == 1


def test_a_change_with_an_old_expectation_is_refused(client: OpenSearch, index: str) -> None:
    first = client.index(index=index, id="1", body={"n": 1})
    expected = {"if_seq_no": first["_seq_no"], "if_primary_term": first["_primary_term"]}
    client.index(index=index, id="1", body={"n": 2}, params=expected)
    with pytest.raises(ConflictError):
        client.index(index=index, id="1", body={"n": 3}, params=expected)
    with pytest.raises(ConflictError):
        client.delete(index=index, id="1", params=expected)
    with pytest.raises(ConflictError):
        client.create(index=index, id="1", body={})
    assert client.get(index=index, id="1")["_source"] == {"n": 2}


def test_of_many_writers_with_one_expectation_one_wins(client: OpenSearch, index: str) -> None:
    first = client.index(index=index, id="1", body={"n": 0})
    expected = {"if_seq_no": first["_seq_no"], "if_primary_term": 1}
    begin = threading.Barrier(6)

    def write(n: int) -> bool:
        begin.wait()
        try:
            client.index(index=index, id="1", body={"n": n}, params=expected)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(write, range(6))) == 1


def test_an_update_merges_and_says_when_nothing_changes(client: OpenSearch, index: str) -> None:
    client.index(index=index, id="1", body={"a": {"b": 1, "c": 2}, "l": [1, 2]})
    said = {"doc": {"a": {"c": 3}, "l": [9]}}
    assert client.update(index=index, id="1", body=said)["result"] == "updated"
    assert client.get(index=index, id="1")["_source"] == {"a": {"b": 1, "c": 3}, "l": [9]}
    assert client.update(index=index, id="1", body=said)["result"] == "noop"
    with pytest.raises(NotFoundError):
        client.update(index=index, id="2", body=said)
    upsert = {"doc": {"x": 1}, "doc_as_upsert": True}
    assert client.update(index=index, id="2", body=upsert)["result"] == "created"
    with pytest.raises(RequestError, match="script"):
        client.update(index=index, id="1", body={"script": "ctx.x = 1"})


def test_each_write_of_many_is_answered_for_itself(client: OpenSearch, index: str) -> None:
    client.indices.create(index=index, body={"mappings": {"properties": {"n": {"type": "long"}}}})
    lines = [
        {"index": {"_id": "1"}},
        {"n": 1},
        {"create": {"_id": "1"}},
        {"n": 2},
        {"index": {"_id": "2"}},
        {"n": "no number"},
        {"update": {"_id": "9"}},
        {"doc": {"n": 1}},
        {"delete": {"_id": "nobody"}},
        {"index": {"_id": "3", "routing": "x"}},
        {"n": 3},
    ]
    found = client.bulk(index=index, body=lines, refresh=True)
    kinds = [next(iter(item)) for item in found["items"]]
    statuses = [next(iter(item.values()))["status"] for item in found["items"]]
    assert kinds == ["index", "create", "index", "update", "delete", "index"]
    assert statuses == [201, 409, 400, 404, 404, 400]
    assert found["errors"] is True
    assert client.count(index=index)["count"] == 1


def test_ten_megabytes_at_once_are_taken(client: OpenSearch, index: str) -> None:
    text = "word " * 1000
    some: list[dict[str, Any]] = [{"_index": index, "_id": str(n), "t": text} for n in range(2100)]
    done, _ = helpers.bulk(client, some, chunk_size=3000, max_chunk_bytes=30_000_000, refresh=True)
    assert done == 2100
    assert client.count(index=index)["count"] == 2100
    got = client.mget(index=index, body={"ids": ["5", "nobody"]})["docs"]
    assert [one["found"] for one in got] == [True, False]


def test_fields_are_learnt_and_keep_their_type(client: OpenSearch, index: str) -> None:
    said = {"a": {"b": 1}, "t": "x", "f": 1.5, "d": "2024-05-06T07:08:09Z", "y": True, "l": [1, 2]}
    client.index(index=index, id="1", body=said, refresh=True)
    fields = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert fields["a"] == {"properties": {"b": {"type": "long"}}}
    assert {name: fields[name]["type"] for name in ("t", "f", "d", "y", "l")} == {
        "t": "text",
        "f": "float",
        "d": "date",
        "y": "boolean",
        "l": "long",
    }
    with pytest.raises(RequestError, match="mapper_parsing_exception"):
        client.index(index=index, id="2", body={"a": 5})
    with pytest.raises(RequestError, match="mapper_parsing_exception"):
        client.index(index=index, id="2", body={"f": "much"})
    with pytest.raises(RequestError, match="cannot be changed"):
        client.indices.put_mapping(index=index, body={"properties": {"f": {"type": "keyword"}}})


def test_more_fields_than_were_foreseen_are_found_too(client: OpenSearch, index: str) -> None:
    client.index(index=index, id="0", body={"t": "first"}, refresh=True)
    for n in range(40):
        client.index(index=index, id=str(n + 1), body={f"k{n}": f"word{n}", f"n{n}": n})
    client.indices.refresh(index=index)
    assert client.count(index=index)["count"] == 41
    for n in (0, 20, 39):
        both = [{"match": {f"k{n}": f"word{n}"}}, {"term": {f"n{n}": n}}]
        found = client.search(index=index, body={"query": {"bool": {"must": both}}})
        assert [hit["_id"] for hit in found["hits"]["hits"]] == [str(n + 1)]
    assert client.count(index=index, body={"query": {"match": {"t": "first"}}})["count"] == 1


def test_an_alias_moves_from_one_index_to_another_at_once(client: OpenSearch, index: str) -> None:
    old, new, alias = f"{index}-1", f"{index}-2", f"{index}-now"
    for name in (old, new):
        client.indices.create(index=name)
        client.index(index=name, id="1", body={"of": name}, refresh=True)
    client.indices.put_alias(index=old, name=alias)
    assert client.get(index=alias, id="1")["_index"] == old
    swap = {
        "actions": [
            {"remove": {"index": old, "alias": alias}},
            {"add": {"index": new, "alias": alias, "is_write_index": True}},
        ]
    }
    client.indices.update_aliases(body=swap)
    assert client.get(index=alias, id="1")["_index"] == new
    assert client.index(index=alias, id="2", body={})["_index"] == new
    broken = {
        "actions": [
            {"remove": {"index": new, "alias": alias}},
            {"add": {"index": new, "alias": old}},
        ]
    }
    with pytest.raises(RequestError):
        client.indices.update_aliases(body=broken)
    assert client.indices.exists_alias(name=alias)
    with pytest.raises(RequestError):
        client.indices.delete(index=alias)


def test_what_a_query_finds_is_deleted(client: OpenSearch, index: str) -> None:
    some = [{"_index": index, "_id": str(n), "even": n % 2 == 0} for n in range(50)]
    helpers.bulk(client, some, refresh=True)
    body = {"query": {"term": {"even": True}}}
    assert client.delete_by_query(index=index, body=body, refresh=True)["deleted"] == 25
    assert client.count(index=index)["count"] == 25


def test_all_documents_are_walked_through_while_they_change(client: OpenSearch, index: str) -> None:
    some = [{"_index": index, "_id": str(n), "n": n} for n in range(500)]
    helpers.bulk(client, some, refresh=True)
    seen = []
    for hit in helpers.scan(client, index=index, size=50):
        seen.append(hit["_id"])
        if len(seen) == 60:
            helpers.bulk(client, [{**one, "n": -1} for one in some], refresh=True)
            client.index(index=index, id="new", body={"n": 1}, refresh=True)
    assert sorted(seen, key=int) == [str(n) for n in range(500)]
