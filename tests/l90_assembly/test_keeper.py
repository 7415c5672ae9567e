from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.l90_assembly import keeper

KEEPER = (sys.executable, "-P", "-m", "drystone.l90_assembly.keeper")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(script: str) -> subprocess.Popen[str]:
        """Start a keeper whose agent is a shell script; `$0` is a folder that the script may write to."""
        process = subprocess.Popen(
            [*KEEPER, "--home", str(tmp_path), "--", "/bin/sh", "-c", script, str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
    agents = tmp_path / "agents"
    for pid in agents.read_text().split() if agents.exists() else []:
        with suppress(ProcessLookupError):
            os.killpg(int(pid), signal.SIGKILL)


def until(holds: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit, f"never: {what}"
        time.sleep(0.01)


def log_of(home: Path) -> str:
    log = home / "run/keeper.log"
    return log.read_text() if log.exists() else ""


def starts(home: Path) -> list[int]:
    """Return the pid of every agent that came up, in order."""
    agents = home / "agents"
    return [int(pid) for pid in agents.read_text().split()] if agents.exists() else []


def test_an_agent_that_dies_is_started_again(start: Start, tmp_path: Path) -> None:
    start('echo $$ >> "$0/agents"; exec sleep 60')
    until(lambda: len(starts(tmp_path)) == 1, "the first agent")

    os.kill(starts(tmp_path)[0], signal.SIGKILL)

    until(lambda: len(starts(tmp_path)) == 2, "a second agent")
    assert "signal 9" in log_of(tmp_path)


def test_the_pause_doubles_between_failures(start: Start, tmp_path: Path) -> None:
    start('echo $$ >> "$0/agents"; exit 1')

    until(lambda: len(starts(tmp_path)) == 4, "four attempts")

    pauses = [
        line.rpartition(" in ")[2] for line in log_of(tmp_path).splitlines() if "again" in line
    ]
    assert pauses[:3] == ["0.1 s", "0.2 s", "0.4 s"]


def test_a_deliberate_end_of_the_agent_ends_the_keeper(start: Start, tmp_path: Path) -> None:
    assert start('echo $$ >> "$0/agents"; exit 0').wait(20) == 0
    assert len(starts(tmp_path)) == 1


def test_an_agent_that_refuses_is_not_tried_again(start: Start, tmp_path: Path) -> None:
    kept = start('echo $$ >> "$0/agents"; echo another agent holds this home; exit 3')

    assert kept.wait(20) == keeper.REFUSED
    assert len(starts(tmp_path)) == 1
    assert (tmp_path / "run/agent.log").read_text() == "another agent holds this home\n"


def test_a_second_keeper_refuses_and_names_the_first(start: Start, tmp_path: Path) -> None:
    first = start('echo $$ >> "$0/agents"; exec sleep 60')
    until(lambda: len(starts(tmp_path)) == 1, "the agent")

    second = start('echo $$ >> "$0/agents"; exec sleep 60')
    _, message = second.communicate(timeout=20)

    assert second.returncode == keeper.REFUSED
    assert f"pid {first.pid}" in message
    assert len(starts(tmp_path)) == 1


def test_a_look_at_the_lock_does_not_keep_a_keeper_from_starting(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    with (tmp_path / "run/keeper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        look = threading.Timer(0.2, fcntl.flock, (lock, fcntl.LOCK_UN))
        look.start()

        start('echo $$ >> "$0/agents"; exec sleep 60')

        until(lambda: len(starts(tmp_path)) == 1, "the agent")
        look.join()


def test_the_lock_is_free_again_after_the_keeper_was_killed(start: Start, tmp_path: Path) -> None:
    first = start('echo $$ >> "$0/agents"; exec sleep 60')
    until(lambda: len(starts(tmp_path)) == 1, "the agent")
    first.kill()
    first.wait(20)

    start('echo $$ >> "$0/agents"; exec sleep 60')

    until(lambda: len(starts(tmp_path)) == 2, "an agent of the second keeper")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_reaches_the_agent_as_sigterm(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    kept = start(
        'trap \'echo left > "$0/left"; exit 0\' TERM; echo $$ >> "$0/agents"; '
        "while :; do sleep 0.05; done"
    )
    until(lambda: len(starts(tmp_path)) == 1, "the agent")

    kept.send_signal(number)

    assert kept.wait(20) == 0
    assert (tmp_path / "left").read_text() == "left\n"


def test_an_agent_that_fails_while_leaving_is_not_started_again(
    start: Start, tmp_path: Path
) -> None:
    kept = start("trap 'exit 1' TERM; echo $$ >> \"$0/agents\"; while :; do sleep 0.05; done")
    until(lambda: len(starts(tmp_path)) == 1, "the agent")

    kept.terminate()

    assert kept.wait(20) == 0
    assert len(starts(tmp_path)) == 1


def test_a_second_request_ends_the_keeper_without_the_agent(start: Start, tmp_path: Path) -> None:
    kept = start("trap '' TERM; echo $$ >> \"$0/agents\"; while :; do sleep 0.05; done")
    until(lambda: len(starts(tmp_path)) == 1, "the agent")

    kept.terminate()
    until(lambda: "telling the agent" in log_of(tmp_path), "the first request was taken")
    kept.terminate()

    assert kept.wait(20) == 0
    os.kill(starts(tmp_path)[0], 0)  # raises if the agent is gone


def test_a_pause_can_be_interrupted(start: Start, tmp_path: Path) -> None:
    kept = start('echo $$ >> "$0/agents"; exit 1')
    until(lambda: "in 1.6 s" in log_of(tmp_path), "a pause that is long enough to hit")

    kept.terminate()

    assert kept.wait(20) == 0
    assert "the agent does not run" in log_of(tmp_path)


def test_the_agent_leads_a_session_with_no_blocked_signals_and_its_output_in_a_file(
    start: Start, tmp_path: Path
) -> None:
    kept = start('echo $$ >> "$0/agents"; echo out; echo err >&2; exec sleep 60')
    until(lambda: len(starts(tmp_path)) == 1, "the agent")
    agent = starts(tmp_path)[0]

    assert os.getsid(agent) == agent != os.getsid(kept.pid)
    until(lambda: (tmp_path / "run/agent.log").read_text() == "out\nerr\n", "both outputs")
    status = Path(f"/proc/{agent}/status").read_text().splitlines()
    masks = dict(line.split(":\t") for line in status if line.startswith(("SigBlk", "SigIgn")))
    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) & 1 << (signal.SIGHUP - 1) == 0


def test_the_keeper_outlives_its_terminal(start: Start, tmp_path: Path) -> None:
    kept = start('echo $$ >> "$0/agents"; exec sleep 60')
    until(lambda: len(starts(tmp_path)) == 1, "the agent")

    kept.send_signal(signal.SIGHUP)
    os.kill(starts(tmp_path)[0], signal.SIGKILL)

    until(lambda: len(starts(tmp_path)) == 2, "a second agent")
    assert kept.poll() is None


def test_a_large_log_is_set_aside_when_the_agent_starts(start: Start, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    log = tmp_path / "run/agent.log"
    with log.open("wb") as file:
        file.truncate(keeper.LARGEST_LOG + 1)

    start('echo $$ >> "$0/agents"; echo fresh; exec sleep 60')

    until(lambda: log.exists() and log.read_text() == "fresh\n", "a log that starts anew")
    assert (tmp_path / "run/agent.log.1").stat().st_size == keeper.LARGEST_LOG + 1


def test_a_program_that_is_missing_is_tried_again_and_reported(tmp_path: Path) -> None:
    kept = subprocess.Popen(
        [*KEEPER, "--home", str(tmp_path), "--", str(tmp_path / "no-such-program")],
    )
    try:
        until(lambda: log_of(tmp_path).count("does not start: No such file") > 1, "two attempts")
    finally:
        kept.terminate()
        kept.wait(20)


def test_a_wrong_command_line_is_misuse() -> None:
    assert keeper.main(["--house", "/nowhere"]) == 2


def test_the_keeper_imports_only_the_standard_library_and_stays_small(
    start: Start, tmp_path: Path
) -> None:
    kept = start('echo $$ >> "$0/agents"; exec sleep 60')
    until(lambda: len(starts(tmp_path)) == 1, "the agent")

    status = Path(f"/proc/{kept.pid}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 12 * 1024, "in KiB"
    maps = Path(f"/proc/{kept.pid}/maps").read_text()
    assert "site-packages" not in maps
