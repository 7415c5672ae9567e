from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.ari import (
    LENGTH_LIMIT,
    Ari,
    AriPattern,
    AriText,
    MalformedAri,
    TypeRegistry,
    UnknownResourceType,
    escape,
    unescape,
)

words = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
containers = st.from_regex(r"[A-Za-z0-9._~-]{0,20}", fullmatch=True)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda text: text not in {".", ".."}
)
ids = st.lists(names.map(escape), min_size=1, max_size=4).map("/".join)
aris = st.builds(Ari, words, containers, words, ids)


@given(aris)
def test_an_ari_reads_as_it_was_written(ari: Ari) -> None:
    assert Ari.parse(str(ari)) == ari
    assert msgspec.convert(str(ari), AriText) == str(ari)


@given(names)
def test_any_text_can_be_a_segment_and_comes_back(text: str) -> None:
    segment = escape(text)
    assert unescape(segment) == text
    assert Ari("jira", "", "issue", segment).segments == (segment,)


@given(aris, aris)
def test_equal_text_means_equal_resource(one: Ari, other: Ari) -> None:
    assert (one == other) == (str(one) == str(other))
    assert one != other or hash(one) == hash(other)
    assert (one < other) == (msgspec.structs.astuple(one) < msgspec.structs.astuple(other))


@given(st.text(max_size=40) | st.from_regex(r"ari:cloud:[a-z*:/%.]{0,30}", fullmatch=True))
def test_any_text_is_an_ari_or_is_refused_by_name(text: str) -> None:
    try:
        ari = Ari.parse(text)
    except MalformedAri:
        return
    assert str(ari) == text


def test_the_public_form_is_understood() -> None:
    ari = Ari.parse("ari:cloud:jira:0b2f1c1e-1111-4b2b-8a6d-f0f0f0f0f0f0:issue/10001")
    assert (ari.product, ari.type, ari.id) == ("jira", "issue", "10001")
    ari = Ari.parse("ari:cloud:graph::service/a:b/c%2Fd")
    assert (ari.container, ari.segments) == ("", ("a:b", "c%2Fd"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ari:cloud:jira:issue/1",
        "arn:cloud:jira::issue/1",
        "ari:cloud:Jira::issue/1",
        "ari:cloud:jira::issue",
        "ari:cloud:jira::issue/",
        "ari:cloud:jira::/1",
        "ari:cloud:::issue/1",
        "ari:cloud:jira:a b:issue/1",
        "ari:cloud:jira::issue/a//b",
        "ari:cloud:jira::issue/../b",
        "ari:cloud:jira::issue/.",
        "ari:cloud:jira::issue/a b",
        "ari:cloud:jira::issue/*",
        "ari:cloud:jira::issue/%2f",
        "ari:cloud:jira::issue/%41",
        "ari:cloud:jira::issue/%FF",
        "ari:cloud:jira::issue/%2E%2E",
        "ari:cloud:jira::issue/100%",
        "ari:cloud:jira::issue/1\n",
        "ari:cloud:jira::issue/" + "x" * LENGTH_LIMIT,
    ],
)
def test_what_is_no_ari_is_refused(text: str) -> None:
    with pytest.raises(MalformedAri):
        Ari.parse(text)


def test_an_ari_of_wrong_parts_cannot_be_made() -> None:
    with pytest.raises(MalformedAri, match="container"):
        Ari("jira", "a:b", "issue", "1")


@pytest.mark.parametrize("text", ["", ".", "..", "\ud800"])
def test_what_no_segment_can_stand_for_is_refused(text: str) -> None:
    with pytest.raises(MalformedAri):
        escape(text)


@given(aris)
def test_an_ari_is_the_pattern_of_itself(ari: Ari) -> None:
    pattern = AriPattern.parse(str(ari))
    assert pattern.matches(ari)
    assert str(pattern) == str(ari)


@given(aris, aris)
def test_a_literal_pattern_matches_nothing_else(one: Ari, other: Ari) -> None:
    assert AriPattern.parse(str(one)).matches(other) == (one == other)


@given(aris, st.data())
def test_wildcards_only_widen_a_pattern(ari: Ari, data: st.DataObject) -> None:
    def maybe(part: str) -> str:
        return data.draw(st.sampled_from([part, "*"]))

    segments = [maybe(segment) for segment in ari.segments]
    if data.draw(st.booleans()):
        segments[data.draw(st.integers(0, len(segments) - 1)) :] = ["**"]
    pattern = AriPattern(
        maybe(ari.product), maybe(ari.container), maybe(ari.type), "/".join(segments)
    )
    assert pattern.matches(ari)
    assert AriPattern.parse(str(pattern)) == pattern


@pytest.mark.parametrize(
    ("pattern", "ari", "expected"),
    [
        ("ari:cloud:*:*:*/**", "ari:cloud:jira::issue/1/2/3", True),
        ("ari:cloud:jira:*:issue/*", "ari:cloud:jira:eu:issue/1/2", False),
        ("ari:cloud:jira:*:issue/*/2", "ari:cloud:jira:eu:issue/1/2", True),
        ("ari:cloud:jira:*:issue/1/**", "ari:cloud:jira:eu:issue/1", False),
        ("ari:cloud:jira:*:issue/1/**", "ari:cloud:jira:eu:issue/1/2/3", True),
        ("ari:cloud:jira:*:issue/2/**", "ari:cloud:jira:eu:issue/1/2", False),
        ("ari:cloud:jira::issue/*", "ari:cloud:jira:eu:issue/1", False),
        ("ari:cloud:jira:eu:*/1", "ari:cloud:compass:eu:issue/1", False),
    ],
)
def test_wildcards_stand_for_whole_parts(pattern: str, ari: str, expected: bool) -> None:
    assert AriPattern.parse(pattern).matches(Ari.parse(ari)) is expected


@pytest.mark.parametrize("identity", ["**/1", "a*", "*/**/b", "a/", "***"])
def test_a_wildcard_elsewhere_is_refused(identity: str) -> None:
    with pytest.raises(MalformedAri):
        AriPattern.parse(f"ari:cloud:jira::issue/{identity}")


def test_only_registered_types_and_their_ids_pass_the_registry() -> None:
    registry = TypeRegistry()
    registry.register("jira", "issue", id_pattern=r"\d+")
    assert registry.parse("ari:cloud:jira::issue/10001").id == "10001"
    with pytest.raises(MalformedAri, match=r"must match \\d\+"):
        registry.parse("ari:cloud:jira::issue/ABC-1")
    with pytest.raises(UnknownResourceType, match="no resource type jira/board; known: jira/issue"):
        registry.parse("ari:cloud:jira::board/1")


def test_a_type_is_registered_once_and_by_a_word() -> None:
    registry = TypeRegistry()
    registry.register("jira", "issue")
    with pytest.raises(ValueError, match="registered already"):
        registry.register("jira", "issue")
    with pytest.raises(MalformedAri):
        registry.register("jira", "Issue")
