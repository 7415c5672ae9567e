from __future__ import annotations

import io
import os
import socket
import tarfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.local.resources.folders import (
    ArchiveUnfit,
    measure,
    pack,
    size_of,
    unpack,
)
from l25_deployer.small_platform import short_folder

NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."}
)
TREES = st.recursive(
    st.binary(max_size=40) | st.tuples(NAMES),
    lambda below: st.dictionaries(NAMES, below, max_size=4),
    max_leaves=10,
)


def grow(place: Path, tree: object) -> None:
    """Make a tree: a mapping is a folder, bytes a file, a tuple a link to a name."""
    if isinstance(tree, dict):
        place.mkdir()
        for name, below in tree.items():
            grow(place / os.fsdecode(name), below)
    elif isinstance(tree, bytes):
        place.write_bytes(tree)
    else:
        assert isinstance(tree, tuple)
        place.symlink_to(os.fsdecode(tree[0]))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_every_tree_comes_back_whatever_its_names_are(tree: dict[bytes, object]) -> None:
    with short_folder() as folder:
        grow(folder / "a", tree)

        packed = pack(folder / "a", folder / "files.tar")
        unpack(folder / "files.tar", folder / "b" / "c")

        assert measure(folder / "b" / "c") == packed == measure(folder / "a")
        assert (folder / "files.tar").stat().st_size <= size_of(folder / "a") + 2 * 10240


def test_modes_empty_folders_and_links_come_back_and_sockets_do_not(tmp_path: Path) -> None:
    source = tmp_path / "a"
    (source / "closed/empty").mkdir(parents=True)
    (source / "program").write_text("#!/bin/sh\n")
    (source / "program").chmod(0o751)
    (source / "closed").chmod(0o500)
    (source / "away").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(source / "socket"))

        pack(source, tmp_path / "f")
    unpack(tmp_path / "f", tmp_path / "b")

    assert (tmp_path / "b/program").stat().st_mode & 0o7777 == 0o751
    assert (tmp_path / "b/closed").stat().st_mode & 0o7777 == 0o500
    assert (tmp_path / "b/closed/empty").is_dir()
    assert (tmp_path / "b/away").readlink() == Path("/etc/passwd")
    assert not (tmp_path / "b/socket").exists()
    (source / "closed").chmod(0o700)


def test_one_changed_byte_changes_the_measure(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/f").write_bytes(b"one")
    before = measure(tmp_path / "a")

    (tmp_path / "a/f").write_bytes(b"two")

    assert measure(tmp_path / "a") != before


def test_a_file_that_shrinks_and_grows_while_it_is_read_leaves_the_archive_whole(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    restless = tmp_path / "a/f"
    restless.write_bytes(b"x" * 100_000)
    over = threading.Event()

    def disturb() -> None:
        while not over.is_set():
            restless.write_bytes(b"y")
            restless.write_bytes(b"x" * 300_000)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for n in range(20):
            packed = pack(tmp_path / "a", tmp_path / f"{n}.tar")
            unpack(tmp_path / f"{n}.tar", tmp_path / f"b{n}")
            assert measure(tmp_path / f"b{n}") == packed
    finally:
        over.set()
        thread.join()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "a/closed").mkdir(parents=True)
    (tmp_path / "a/closed/precious").touch()
    (tmp_path / "a/closed").chmod(0)
    try:
        with pytest.raises(PermissionError):
            pack(tmp_path / "a", tmp_path / "f")
    finally:
        (tmp_path / "a/closed").chmod(0o700)


def test_a_volume_that_is_gone_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pack(tmp_path / "gone", tmp_path / "f")


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "link/out", "a/../../out"])
def test_an_entry_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "f", "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"bad"))

    with pytest.raises(ArchiveUnfit):
        unpack(tmp_path / "f", tmp_path / "b")

    assert not (tmp_path / "out").exists()
