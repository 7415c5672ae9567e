from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.builds.folder import (
    LEFT_OUT,
    Entry,
    copy_folder,
    digest,
    read_folder,
)
from drystone.l25_deployer.errors import ArtefactRefused

NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(
    lambda n: n not in {".", "..", *LEFT_OUT} and not n.endswith(".pyc") and len(n.encode()) <= 255
)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    st.tuples(st.binary(max_size=50), st.booleans()),
    max_size=6,
).filter(
    lambda files: (
        not any(a != b and a == b[: len(a)] for a in files for b in files)
    )  # no file is a folder as well
)
Files = dict[tuple[str, ...], tuple[bytes, bool]]


def write(folder: Path, files: Files) -> Path:
    folder.mkdir(exist_ok=True)
    for words, (content, is_program) in files.items():
        path = folder.joinpath(*words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if is_program else 0o644)
    return folder


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one example; a fixture would be shared by all of them."""
    folder = Path(tempfile.mkdtemp(prefix="dry-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@settings(max_examples=30, deadline=None)
@given(files=FILES)
def test_a_copy_reads_as_its_source(files: Files) -> None:
    with scratch() as tmp:
        entries = read_folder(write(tmp / "a", files))
        copy_folder(tmp / "a", entries, tmp / "b")

        assert read_folder(tmp / "b") == entries
        assert {entry.path for entry in entries} == {"/".join(words) for words in files}


@settings(max_examples=30, deadline=None)
@given(files=FILES, touched=st.integers(0, 2**31))
def test_the_digest_depends_on_neither_place_nor_time_nor_order(files: Files, touched: int) -> None:
    with scratch() as tmp:
        write(tmp / "a", files)
        write(tmp / "b", dict(reversed(files.items())))
        for path in (tmp / "b").rglob("*"):
            os.utime(path, (touched, touched))
        (tmp / "b/.git").mkdir()
        (tmp / "b/.git/config").write_text("x")

        assert digest(read_folder(tmp / "a")) == digest(read_folder(tmp / "b"))


@settings(max_examples=30, deadline=None)
@given(one=FILES, other=FILES)
def test_folders_that_differ_have_different_digests(one: Files, other: Files) -> None:
    with scratch() as tmp:
        first = digest(read_folder(write(tmp / "a", one)))
        second = digest(read_folder(write(tmp / "b", other)))

    assert (first == second) == (one == other)


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_caches_and_version_control_do_not_belong_to_an_artefact(tmp_path: Path, name: str) -> None:
    write(tmp_path, {("app.py",): (b"", False), ("deep", name, "x"): (b"", False)})
    (tmp_path / name).write_text("gitdir: elsewhere")
    (tmp_path / "app.pyc").write_bytes(b"")

    assert [entry.path for entry in read_folder(tmp_path)] == ["app.py"]


def test_whether_the_owner_may_execute_a_file_is_content_and_the_rest_of_its_mode_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run"
    path.write_text("#!/bin/sh\n")
    kinds = {}
    for mode in (0o600, 0o644, 0o666, 0o700, 0o755, 0o4755):
        path.chmod(mode)
        kinds[mode] = read_folder(tmp_path)[0].kind

    assert kinds == {
        **dict.fromkeys((0o600, 0o644, 0o666), "file"),
        **dict.fromkeys((0o700, 0o755, 0o4755), "program"),
    }


def test_a_copy_carries_no_special_rights(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/run").write_text("")
    (tmp_path / "a/run").chmod(0o6777)

    copy_folder(tmp_path / "a", read_folder(tmp_path / "a"), tmp_path / "b")

    assert stat.S_IMODE((tmp_path / "b/run").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ({"a": "target"}, "a"),
        ({"deep/a": "../target"}, "deep/a"),
        ({"a": "."}, "a"),
        ({"a": "nothing/here"}, "a"),
        ({"a": "b", "b": "target"}, "a"),
    ],
    ids=str,
)
def test_a_link_that_stays_inside_is_kept_as_a_link(
    tmp_path: Path, links: dict[str, str], path: str
) -> None:
    folder = link(tmp_path, links)

    entries = read_folder(folder)
    copy_folder(folder, entries, tmp_path / "copy")

    assert Entry(path, "link", links[path]) in entries
    assert str((tmp_path / "copy" / path).readlink()) == links[path]


@pytest.mark.parametrize(
    "links",
    [
        {"a": "/etc/passwd"},
        {"a": ".."},
        {"a": "../outside"},
        {"deep/a": "../../outside"},
        {"a": "deep/../../outside"},
        {"a": ".", "b": "a/.."},  # each of the two looks harmless
        {"deep/er/a": "../..", "b": "deep/er/a/../outside"},
    ],
    ids=str,
)
def test_a_link_that_leads_outside_is_refused_however_it_gets_there(
    tmp_path: Path, links: dict[str, str]
) -> None:
    folder = link(tmp_path, links)

    with pytest.raises(ArtefactRefused, match="outside the service's folder"):
        read_folder(folder)


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b/x", "b": "a/y"}])
def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path, links: dict[str, str]) -> None:
    with pytest.raises(ArtefactRefused, match="leads to itself"):
        read_folder(link(tmp_path, links))


def link(tmp_path: Path, links: dict[str, str]) -> Path:
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "target").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    for name, target in links.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)
    return folder


def test_a_folder_that_is_reached_through_a_link_may_hold_links(tmp_path: Path) -> None:
    folder = link(tmp_path, {"a": "target"})
    (tmp_path / "current").symlink_to(folder)

    assert read_folder(tmp_path / "current") == read_folder(folder)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ArtefactRefused, match="neither a file nor a folder"):
        read_folder(tmp_path)


def test_a_socket_is_refused() -> None:
    with scratch() as tmp, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp / "s"))

        with pytest.raises(ArtefactRefused, match="neither a file nor a folder"):
            read_folder(tmp)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_refused(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this container makes no devices")

    with pytest.raises(ArtefactRefused, match="neither a file nor a folder"):
        read_folder(tmp_path)


@contextmanager
def nobody() -> Iterator[None]:
    """Root reads everything; be somebody else for a moment."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_cannot_be_read_is_refused_by_name(what: str) -> None:
    with scratch() as tmp:
        tmp.chmod(0o755)
        (tmp / "folder").mkdir()
        (tmp / "file").write_text("")
        (tmp / what).chmod(0)

        with nobody(), pytest.raises(ArtefactRefused, match=f"{what} cannot be read: Permission"):
            read_folder(tmp)
        (tmp / what).chmod(0o700)


