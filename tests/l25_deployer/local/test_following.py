"""Which lines of a log are asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l25_deployer.local.following import past

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_lines_since_a_moment_are_those_written_after_the_last_look_before_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    log = LogFile(path)
    log.mark(NOON)
    with path.open("a") as stream:
        stream.write("after\nlater\n")
    log.mark(NOON + 10 * SECOND)

    def since(moment: datetime | None, lines: int = 100) -> list[str]:
        return [line.text for line in past(log, lines, moment)]

    assert since(None) == ["before", "after", "later"]
    assert since(NOON + SECOND) == ["after", "later"]
    assert since(NOON + SECOND, 1) == ["later"]
    assert since(NOON + 11 * SECOND) == []
    assert "before" in since(NOON - SECOND)
