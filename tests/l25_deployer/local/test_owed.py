from __future__ import annotations

import pytest

from drystone.l00_kernel.shortage import DiskFull
from drystone.l25_deployer.local.owed import Owed


class Disk:
    """Takes down what is written, while it has room."""

    def __init__(self) -> None:
        self.has_room = True
        self.written: list[str] = []

    def write(self, text: str) -> None:
        if not self.has_room:
            raise DiskFull("no room")
        self.written.append(text)


def test_what_finds_no_room_is_written_later_in_the_order_in_which_it_happened() -> None:
    disk, owed = Disk(), Owed()
    owed.do(lambda: disk.write("first"))
    assert not owed
    disk.has_room = False
    owed.do(lambda: disk.write("second"))
    owed.do(lambda: disk.written.append("needs no room"))
    assert owed
    assert (disk.written, owed.reason) == (["first"], "no room")
    with pytest.raises(DiskFull):
        owed.settle()
    disk.has_room = True
    owed.do(lambda: disk.write("third"))
    assert disk.written == ["first", "second", "needs no room", "third"]
    assert not owed
    assert owed.reason == ""
