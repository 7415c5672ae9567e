"""Whatever is in a file, its source reads it, skips what it cannot use and tells so, or refuses the file in words."""

from __future__ import annotations

import re
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.evidence import merged
from drystone.l05_graph.forms import evidence as form
from drystone.l05_graph.ingest import packed as packing
from drystone.l05_graph.ingest import tally
from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.reading import LONGEST_LINE
from drystone.l05_graph.ingest.source import Observed, Stream, Unreadable
from drystone.l05_graph.ingest.sources import OBSERVED
from l05_graph.ingest.logs import SAMPLES, VPC, packed, read, shown

NAMES = [one.name for one in OBSERVED]
LINES = [name for name in NAMES if name in ("envoy-access-log", "vpc-flow")]
PIECES = [piece for sample in SAMPLES.values() for piece in re.findall(rb"\w+|[^\w]", sample)]


def tried(name: str, content: bytes, step: int = 1 << 16) -> Observed | None:
    """Read a file; what was read can be written, read again and is told in words."""
    found: Observed | None = None
    try:
        found = read(name, content, step=step)
    except Unreadable as refused:
        message = str(refused)
    else:
        message = ""
    if found is None:
        assert message.startswith("f ")
        assert len(message) < 600
        return None
    assert found.batch.skipped == sum(skip.count for skip in found.skips)
    assert all(0 <= one.errors <= one.calls for one in found.observations)
    evidence = merged(found.batch)
    assert form.read(form.dump(evidence)) == evidence
    return found


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    tried(name, data.draw(st.binary(max_size=200)))
    pieces = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)), max_size=40)
    tried(name, b"".join(data.draw(pieces)))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(st.data())
def test_a_sample_with_damage_anywhere_is_read_or_refused(name: str, data: st.DataObject) -> None:
    sample = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(sample) - 1))
        sample[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    content = bytes(sample[: data.draw(st.integers(0, len(sample)))])
    found = tried(name, content)
    again = tried(name, content, step=data.draw(st.integers(1, 64)))
    assert (found and found.batch) == (again and again.batch)


@pytest.mark.parametrize("name", NAMES)
def test_marks_line_ends_and_packing_change_nothing(name: str) -> None:
    expected = shown(read(name, SAMPLES[name]))
    assert expected
    sample = SAMPLES[name]
    variants = [b"\xef\xbb\xbf" + sample, sample.replace(b"\n", b"\r\n"), packed(sample)]
    variants.append(packed(sample[:50]) + packed(sample[50:]) + b"\0" * 512)
    for variant in variants:
        for step in (1 << 16, 13):
            assert shown(read(name, variant, step=step)) == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_refused_by_name(name: str, encoding: str) -> None:
    with pytest.raises(Unreadable, match=r"UTF-16|UTF-32"):
        read(name, SAMPLES[name].decode().encode(encoding))


@pytest.mark.parametrize("name", LINES)
def test_the_last_line_is_taken_when_it_is_whole_and_told_when_it_is_not(name: str) -> None:
    sample = SAMPLES[name]
    first = sample.splitlines()[0]
    assert len(read(name, first).observations) == 1
    cut = read(name, sample + first[:-40])
    assert [skip.count for skip in cut.skips if skip.reason == "the last line was cut"] == [1]


@pytest.mark.parametrize("name", LINES)
def test_a_line_without_end_is_left_out_in_bounded_memory(name: str) -> None:
    first = SAMPLES[name].splitlines()[0] + b"\n"

    def chunks() -> Iterator[bytes]:
        yield first
        for _ in range(200):
            yield b"x" * 100_000
        yield b"\n" + first

    tracemalloc.start()
    found = {one.name: one for one in OBSERVED}[name].read(
        Stream(name="f", chunks=chunks()), Endpoints()
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [skip.reason for skip in found.skips] == [
        f"the line has more than {LONGEST_LINE:,} bytes"
    ]
    assert found.batch.records == 3
    assert peak < 8 * LONGEST_LINE


def test_a_packed_file_that_was_cut_is_read_as_far_as_it_goes() -> None:
    lines = "".join(
        VPC.splitlines(keepends=True)[0].replace("20641", str(30000 + n)) for n in range(5000)
    )
    whole = packed(lines.encode())
    found = read("vpc-flow", whole[: len(whole) // 2])
    assert 1 < found.observations[0].calls < 5000
    assert "the packed file was cut; what came before was read" in [s.reason for s in found.skips]


def test_a_packed_file_that_is_damaged_is_refused() -> None:
    whole = bytearray(packed(VPC.encode() * 1000))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(Unreadable, match="damaged after"):
        read("vpc-flow", bytes(whole))


def test_what_unpacks_without_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "ALWAYS", 1 << 20)
    deflate = zlib.compressobj(wbits=31)
    bomb = b"".join([*(deflate.compress(b"x" * (1 << 20)) for _ in range(8)), deflate.flush()])
    with pytest.raises(Unreadable, match="more than 300 times its size"):
        read("envoy-access-log", bomb)


def test_nesting_without_end_is_refused() -> None:
    for content in (
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"resourceSpans":[{"resource":{"x":' + b"[" * 500_000,
    ):
        for name in NAMES:
            found = tried(name, content)
            assert found is None or found.observations == ()


def test_buckets_become_wider_when_there_are_too_many_whatever_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "MOST_CELLS", 100)
    line = VPC.splitlines()[0]
    lines = [line.replace("1418530010", str(1418530010 + 660 * n)) for n in range(300)]
    forward, backward = (read("vpc-flow", "\n".join(some)) for some in (lines, lines[::-1]))
    assert forward.observations == backward.observations
    (one,) = forward.observations
    assert (forward.batch.detail, one.calls) == ("1h", 300)
    assert sum(bucket.calls for bucket in one.buckets) == 300
    assert len(one.buckets) <= 100


def test_more_pairs_than_are_kept_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST_PAIRS", 3)
    line = '{"time":"2026-11-22T07:00:00Z","caller":"a","service":"s%d","status":200}\n'
    found = read("envoy-access-log", "".join(line % n for n in range(10)))
    assert len(found.observations) == 3
    assert found.skips[0].count == 7


def test_who_calls_itself_is_told() -> None:
    found = read("zipkin-links", '[{"parent":"a","child":"a","callCount":7}]')
    assert (found.observations, found.skips[0].count) == ((), 7)
