"""The platform's start, watch and stop, with the real keeper and a small agent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l85_surfaces.cli.reach import answers, is_kept
from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.small_platform import SmallPlatform

RUN_UP = Path(__file__).with_name("run_up.py")

Up = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def up(folder: Path) -> Iterator[Up]:
    started: list[subprocess.Popen[str]] = []

    def run(mood: str, *options: str, **env: str) -> subprocess.Popen[str]:
        tests = str(Path(__file__).parents[2])
        path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, str(RUN_UP), str(folder), mood, *options],
            env={**os.environ, "PYTHONPATH": path, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
    # One that still asks for the lock of another would take it over, so all of them end, not only its holder.
    for keeper in keepers_of(folder):
        os.kill(keeper, signal.SIGKILL)
    until(lambda: not is_kept(folder), "the keeper is gone")
    for agent in agents_of(folder):
        os.kill(agent, signal.SIGKILL)
    until(lambda: not is_kept(folder) and not answers(folder), "everything is gone")


def until(holds: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit, f"never: {what}"
        time.sleep(0.02)


def keeper_of(folder: Path) -> int | None:
    return int((folder / "run/keeper.lock").read_text()) if is_kept(folder) else None


def agents_of(folder: Path) -> list[int]:
    """Return the small agents of a home, whether they listen or not."""
    return [
        pid
        for pid, words in commands()
        if len(words) > 2 and words[1].endswith("small_agent.py") and words[2] == str(folder)
    ]


def keepers_of(folder: Path) -> list[int]:
    """Return the keepers of a home, whether they hold its lock or still ask for it."""
    wanted = ["drystone.l90_assembly.keeper", "--home", str(folder)]
    return [pid for pid, words in commands() if words[3:6] == wanted]


def commands() -> Iterator[tuple[int, list[str]]]:
    """Yield the pid and the command of each process."""
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal():
                yield int(process.name), (process / "cmdline").read_text().split("\0")


def agent_of(folder: Path) -> int | None:
    """Return the process that listens on the agent's socket."""
    if not answers(folder):
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(Home(folder).agent_socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return None  # it has died since it answered
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[:4], sys.byteorder)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_a_detached_up_returns_when_the_platform_is_ready(
    up: Up, folder: Path, drystone: Drystone
) -> None:
    code, out, err = end(up("good", "--detach"))

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "layer  10  proxy                 ready       0.31 s"
    assert lines[1] == "layer  25  deployer              adopted     0.05 s  2 instances"
    assert lines[2].startswith("ready in ")
    assert lines[2].endswith("http://localhost:8400/")
    assert drystone("status").code == 0


def test_down_stops_the_agent_and_its_keeper(up: Up, folder: Path, drystone: Drystone) -> None:
    end(up("good", "--detach"))

    said = drystone("down")

    assert (said.code, said.err) == (0, "")
    assert "layer  25  deployer              stopped     0.02 s\n" in said.out
    assert said.out.splitlines()[-1].startswith("stopped in ")
    assert not answers(folder)
    assert not is_kept(folder)


def test_down_without_a_platform_is_done_already(drystone: Drystone, folder: Path) -> None:
    said = drystone("down")

    assert (said.code, said.err) == (0, "")
    assert said.out == f"no platform runs in {folder}; nothing to stop\n"


def test_up_on_a_platform_that_runs_says_so(up: Up, drystone: Drystone) -> None:
    end(up("good", "--detach"))

    said = drystone("up")

    assert (said.code, said.err) == (0, "")
    assert said.out == "already running   http://localhost:8400/\n"


def test_up_with_other_options_than_what_runs_is_refused(up: Up, drystone: Drystone) -> None:
    end(up("good", "--detach"))

    said = drystone("up", "--port", "8500")

    assert said.code == 1
    assert "runs already, with port 8400" in said.err
    assert "up --port 8500" in said.err


def test_up_tells_when_nobody_keeps_the_agent(small: SmallPlatform, drystone: Drystone) -> None:
    said = drystone("up")

    assert said.code == 0
    assert "already running" in said.out
    assert "without its keeper" in said.err


