from __future__ import annotations

import contextlib
import gzip
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l05_graph.arrays import graph_of
from drystone.l05_graph.ingest.debian import read_graph
from drystone.l05_graph.ingest.debian_lists import Field
from drystone.l05_graph.ingest.source import File, Unreadable
from drystone.l05_graph.ingest.unpacking import unpacked
from drystone.l05_graph.strong import condensed, heights, strong_components
from l05_graph.ingest.reading import examples, needs, read, skips, source

LISTS = Path(os.environ.get("DRYSTONE_APT_LISTS", "/var/lib/apt/lists"))


def packages(*stanzas: str) -> bytes:
    return "\n".join(f"{stanza}\n" for stanza in stanzas).encode()


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["Depends", "Suggests"]),
            st.sampled_from("abcd"),
        ),
        max_size=8,
    )
)
def test_numbers_and_model_say_the_same_where_there_is_no_choice(
    said: list[tuple[str, str, str]],
) -> None:
    stanzas = []
    for name in "abc":
        fields = [
            f"{field}: " + ", ".join(t for n, f, t in said if (n, f) == (name, field))
            for field in ("Depends", "Suggests")
        ]
        stanzas.append(f"Package: {name}\n" + "\n".join(fields))
    files = [File("Packages", packages(*stanzas))]
    graph = read_graph(files).graph
    of_model = graph_of(source("debian").read(files).model)
    # The model keeps the stronger of two statements of one phase, the numbers keep both.
    hard = {(u, v) for u, v, h in zip(graph.source, graph.target, graph.hard, strict=True) if h}
    both = {(u, v) for u, v in zip(graph.source, graph.target, strict=True)}
    assert both == set(zip(of_model.source, of_model.target, strict=True))
    assert hard == {
        (u, v) for u, v, h in zip(of_model.source, of_model.target, of_model.hard, strict=True) if h
    }


def test_the_graph_takes_the_first_alternative_and_counts_the_choices() -> None:
    archive = read_graph(examples("debian"))
    names = archive.graph.names
    edges = {
        (names[u], names[v], Field(f).name)
        for u, v, f in zip(archive.graph.source, archive.graph.target, archive.fields, strict=True)
    }
    assert ("src:libc", "gawk", "BUILD_DEPENDS") in edges
    assert ("src:libc", "mawk", "BUILD_DEPENDS") not in edges
    assert ("shell", "src:shell-suite", "BUILT_FROM") in edges
    assert archive.choices == 5
    built = archive.fields == Field.BUILT_FROM
    assert np.array_equal(~archive.graph.can_change, built)


@pytest.mark.parametrize(
    ("clause", "needed"),
    [
        ("b", "b"),
        (" b:any (>= 1) ", "b"),
        ("b [amd64]", "b"),
        ("b [linux-any arm64]", "b"),
        ("b [!hurd-any]", "b"),
        ("b [!amd64]", None),
        ("b [arm64]", None),
        ("b <!nocheck>", "b"),
        ("b <!nocheck !nodoc>", "b"),
        ("b <nocheck>", None),
        ("b <!nocheck> <cross>", "b"),
        ("gone | b", "b"),
        ("gone", None),
        ("Ünfit (", None),
        ("", None),
    ],
)
def test_a_clause_names_a_package_where_it_counts(clause: str, needed: str | None) -> None:
    text = packages("Package: s\nBinary: b\nBuild-Depends: " + clause)
    found = read("debian", packages("Package: b"), text)
    assert needs(found) == ([f"src:s → {needed} (hard, at build, builds)"] if needed else [])
    is_told = any("clause" in one or "relation" in one for one in skips(found))
    assert is_told or needed or not clause


def test_who_provides_a_name_without_a_version_satisfies_no_clause_with_one() -> None:
    # Debian Policy, section 7.5.
    text = packages(
        "Package: a\nDepends: mta (>= 2)",
        "Package: c\nDepends: mta",
        "Package: old\nProvides: mta",
        "Package: new\nProvides: mta (= 3)",
    )
    found = read("debian", text)
    assert [one for one in needs(found) if one.startswith("a ")] == [
        "a → new (hard, at run, other)"
    ]
    assert [group.name for group in found.model.groups] == ["new | old"]


