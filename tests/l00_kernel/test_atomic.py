from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.atomic import (
    PARTIAL,
    append_lines,
    read_if_exists,
    read_lines,
    remove_partials,
    write_atomically,
)

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from drystone.l00_kernel.atomic import write_atomically
place, contents = Path(sys.argv[1]), [bytes([65 + n]) * 300_000 for n in range(2)]
write_atomically(place, contents[0])
print("ready", flush=True)
turn = 0
while True:
    turn += 1
    write_atomically(place, contents[turn % 2])
"""


def test_what_was_written_can_be_read_and_only_by_its_owner(tmp_path: Path) -> None:
    place = tmp_path / "release.json"
    write_atomically(place, b"one")
    write_atomically(place, b"two")
    assert place.read_bytes() == b"two"
    assert place.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["release.json"]


def test_parts_are_written_in_their_order_however_many_there_are(tmp_path: Path) -> None:
    parts = [b"%d," % number for number in range(5000)]
    write_atomically(tmp_path / "whole", [*parts, b""])
    assert (tmp_path / "whole").read_bytes() == b"".join(parts)
    write_atomically(tmp_path / "whole", [])
    assert (tmp_path / "whole").read_bytes() == b""


def test_parts_that_a_limit_cuts_short_leave_the_old_content(tmp_path: Path) -> None:
    place = tmp_path / "whole"
    write_atomically(place, b"old")
    script = (
        "import resource, signal, sys; from pathlib import Path;"
        "from drystone.l00_kernel.atomic import write_atomically;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
        "write_atomically(Path(sys.argv[1]), [b'x' * 700] * 100)"
    )
    done = subprocess.run([sys.executable, "-c", script, place], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"File too large" in done.stderr
    assert place.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["whole"]


def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "envoy.json", b"{}", mode=0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "envoy.json").stat().st_mode & 0o777 == 0o644


def test_a_link_is_replaced_and_what_it_pointed_at_stays(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"untouched")
    (tmp_path / "document").symlink_to("target")
    write_atomically(tmp_path / "document", b"new")
    assert (tmp_path / "target").read_bytes() == b"untouched"
    assert not (tmp_path / "document").is_symlink()


def test_a_write_that_fails_leaves_the_old_state_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_writer_that_is_killed_leaves_one_whole_content(tmp_path: Path) -> None:
    place = tmp_path / "document"
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            before = place.stat().st_ino
            while place.stat().st_ino == before:  # at least one more write, then die in another
                pass
            writer.send_signal(signal.SIGKILL)
        assert place.read_bytes() in {b"A" * 300_000, b"B" * 300_000}
    assert {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(PARTIAL)} == {
        "document"
    }


def test_the_new_file_belongs_to_whom_it_was_given(tmp_path: Path) -> None:
    owner = (12345, 12346) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    write_atomically(tmp_path / "pg_hba.conf", b"x", mode=0o640, owner=owner)
    entry = (tmp_path / "pg_hba.conf").stat()
    assert (entry.st_uid, entry.st_gid, entry.st_mode & 0o777) == (*owner, 0o640)


def test_a_missing_file_reads_as_none(tmp_path: Path) -> None:
    assert read_if_exists(tmp_path / "document") is None
    write_atomically(tmp_path / "document", b"")
    assert read_if_exists(tmp_path / "document") == b""


def test_what_a_dead_writer_left_is_removed_and_what_a_living_one_writes_stays(
    tmp_path: Path,
) -> None:
    write_atomically(tmp_path / "document", b"whole")
    dead = subprocess.Popen(["true"])
    dead.wait()
    living = tmp_path / f"{PARTIAL}1-abcdefgh"
    for path in (living, tmp_path / f"{PARTIAL}{dead.pid}-abcdefgh", tmp_path / f"{PARTIAL}abcd"):
        path.write_bytes(b"half")
    own = tmp_path / f"{PARTIAL}{os.getpid()}-abcdefgh"  # of an earlier life with the same number
    own.write_bytes(b"half")
    assert remove_partials([tmp_path, tmp_path / "missing"]) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"document", living.name}


@given(
    whole=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=5),
    torn=st.one_of(st.binary(max_size=20), st.integers(4000, 9000).map(lambda n: b"x" * n)),
    added=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), min_size=1),
)
def test_lines_are_added_behind_the_last_whole_one(
    whole: list[bytes], torn: bytes, added: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("lines") / "log"
    torn = torn.replace(b"\n", b"")
    place.write_bytes(b"".join(line + b"\n" for line in whole) + torn)
    assert read_lines(place) == whole
    append_lines(place, b"".join(line + b"\n" for line in added))
    assert read_lines(place) == whole + added
    assert place.read_bytes().endswith(b"\n")


def test_lines_that_find_no_room_in_the_middle_leave_nothing(tmp_path: Path) -> None:
    place = tmp_path / "log"
    append_lines(place, b"one\n")
    assert place.stat().st_mode & 0o777 == 0o600
    script = (
        "import resource, signal, sys; from pathlib import Path;"
        "from drystone.l00_kernel.atomic import append_lines;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10));"
        "append_lines(Path(sys.argv[1]), b'two and more\\n')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, place], capture_output=True, text=True, check=False
    )
    assert "DiskFull" in ended.stderr
    assert place.read_bytes() == b"one\n"


def test_no_lines_are_added_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        append_lines(tmp_path / "log", b"one\n")
    assert not (tmp_path / "elsewhere").exists()
