from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l00_kernel.reserve import FILES, SIZE, Reserve
from drystone.l00_kernel.shortage import DiskFull


def test_each_file_of_the_reserve_makes_room_once_and_comes_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve")
    reserve.fill()
    made = list((tmp_path / "reserve").iterdir())
    assert len(made) == FILES
    assert {path.stat().st_blocks * 512 for path in made} == {SIZE}
    attempts = []

    def write() -> None:
        attempts.append(len(list((tmp_path / "reserve").iterdir())))
        if len(attempts) < 3:
            raise DiskFull

    reserve.write(write)
    assert attempts == [FILES, FILES - 1, FILES - 2]
    reserve.fill()
    assert len(list((tmp_path / "reserve").iterdir())) == FILES


def test_a_reserve_that_is_used_up_says_that_the_disk_is_full(tmp_path: Path) -> None:
    def write() -> None:
        raise DiskFull("no room")

    with pytest.raises(DiskFull, match="no room"):
        Reserve(tmp_path / "none").write(write)


def test_what_others_need_more_is_left(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, files=3, size=4096)
    reserve.fill()
    assert reserve.give_way(keep=2)
    assert not reserve.give_way(keep=2)
    assert reserve.give_way()