def test_folded_lines_and_lines_of_windows_are_read() -> None:
    text = packages("Package: a\nDepends: b,\n\tc\nX: y", "Package: b", "Package: c")
    assert len(needs(read("debian", text))) == 2
    assert len(needs(read("debian", text.replace(b"\n", b"\r\n")))) == 2
    assert len(needs(read("debian", b"\xef\xbb\xbf" + text))) == 2


def test_the_last_stanza_of_a_file_that_was_cut_is_told() -> None:
    assert (
        "the last line has no end; was the file cut?" in skips(read("debian", "Package: a\nDep"))[0]
    )


@pytest.mark.parametrize(
    "pack", [gzip.compress, lzma.compress, lambda data: gzip.compress(data) * 2]
)
def test_a_compressed_list_is_the_same(pack: object) -> None:
    assert callable(pack)
    plain = packages("Package: a\nDepends: b", "Package: b")
    found = read("debian", pack(plain))
    assert found.model.digest == read("debian", plain).model.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x04\x22\x4d\x18rest", "compressed by LZ4; unpack it: /usr/lib/apt/apt-helper cat-file"),
        (b"\x28\xb5\x2f\xfdrest", "compressed by Zstandard"),
        (gzip.compress(b"Package: a\n" * 1000)[:-20], "ends too early; was it cut"),
        (lzma.compress(os.urandom(1000))[:-20], "ends too early; was it cut"),
        (b"\x1f\x8bnonsense", "the compressed file is broken"),
        (gzip.compress(b"x" * 2_000_001), "holds more than 2,000,000 bytes"),
        (lzma.compress(b"x" * 2_000_001), "holds more than 2,000,000 bytes"),
        (b"x" * 2_000_001, "holds more than 2,000,000 bytes"),
    ],
    # The names of tests must be those of every process, and what is compressed holds the time.
    ids=["lz4", "zstd", "gzip-cut", "xz-cut", "gzip-none", "gzip-bomb", "xz-bomb", "plain-bomb"],
)
def test_a_file_that_cannot_be_unpacked_within_its_limit_is_refused(
    content: bytes, message: str
) -> None:
    with pytest.raises(Unreadable, match=message):
        unpacked(File("f", content), most=2_000_000)


@given(st.binary(max_size=200), st.integers(0, 300), st.booleans())
def test_a_compressed_file_that_was_damaged_is_unpacked_or_refused(
    data: bytes, at: int, is_gzip: bool
) -> None:
    packed = bytearray(gzip.compress(data) if is_gzip else lzma.compress(data))
    packed[at % len(packed)] ^= 0x55
    with contextlib.suppress(Unreadable):
        assert len(unpacked(File("f", bytes(packed)), most=10_000)) <= 10_000


@pytest.mark.slow
@pytest.mark.skipif(
    not [*LISTS.glob("*bookworm_main_source_Sources")],
    reason="needs DRYSTONE_APT_LISTS: a folder with unpacked lists of Debian 12, with sources",
)
def test_the_whole_archive_is_read_and_its_tangles_are_those_that_are_known() -> None:
    files = [
        File(file.name, file.read_bytes())
        for kind in ("Packages", "Sources")
        for file in LISTS.glob(f"*bookworm_main_*{kind}")
    ]
    archive = read_graph(files)
    graph, fields = archive.graph, archive.fields
    assert 97_000 < graph.size < 99_000
    assert 640_000 < len(graph.source) < 655_000
    run = graph.hard & (fields <= Field.PRE_DEPENDS)
    _, of = strong_components(graph.size, graph.source[run], graph.target[run])
    sizes = np.bincount(of)
    assert 50 <= np.count_nonzero(sizes > 1) <= 70
    whole = condensed(graph.size, graph.source[graph.hard], graph.target[graph.hard])
    assert 14_000 < whole.sizes.max() < 15_000
    assert heights(whole.count, whole.source, whole.target).max() > 10
