from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.supervision import files, record


def test_a_log_is_rotated_only_above_the_limit(tmp_path: Path) -> None:
    log = tmp_path / "log"
    files.rotate(log)
    log.write_bytes(b"x" * 10)
    files.rotate(log, limit=10)
    assert log.exists()
    files.rotate(log, limit=9)
    assert not log.exists()
    assert (tmp_path / "log.1").read_bytes() == b"x" * 10


def test_the_tail_begins_where_the_current_start_began(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    since = log.stat().st_size
    log.write_text("old\nnew 1\nnew 2\n")
    assert files.tail(log, since=since) == "new 1\nnew 2"
    assert files.tail(log, lines=1) == "new 2"
    assert files.tail(log, since=10_000) == "old\nnew 1\nnew 2"
    assert files.tail(tmp_path / "none") == ""


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = record.Record(ProcessId(1, 2, "boot"), {"clients": 20000}, 1024, "1.0", wanted=False)
    record.write(tmp_path / "record.json", written)
    assert record.read(tmp_path / "record.json") == written


@pytest.mark.parametrize("content", [b"", b"{", b"[]", msgspec.json.encode({"process": 1})])
def test_what_is_no_record_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "record.json").write_bytes(content)
    assert record.read(tmp_path / "record.json") is None


def test_processes_elsewhere_are_not_found(tmp_path: Path) -> None:
    assert record.processes_in(tmp_path, "sleep") == ()
