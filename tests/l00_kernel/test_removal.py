from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from drystone.l00_kernel.removal import remove_tree

DEEP = 4000


def dig(folder: Path, depth: int = DEEP) -> None:
    """Make folders in each other, deeper than any path can name."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    tree = tmp_path / "volume"
    tree.mkdir()
    dig(tree)
    remove_tree(tree)
    assert list(tmp_path.iterdir()) == []


def test_what_links_lead_to_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_text("stays")
    tree = tmp_path / "volume"
    (tree / "a").mkdir(parents=True)
    (tree / "out").symlink_to(outside)
    (tree / "a/file").symlink_to(outside / "file")
    (tree / "a/self").symlink_to("self")
    os.link(outside / "file", tree / "hard")
    remove_tree(tree)
    assert not tree.exists()
    assert (outside / "file").read_text() == "stays"
    assert (outside / "folder").is_dir()


def test_a_link_in_the_place_of_the_folder_is_removed_itself(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    link = tmp_path / "volume"
    link.symlink_to(outside)
    remove_tree(link)
    assert not link.is_symlink()
    assert (outside / "file").read_text() == "stays"
    remove_tree(link)


def test_odd_names_and_kinds_are_removed(tmp_path: Path) -> None:
    tree = tmp_path / "volume"
    tree.mkdir()
    os.mkfifo(tree / "pipe")
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b" ", b"n" * 255, b".removed-mine"):
        (tree / os.fsdecode(name)).write_text("")
    (tree / ".removed-folder").mkdir()
    (tree / ".removed-folder/x").write_text("")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tree)  # the path may be too long for a socket
        try:
            listener.bind("s")
        finally:
            os.chdir(here)
    with (tree / "huge").open("wb") as file:
        file.truncate(2**40)
    remove_tree(tree)
    assert list(tmp_path.iterdir()) == []


def _make_and_remove_closed_folders(tree: Path) -> None:
    (tree / "a/b/c").mkdir(parents=True)
    (tree / "a/b/c/file").write_text("")
    for folder in ("a/b/c", "a/b", "a", "."):
        (tree / folder).chmod(0)
    remove_tree(tree)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_folders_that_their_owner_closed_to_himself_are_removed(tmp_path: Path) -> None:
    """Root passes closed folders, so this is done as somebody else."""
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, 65534, 65534)
    child = os.fork()
    if child == 0:
        os.chdir(place)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            _make_and_remove_closed_folders(Path("tree"))
        except BaseException:  # noqa: BLE001 - a child of a fork must not go on as a test
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(place.iterdir()) == []