def test_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")).write_text("")

    with pytest.raises(ArtefactRefused, match="not UTF-8"):
        read_folder(tmp_path)


def test_a_link_to_a_name_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(os.fsdecode(b"caf\xe9"))

    with pytest.raises(ArtefactRefused, match="replace it"):
        read_folder(tmp_path)


@pytest.mark.parametrize("what", ["missing", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ArtefactRefused, match="is not a folder"):
        read_folder(tmp_path / what)


def change(path: Path) -> None:
    path.write_text("changed")


def lengthen(path: Path) -> None:
    path.write_text(path.read_text() + "more")


def become_a_link(path: Path) -> None:
    path.rename(path.parent.parent / "outside")
    path.symlink_to(path.parent.parent / "outside")


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "happens", [change, lengthen, Path.unlink, become_a_link, become_a_pipe, become_a_folder]
)
def test_a_file_that_is_no_longer_what_was_read_is_not_copied(
    tmp_path: Path, happens: object
) -> None:
    folder = tmp_path / "service"
    write(folder, {("a",): (b"as it was", False)})
    entries = read_folder(folder)
    assert callable(happens)
    happens(folder / "a")

    with pytest.raises(ArtefactRefused, match=r"changed while|cannot be read"):
        copy_folder(folder, entries, tmp_path / "copy")

    outside = tmp_path / "outside"
    assert not outside.exists() or stat.S_IMODE(outside.stat().st_mode) == 0o644


def test_a_folder_of_too_many_bytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(3 * 1024**3)  # holes take no room, and would take seconds to read

    with pytest.raises(ArtefactRefused, match="holds more than 100000 files or 2048 MiB"):
        read_folder(tmp_path)


def test_long_names_line_breaks_and_empty_files_are_kept(tmp_path: Path) -> None:
    names = ["x" * 255, "a\nb", "ünïcode ☃", " ", "-rf", "$(id)"]
    write(tmp_path / "a", {(name,): (b"", False) for name in names})

    copy_folder(tmp_path / "a", read_folder(tmp_path / "a"), tmp_path / "b")

    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == sorted(names)
