"""Texts that others write: YAML of several documents and with short tags, and JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l00_kernel.yaml_text.json_text import read_json
from drystone.l00_kernel.yaml_text.reader import Documents, read_documents
from drystone.l00_kernel.yaml_text.subject import Dialect, Subject
from drystone.l00_kernel.yaml_text.tree import Mapping, plain

THING = Subject(
    name="thing", begin="begin", too_large="divide it", most_bytes=10_000, most_values=500
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def yaml(text: str | bytes, dialect: Dialect | None = None) -> Documents:
    return read_documents(text, "x.yaml", THING, dialect or Dialect())


def told(found: Documents) -> list[str]:
    return [f"{one.line}:{one.column}: {one.message}" for one in found.problems]


def test_every_document_is_read_and_empty_ones_are_left_out() -> None:
    found = yaml("# only a word\n---\na: 1\n---\n---\n- b\n...\n")
    assert [plain(root) for root in found.roots] == [{"a": 1}, ["b"]]
    assert not found.problems
    assert not found.is_cut


def test_documents_before_a_mistake_are_kept_and_the_mistake_is_told() -> None:
    found = yaml("a: 1\n---\nb: [1,\n---\nc: 1\n")
    assert [plain(root) for root in found.roots] == [{"a": 1}]
    assert found.is_cut
    assert told(found)[0].startswith("4:1: this is not YAML")


def test_an_anchor_ends_with_its_document() -> None:
    found = yaml("a: &x 1\n---\nb: *x\n")
    assert told(found) == ["3:4: '*x' stands for nothing: no '&x' comes before it"]


def test_short_tags_stand_for_their_long_form() -> None:
    dialect = Dialect(tags={"!Ref": "Ref", "!Join": "Fn::Join"})
    found = yaml("a: !Ref 1\nb: !Join [x, !Ref y]\nc: !Other z\n", dialect)
    assert plain(found.roots[0]) == {
        "a": {"Ref": "1"},
        "b": {"Fn::Join": ["x", {"Ref": "y"}]},
        "c": "z",
    }
    assert told(found) == ["3:4: the tag '!Other' is not allowed"]


def test_numbers_may_be_keys_where_the_dialect_says_so() -> None:
    assert plain(yaml("80: a\ntrue: b\n", Dialect(any_key=True)).roots[0]) == {
        "80": "a",
        "true": "b",
    }
    assert len(yaml("80: a\n").problems) == 1


def test_many_documents_are_limited_like_one() -> None:
    found = yaml("---\n- a\n- b\n" * 400)
    assert found.is_cut
    assert len(found.roots) < 200
    assert "more than 500 values" in told(found)[0]


@settings(max_examples=50)
@given(VALUES, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(
    value: object, indent: int | str | None, escaped: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    found = read_json(text, "x.json", THING)
    assert not found.problems
    assert plain(found.roots[0]) == value


def test_what_stands_in_json_knows_its_place() -> None:
    found = read_json('{"a": 1,\r\n\t"b": [true,\n  {"c": "\\u00e4"}]}', "x.json", THING)
    (root,) = found.roots
    assert isinstance(root, Mapping)
    assert root.entries["b"].key.line == 2
    assert root.entries["b"].key.column == 2
    assert plain(root) == {"a": 1, "b": [True, {"c": "ä"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the end comes before the value is complete; was the file cut?"),
        ('{"a": [1', "1:9: the end comes before the value is complete; was the file cut?"),
        ('{"a": "x', "1:7: this is not JSON"),
        ("{} {}", "1:4: more stands behind the end of the value"),
        ("[1,]", "1:4: ']' is not expected here"),
        ("[1 2]", "1:4: a value is not expected here"),
        ('{"a" 1}', "1:6: a value is not expected here"),
        ('{"a":}', "1:6: '}' is not expected here"),
        ("{1: 2}", "1:2: a value is not expected here"),
        ("[:]", "1:2: ':' is not expected here"),
        ("]", "1:1: ']' is not expected here"),
        ('{"a": 1,\n"a": 2}', "2:1: the key 'a' stands twice; the first is in line 1"),
        ('"\\x"', "1:1: a backslash starts nothing that JSON knows"),
        ("[" * 100, "1:51: values are nested more than 50 deep"),
        ("[" + "1," * 1000 + "1]", "1:1000: the thing has more than 500 values"),
        (b"\xff\xfe[\0", "1:1: the file is UTF-16"),
        (b'"\xe4"', "1:2: the file is not UTF-8 here"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(text: str | bytes, message: str) -> None:
    assert told(read_json(text, "x.json", THING)) == [message]


@given(st.text(alphabet='{}[],:"\\ \n\t1truenlx\ud800é') | st.binary())
def test_whatever_is_read_as_json_the_answer_is_a_value_or_problems(text: str | bytes) -> None:
    found = read_json(text, "x.json", THING)
    assert found.problems if found.is_cut else found.roots