def test_two_ups_at_once_bring_up_one_platform(up: Up, folder: Path) -> None:
    first, second = up("good", "--detach"), up("good", "--detach")

    assert [end(first)[0], end(second)[0]] == [0, 0]
    assert len(agents_of(folder)) == 1


def test_options_of_up_are_kept_in_the_homes_settings(up: Up, folder: Path) -> None:
    end(up("good", "--detach", "--port", "8500"))

    assert "port = 8500" in (folder / "settings.toml").read_text().splitlines()


def test_an_option_that_a_variable_overrides_is_misuse(
    drystone: Drystone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRYSTONE_PORT", "8600")

    said = drystone("up", "--port", "8500")

    assert said.code == 2
    assert "DRYSTONE_PORT is set and says 8600" in said.err
    assert not is_kept(folder)


def test_an_agent_that_refuses_fails_the_start_with_its_last_words(up: Up, folder: Path) -> None:
    code, out, err = end(up("refuse", "--detach"))

    assert (code, out) == (1, "")
    assert "does not come up: its agent ended" in err
    assert "  agent starts in a refuse mood" in err
    assert not is_kept(folder)


def test_an_agent_that_crashes_fails_the_start_and_is_no_longer_kept(up: Up, folder: Path) -> None:
    code, _, err = end(up("crash", "--detach"))

    assert code == 1
    assert "its agent ended 3 times" in err
    assert "  agent starts in a crash mood" in err
    until(lambda: not is_kept(folder), "the keeper leaves")


def test_a_platform_that_is_not_ready_fails_the_start_and_goes_on(
    up: Up, drystone: Drystone
) -> None:
    code, _, err = end(up("half", "--detach"))

    assert code == 1
    assert "is not ready\n  postgres: disk full\n" in err
    assert "not ready" in drystone("status").out


def test_the_stream_of_up_ends_with_the_status_for_machines(up: Up) -> None:
    code, out, _ = end(up("good", "--detach", "--json"))

    *parts, status = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [part["state"] for part in parts] == ["starting", "ready", "adopted"]
    assert status["ready"] is True


def test_ctrl_c_in_a_watching_up_stops_the_platform(up: Up, folder: Path) -> None:
    process = up("good")
    assert process.stdout
    seen = [process.stdout.readline() for _ in range(4)]
    assert seen[-1] == "Ctrl-C stops the platform\n"

    process.send_signal(signal.SIGINT)

    code, out, err = end(process)
    assert code == 0
    assert "stopping the platform" in err
    assert "deployer              stopped" in out
    assert not answers(folder)
    assert not is_kept(folder)


def test_a_watching_up_survives_its_agent_and_ends_with_the_platform(
    up: Up, folder: Path, drystone: Drystone
) -> None:
    process = up("good")
    assert process.stdout
    for _ in range(4):
        process.stdout.readline()
    first = agent_of(folder)
    assert first

    os.kill(first, signal.SIGKILL)

    until(lambda: agent_of(folder) not in (None, first), "a new agent")
    assert f"agent  pid {first} → " in process.stdout.readline()
    assert drystone("down").code == 0
    code, out, _ = end(process)
    assert code == 0
    assert out.splitlines()[-1] == "the platform was stopped"


def test_ctrl_c_in_a_detached_start_leaves_the_start_to_itself(up: Up, folder: Path) -> None:
    process = up("slow", "--detach")
    until(lambda: is_kept(folder), "a keeper")
    process.send_signal(signal.SIGINT)

    code, _, err = end(process)

    assert code == 130
    assert "the start goes on without you" in err
    assert is_kept(folder)


def test_a_kept_agent_that_does_not_answer_is_told_apart(
    up: Up, folder: Path, drystone: Drystone
) -> None:
    process = up("slow", "--detach")
    until(lambda: is_kept(folder), "a keeper")

    for words in (["down"], ["services"]):
        said = drystone(*words)
        assert said.code == 1
        assert "does not answer" in said.err
        assert "agent.log" in said.err
    process.kill()


def test_without_a_platform_every_command_says_how_to_start_one(
    drystone: Drystone, folder: Path
) -> None:
    said = drystone("services")

    assert said.code == 1
    assert said.err == (
        f"error: no platform runs in {folder}: start it with `drystone up --home {folder}`\n"
    )
