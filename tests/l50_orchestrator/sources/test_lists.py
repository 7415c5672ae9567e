from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.sources.api import PIECE, SourceFile
from drystone.l50_orchestrator.sources.errors import SourceRefused
from drystone.l50_orchestrator.sources.keeping import Shelf
from drystone.l50_orchestrator.sources.lists import (
    MOST_FILES,
    checked,
    digits_of,
    name_of,
    name_of_piece,
)

SHA = "a" * 64
PARTS = st.sampled_from(["a", "b", "..", ".", "", "c d", "/", "\0", "ä", "x" * 300, "\ud800", "\n"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
FILES = st.builds(
    SourceFile,
    path=PATHS,
    kind=st.sampled_from(["file", "program", "link"]),
    pieces=st.sampled_from([(), (SHA,)]),
    target=st.one_of(st.just(""), PATHS),
)


@given(st.lists(FILES, max_size=4))
def test_what_is_taken_lies_inside_whatever_a_list_says(files: list[SourceFile]) -> None:
    try:
        ordered = checked(files)
    except SourceRefused:
        return
    paths = [one.path for one in ordered]
    assert paths == sorted(set(paths))
    for one in ordered:
        path = PurePosixPath(one.path)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert not set(map(str, path.parents)) & set(paths)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../x", "a/../../x", "a//b", "a/", "", ".", "a\0b", "a/" * 100 + "b"]
)
def test_a_path_that_leads_outside_or_nowhere_is_refused(path: str) -> None:
    with pytest.raises(SourceRefused, match="no path inside the folder"):
        checked([SourceFile(path, "file")])


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../x", "a/../../../x", "", "\0", "../../sources"]
)
def test_a_link_that_leads_outside_is_refused(target: str) -> None:
    with pytest.raises(SourceRefused, match="not inside the folder"):
        checked([SourceFile("x", "link", target=target)])


def test_nothing_lies_behind_a_link_or_a_file() -> None:
    with pytest.raises(SourceRefused, match="lies behind app, which is a link"):
        checked([SourceFile("app", "link", target="other"), SourceFile("app/run", "file")])
    with pytest.raises(SourceRefused, match="is in the list twice"):
        checked([SourceFile("app", "file"), SourceFile("app", "program")])


def test_links_that_lead_outside_by_each_other_are_refused_when_they_are_there(
    tmp_path: Path,
) -> None:
    files = checked(
        [
            SourceFile("a/b/file", "file"),
            SourceFile("a/b/top", "link", target="../.."),
            SourceFile("out", "link", target="a/b/top/.."),
        ]
    )
    with pytest.raises(SourceRefused, match="outside the service's folder"):
        Shelf(tmp_path / "shelf").make("0" * 64, files)
    assert list((tmp_path / "shelf" / "folders").iterdir()) == []


def test_too_many_files_and_pieces_that_have_no_proper_name_are_refused() -> None:
    with pytest.raises(SourceRefused, match="at most 20000"):
        checked([SourceFile(f"f{n}", "file") for n in range(MOST_FILES + 1)])
    with pytest.raises(SourceRefused, match="SHA-256"):
        checked([SourceFile("x", "file", ("../../x",))])
    with pytest.raises(SourceRefused, match="at most"):
        name_of_piece(b"x" * (PIECE + 1))


@pytest.mark.parametrize(
    "source", ["/etc", "sha256:../..", "sha256:" + "A" * 64, SHA, f"sha256:{SHA}\n"]
)
def test_only_the_name_of_a_source_names_one(source: str) -> None:
    with pytest.raises(SourceRefused, match="names no source"):
        digits_of(source)


@given(st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
def test_the_name_does_not_depend_on_the_order(names: list[str]) -> None:
    files = [SourceFile(name, "file") for name in names]
    assert name_of(files) == name_of(files[::-1])
    assert re.fullmatch("sha256:[0-9a-f]{64}", name_of(files))
