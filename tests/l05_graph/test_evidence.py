from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.evidence import (
    Batch,
    Bucket,
    Detail,
    Evidence,
    Observation,
    coarser,
    merged,
)
from drystone.l05_graph.forms import evidence as form

BEGIN = datetime(2026, 11, 22, 7, tzinfo=UTC)
WIDE = [detail for detail in Detail if detail.width is not None]


def seen(
    caller: str, callee: str, cells: dict[int, tuple[int, int]], *, detail: Detail = Detail.MINUTE
) -> Observation:
    """Make an observation with these calls and errors by bucket, counted from :data:`BEGIN`."""
    width = detail.width or timedelta(minutes=1)
    first = int(BEGIN.timestamp() // width.total_seconds())
    buckets = tuple(Bucket(first + n, *cells[n]) for n in sorted(cells))
    return Observation(
        caller=caller,
        callee=callee,
        calls=sum(c for c, _ in cells.values()),
        errors=sum(e for _, e in cells.values()),
        first=BEGIN + min(cells) * width,
        last=BEGIN + max(cells) * width,
        sample=("GET /",),
        buckets=buckets,
    )


def batch(
    *observations: Observation, digest: str = "d", source: str = "otlp-traces", **more: object
) -> Batch:
    ordered = tuple(sorted(observations, key=lambda one: (one.caller, one.callee)))
    made = Batch(source=source, digest=digest, observations=ordered)
    return msgspec.structs.replace(made, **more)


cells = st.dictionaries(
    st.integers(0, 3000),
    st.integers(1, 50).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
    max_size=5,
)
pairs = st.sampled_from([("a", "b"), ("b", "c"), ("a", "c"), ("→", '"\n')])


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Draw a batch; one digest always stands for the same content, in more or less detail."""
    digest = draw(st.sampled_from(["1", "2", "3"]))
    of = {
        "1": {("a", "b"): {0: (3, 1), 7: (2, 0)}},
        "2": {("a", "b"): {5: (9, 9)}, ("b", "c"): {1: (1, 0)}},
    }
    known = of.get(digest, {("c", "d"): {2000: (4, 2)}})
    made = batch(*(seen(*pair, some) for pair, some in known.items()), digest=digest)
    return coarser(made, draw(st.sampled_from(list(Detail))))


@settings(max_examples=30)
@given(
    st.lists(batches(), max_size=4),
    st.lists(batches(), max_size=4),
    st.lists(batches(), max_size=4),
)
def test_merging_is_associative_commutative_and_idempotent(
    one: list[Batch], two: list[Batch], three: list[Batch]
) -> None:
    a, b, c = merged(*one), merged(*two), merged(*three)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(a, b) == merged(b, a)
    assert merged(a, a) == a
    assert merged(a, Evidence()) == a


@settings(max_examples=30)
@given(st.dictionaries(pairs, cells, max_size=4), st.sampled_from(WIDE))
def test_what_is_written_is_read_again(
    of: dict[tuple[str, str], dict[int, tuple[int, int]]], detail: Detail
) -> None:
    made = batch(
        *(seen(*pair, some, detail=detail) for pair, some in of.items()),
        detail=detail,
        file="x\u2028y",
        skipped=3,
    )
    evidence = merged(made, batch(digest="other"))
    text = form.dump(evidence)
    assert form.read(text) == form.read(text.encode()) == evidence
    assert form.dump(form.read(text)) == text


@settings(max_examples=30)
@given(cells, st.sampled_from(list(Detail)), st.sampled_from(list(Detail)))
def test_keeping_less_keeps_totals_and_does_not_depend_on_the_way(
    some: dict[int, tuple[int, int]], first: Detail, second: Detail
) -> None:
    made = batch(seen("a", "b", some))
    last = max(first, second, key=lambda detail: detail.place)
    assert coarser(coarser(made, first), second) == coarser(made, last)
    for one in coarser(made, first).observations:
        assert (one.calls, one.errors) == (made.observations[0].calls, made.observations[0].errors)
        if first.width is not None:
            assert sum(bucket.calls for bucket in one.buckets) == one.calls
            assert sum(bucket.errors for bucket in one.buckets) == one.errors


def test_the_same_import_counts_once_and_is_known() -> None:
    made = batch(seen("a", "b", {0: (5, 0)}))
    evidence = merged(made, made)
    assert evidence.has(made)
    assert evidence.pairs["a", "b"].calls == 5


def test_an_import_can_be_taken_back_and_made_again_with_other_names() -> None:
    one, other = batch(seen("a", "b", {0: (5, 0)})), batch(seen("a", "c", {0: (5, 0)}))
    assert [*merged(merged(one).without(other), other).pairs] == [("a", "c")]
    assert merged(one).without(batch(digest="x")) == merged(one)


def test_of_counters_that_were_read_twice_the_larger_number_counts() -> None:
    early = batch(seen("a", "b", {0: (5, 1)}), digest="1", cumulative=True)
    late = batch(seen("a", "b", {9: (8, 1)}), digest="2", cumulative=True)
    assert merged(early, late).pairs["a", "b"].calls == 8


def test_what_several_sources_saw_is_not_added_up() -> None:
    one = batch(seen("a", "b", {0: (5, 1)}), source="vpc-flow")
    other = batch(seen("a", "b", {0: (7, 2)}), source="otlp-traces")
    pair = merged(one, other).pairs["a", "b"]
    assert (pair.calls, pair.errors, len(pair.seen)) == (7, 2, 2)


def test_confidence_grows_with_times_and_sources_and_never_is_certainty() -> None:
    once = merged(batch(seen("a", "b", {0: (99, 0)}), source="vpc-flow"))
    often = merged(batch(seen("a", "b", dict.fromkeys(range(50), (1, 0))), source="vpc-flow"))
    both = merged(*often.batches, batch(seen("a", "b", {0: (1, 0)})))
    levels = [evidence.pairs["a", "b"].confidence for evidence in (once, often, both)]
    assert 0 < levels[0] < levels[1] < levels[2] < 1
    assert levels[0] == pytest.approx(1 - (0.1 + 0.9 * 0.5))


def test_a_log_that_was_imported_while_it_grew_is_told() -> None:
    early = batch(seen("a", "b", {0: (1, 0), 10: (1, 0)}), digest="1", file="access.log")
    grown = batch(seen("a", "b", {0: (1, 0), 20: (1, 0)}), digest="2", file="access.log")
    later = batch(seen("a", "b", {11: (1, 0), 20: (1, 0)}), digest="3", file="access.log")
    assert merged(early).overlapping(grown) == (early,)
    assert merged(early).overlapping(later) == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "evidence.jsonl:3: the line is none of evidence"),
        ('{"caller": "a", "callee": "b", "calls": 1, "errors": 2}', "2 of 1 calls"),
        ('{"caller": "a", "callee": "a", "calls": 1}', "names two components"),
        ('{"caller": "a", "callee": "b", "calls": 1, "buckets": [[0, 1, 0]]}', "no 'from'"),
        ('{"caller": "a", "callee": "b", "calls": 1e99}', "the line is none of evidence"),
        ('{"source": "x", "digest": "y"}', "has 0 of 1 pairs"),
        ('{"format": "drystone-evidence", "version": 2}', "version 1"),
        ("", "has 0 of 1 pairs"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(line: str, message: str) -> None:
    head = '{"format":"drystone-evidence","version":1}\n{"source":"s","digest":"d","pairs":1}\n'
    with pytest.raises(ModelInvalid) as raised:
        form.read(head + line)
    assert message in str(raised.value)


@settings(max_examples=30)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    "{",
                    '"source"',
                    ":",
                    "1",
                    "}",
                    "\n",
                    '{"format":"drystone-evidence","version":1}\n',
                    '{"source":"s","digest":"d"}\n',
                    "\ud800",
                ]
            )
        ).map("".join),
    )
)
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    try:
        form.read(text)
    except ModelInvalid as refused:
        assert refused.mistakes  # noqa: PT017 - either is right


def test_one_line_of_the_form_is_readable() -> None:
    text = form.dump(merged(batch(seen("shop", "users", {0: (5, 0), 3: (4, 1)}))))
    assert json.loads(text.splitlines()[2]) == {
        "caller": "shop",
        "callee": "users",
        "calls": 9,
        "errors": 1,
        "first": "2026-11-22T07:00:00Z",
        "last": "2026-11-22T07:03:00Z",
        "sample": ["GET /"],
        "from": "2026-11-22T07:00:00Z",
        "buckets": [[0, 5, 0], [3, 4, 1]],
    }
