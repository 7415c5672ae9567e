"""Runs of jobs, as they are shown and as commands pass them on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from drystone.l25_deployer.jobs.api import AttemptView, RunOutput, RunView, State
from drystone.l85_surfaces.cli.commands.jobs import _pass_on
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views.jobs import runs, standing

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def a_run(state: State, code: int | None, reason: str = "") -> RunView:
    began = NOW - timedelta(minutes=5)
    attempt = AttemptView(
        instance="i",
        release=3,
        began=began,
        ended=None if state == "running" else began + timedelta(seconds=90),
        code=code,
        reason=reason,
    )
    return RunView(
        id="20260504t115500-5d0ca1",
        job="report",
        command=["report"],
        by="ada",
        asked=began,
        state=state,
        reason=reason,
        attempts=[] if state == "waiting" else [attempt],
    )


def test_a_list_tells_state_length_exit_and_release() -> None:
    lines = list(runs([a_run("failed", 3, "ended with exit code 3"), a_run("running", None)], NOW))
    words = [" ".join(line.split()) for line in lines]
    assert words[0] == "RUN JOB STATE AGE TOOK EXIT ATTEMPTS RELEASE BY REASON"
    assert words[1] == (
        "20260504t115500-5d0ca1 report failed 5 m 1 m 30 s 3 1 3 ada ended with exit code 3"
    )
    assert words[2] == "20260504t115500-5d0ca1 report running 5 m 5 m 00 s - 1 3 ada"
    assert "drystone jobs run" in "\n".join(runs([], NOW))


def test_a_line_says_how_a_run_stands() -> None:
    assert standing(a_run("waiting", None)) == "run 20260504t115500-5d0ca1 of 'report' waits"
    assert standing(a_run("stopped", None, "enough")).endswith("was stopped: enough")


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [("succeeded", 0, 0), ("failed", 3, 3), ("failed", None, 1), ("stopped", None, 1)],
)
async def test_the_exit_code_of_a_run_is_that_of_its_command(
    state: State, code: int | None, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def said() -> AsyncIterator[RunOutput]:
        yield RunOutput("one\n")
        yield RunOutput("two\n")
        yield RunOutput(run=a_run(state, code))

    assert await _pass_on(said(), Terminal(json=False)) == expected
    assert capsys.readouterr().out == "one\ntwo\n"
