from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drystone.l00_kernel.home import (
    SOCKET_PATH_LIMIT,
    Home,
    NewerHome,
    NoHome,
    NotAHome,
    SocketPathTooLong,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="home-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_created_home_has_every_folder_for_its_owner_alone(short: Path) -> None:
    home = Home.create(short / "a" / "home")
    folders = [home.run, home.services, home.instances, home.artifacts, home.volumes, home.secrets]
    assert {mode(folder) for folder in folders} == {0o700}
    passable = 0o711 if os.geteuid() == 0 else 0o700
    assert mode(home.path) == mode(home.engines) == passable


def test_creating_a_home_again_keeps_what_is_in_it(short: Path) -> None:
    home = Home.create(short)
    (home.secrets / "key").write_text("k")
    home.secrets.chmod(0o755)
    assert Home.create(short) == home
    assert (home.secrets / "key").read_text() == "k"
    assert mode(home.secrets) == 0o700


def test_settings_may_be_written_before_the_home_is_created(short: Path) -> None:
    (short / "settings.toml").write_text("port = 9000")
    (short / "run").mkdir()
    assert Home.open(Home.create(short).path).settings_file.read_text() == "port = 9000"


def test_a_creation_that_was_interrupted_is_completed(short: Path) -> None:
    (short / ".partial-x1").write_text("{")
    home = Home.create(short)
    shutil.rmtree(home.engines)
    assert Home.create(short).engines.is_dir()


@pytest.mark.parametrize("make", [Home.create, Home.open])
def test_a_directory_with_something_else_in_it_is_refused_and_left_alone(
    short: Path, make: type[Home]
) -> None:
    (short / "thesis.tex").write_text("x")
    with pytest.raises(NotAHome, match=r"thesis\.tex"):
        make(short)
    assert [entry.name for entry in short.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("make", [Home.create, Home.open])
def test_a_home_of_a_newer_platform_is_refused(short: Path, make: type[Home]) -> None:
    (short / "home.json").write_text('{"format": 99}')
    with pytest.raises(NewerHome, match="format 99"):
        make(short)


def test_a_damaged_home_is_refused(short: Path) -> None:
    (short / "home.json").write_text('{"format"')
    with pytest.raises(NotAHome, match="damaged"):
        Home.open(short)


def test_a_file_is_no_home(short: Path) -> None:
    (short / "file").write_text("")
    with pytest.raises(NotAHome, match="no directory"):
        Home.create(short / "file")


def test_where_no_platform_was_started_there_is_no_home(short: Path) -> None:
    with pytest.raises(NoHome, match="drystone up"):
        Home.open(short / "nothing")
    assert not (short / "nothing").exists()


def test_sockets_lie_in_the_home_where_their_paths_fit(short: Path) -> None:
    home = Home.create(short)
    assert home.agent_socket == home.run / "agent.sock"
    assert Home(short).xds_socket == home.run / "xds.sock"


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def test_sockets_of_a_home_with_a_long_path_lie_elsewhere_and_are_found(short: Path) -> None:
    home = Home.create(short / ("d" * 100), sockets_in=short)
    listen(home.agent_socket)
    assert len(os.fsencode(home.agent_socket)) <= SOCKET_PATH_LIMIT
    assert home.agent_socket == Home(home.path).agent_socket
    assert Home.create(home.path, sockets_in=short).agent_socket.exists()
    assert mode(home.agent_socket.parent) == 0o700


def test_a_folder_for_sockets_that_vanished_or_was_opened_to_others_is_replaced(
    short: Path,
) -> None:
    home = Home.create(short / ("d" * 100), sockets_in=short)
    first = home.agent_socket
    shutil.rmtree(first.parent)
    second = Home.create(home.path, sockets_in=short).agent_socket
    second.parent.chmod(0o777)
    third = Home.create(home.path, sockets_in=short).agent_socket
    assert len({first, second, third}) == 3
    listen(third)


def test_a_place_that_is_itself_too_long_for_sockets_is_refused(short: Path) -> None:
    place = short / ("p" * 100)
    place.mkdir()
    with pytest.raises(SocketPathTooLong, match="shorter folder"):
        Home.create(short / ("d" * 100), sockets_in=place)
    assert list(place.iterdir()) == []


def test_a_long_name_for_a_socket_is_refused(short: Path) -> None:
    with pytest.raises(SocketPathTooLong, match="24 bytes"):
        Home(short).socket("x" * 25)


def test_a_copy_does_not_take_the_sockets_of_the_original_for_its_own(short: Path) -> None:
    original = Home.create(short / ("d" * 100), sockets_in=short)
    listen(original.agent_socket)
    shutil.copytree(original.path, short / ("c" * 100), symlinks=True)
    copy = Home(short / ("c" * 100))
    assert not copy.agent_socket.exists(), "before it is made ready, nobody answers there"

    made = Home.create(copy.path, sockets_in=short)

    assert made.agent_socket.parent != original.agent_socket.parent
    assert original.agent_socket.exists()
    assert Home.create(original.path, sockets_in=short).agent_socket == original.agent_socket


def test_the_sockets_of_a_home_that_was_moved_are_cleared_away(short: Path) -> None:
    home = Home.create(short / ("d" * 100), sockets_in=short)
    former = home.agent_socket.parent
    home.path.rename(short / ("m" * 100))

    moved = Home.create(short / ("m" * 100), sockets_in=short)

    assert moved.agent_socket.parent != former
    assert not former.exists()


def test_a_home_knows_where_it_was_used_last_whatever_link_leads_there(short: Path) -> None:
    Home.create(short / "real")
    (short / "link").symlink_to(short / "real")
    linked = Home.create(short / "link")
    linked.settle()
    assert linked.written().place == str(short.resolve() / "real")
    assert linked.path == short / "link"
