from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ownership import OthersCanWrite, require_safe_file, require_safe_place

STRANGER = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def world_writable(path: Path) -> None:
    path.chmod(0o777)


def given_away(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def of_a_strange_group(path: Path) -> None:
    os.chown(path, -1, STRANGER)
    path.chmod(0o775)


SPOILED = [
    world_writable,
    pytest.param(given_away, marks=as_root),
    pytest.param(of_a_strange_group, marks=as_root),
]


def test_a_folder_of_mine_below_folders_of_mine_is_safe(tmp_path: Path) -> None:
    require_safe_place(tmp_path)
    require_safe_place(tmp_path / "not" / "there" / "yet")


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_place_that_others_may_change_is_refused_whatever_lies_below(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoiled = tmp_path / "spoiled"
    (spoiled / "home").mkdir(parents=True)
    spoil(spoiled)
    for place in (spoiled, spoiled / "home", spoiled / "new" / "home"):
        with pytest.raises(OthersCanWrite, match=f"{spoiled} .*(chmod go-w|chown)"):
            require_safe_place(place)


@pytest.mark.parametrize("spoil", SPOILED)
def test_where_a_link_leads_counts(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/home").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "far/home")
    require_safe_place(link)
    spoil(tmp_path / "far")
    with pytest.raises(OthersCanWrite):
        require_safe_place(link)


@as_root
def test_a_link_that_another_user_planted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "mine")
    given_away(link)
    with pytest.raises(OthersCanWrite, match="chown -h"):
        require_safe_place(link / "home")


def test_a_shared_folder_is_safe_above_and_not_as_the_place_itself(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    (shared / "home").mkdir(parents=True)
    shared.chmod(0o1777)
    require_safe_place(shared / "home")
    with pytest.raises(OthersCanWrite):
        require_safe_place(shared)


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_file_that_others_may_change_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    file = tmp_path / "key"
    require_safe_file(file)
    file.write_text("k")
    require_safe_file(file)
    spoil(file)
    with pytest.raises(OthersCanWrite):
        require_safe_file(file)


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("name", ["settings.toml", "run", "home.json"])
def test_a_home_with_something_of_others_in_it_is_not_entered(
    tmp_path: Path, spoil: Callable[[Path], None], name: str
) -> None:
    home = Home.create(tmp_path / "h")
    home.settings_file.write_text("port = 9000\n")
    Home.create(home.path)
    spoil(home.path / name)
    with pytest.raises(OthersCanWrite, match=name):
        Home.create(home.path)


def test_a_home_closes_the_settings_that_may_hold_passwords(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "h")
    home.settings_file.write_text("port = 9000\n")
    home.settings_file.chmod(0o644)
    Home.create(home.path)
    assert home.settings_file.stat().st_mode & 0o777 == 0o600


def test_the_umask_neither_opens_nor_closes_a_new_home(tmp_path: Path) -> None:
    for umask in (0, 0o077, 0o777):
        before = os.umask(umask)
        try:
            home = Home.create(tmp_path / f"new-{umask}" / ("l" * 90))
        finally:
            os.umask(before)
        assert home.path.parent.stat().st_mode & 0o777 == 0o755
        assert home.run.stat().st_mode & 0o777 == 0o700
        sockets = home.agent_socket.parent
        assert sockets.parent == Path("/tmp")
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert {one.stat().st_mode & 0o777 for one in sockets.iterdir()} == {0o600}
        shutil.rmtree(sockets)


@as_root
def test_a_folder_of_sockets_that_another_user_took_over_is_not_used(tmp_path: Path) -> None:
    long = tmp_path / ("l" * 90)
    home = Home.create(long)
    folder = home.agent_socket.parent
    assert folder.parent == Path("/tmp")
    try:
        given_away(folder)
        assert home.agent_socket.parent == home.run
        other = Home.create(long).agent_socket.parent
        assert other not in {folder, home.run}
        shutil.rmtree(other)
    finally:
        shutil.rmtree(folder)
