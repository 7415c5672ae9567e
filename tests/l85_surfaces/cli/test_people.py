"""What needs a process of its own: keys, terminals and pipes."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import DESCRIPTOR, Drystone
from l85_surfaces.cli.small_platform import SmallPlatform

MAIN = "import sys; from drystone.l85_surfaces.cli.entry import main; sys.exit(main())"

pytestmark = pytest.mark.usefixtures("small")

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *words, "--home", str(folder)],
            stdin=subprocess.DEVNULL,
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


class Screen:
    """A command on a terminal of its own.

    Args:
        words: The command line.
        env: Variables beside those of this process.
    """

    def __init__(self, *words: str, **env: str) -> None:
        self._master, slave = pty.openpty()
        self._seen = b""
        self._process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **env},
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self._seen += os.read(self._master, 4096)
            except OSError:  # the last holder of the other end has gone
                return

    @property
    def text(self) -> str:
        return self._seen.decode("utf-8", "replace")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        try:
            return self._process.wait(30)
        finally:
            self._process.kill()
            self._reader.join()
            os.close(self._master)


def until(holds: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit, f"never: {what}"
        time.sleep(0.01)


def read_until(process: subprocess.Popen[str], part: str) -> None:
    assert process.stdout
    while part not in (line := process.stdout.readline()):
        assert line, f"the output ended without {part!r}"


def test_ctrl_c_aborts_a_deploy_and_tells_what_serves(
    start: Start, drystone: Drystone, descriptor: Path
) -> None:
    drystone("deploy", str(descriptor), "--version", "1.1")
    descriptor.write_text(DESCRIPTOR + "x-outcome: hangs\n")
    process = start("deploy", str(descriptor))
    read_until(process, "copied 3 files")

    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[0].startswith("aborting; Ctrl-C again leaves at once")
    assert err.splitlines()[1] == "aborted; release 1, version 1.1, serves"


def test_a_second_ctrl_c_leaves_a_deploy_that_does_not_end(start: Start, descriptor: Path) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: stuck\n")
    process = start("deploy", str(descriptor))
    read_until(process, "copied 3 files")
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "aborting" in process.stderr.readline()

    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 130


def test_ctrl_c_while_waiting_for_another_deploy_does_not_abort_that_one(
    start: Start, descriptor: Path, small: SmallPlatform
) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: hangs\n")
    first = start("deploy", str(descriptor))
    read_until(first, "copied 3 files")
    second = start("deploy", str(descriptor), "--json")
    read_until(second, '"wait"')

    second.send_signal(signal.SIGINT)

    _, err = second.communicate(timeout=30)
    assert second.returncode == 130
    assert "waits for another one" in err
    assert not small.aborting["dev", "orders"].is_set()
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)


def test_abort_from_elsewhere_ends_the_deploy_with_1(
    start: Start, drystone: Drystone, descriptor: Path
) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: hangs\n")
    process = start("deploy", str(descriptor))
    read_until(process, "copied 3 files")

    assert drystone("abort", "orders").out == "nothing serves\n"

    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "aborted; nothing serves" in err


def test_ctrl_c_ends_logs_that_follow_new_releases(
    start: Start, drystone: Drystone, descriptor: Path
) -> None:
    drystone("deploy", str(descriptor))
    process = start("logs", "orders", "--follow", "--group", "worker")
    read_until(process, "orders-2-web-1 | hello")

    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_a_reader_that_goes_away_is_no_error(
    start: Start, drystone: Drystone, descriptor: Path
) -> None:
    drystone("deploy", str(descriptor))
    process = start("logs", "orders", "--follow")
    assert process.stdout
    process.stdout.close()

    assert process.wait(30) == 141
    assert process.stderr
    assert process.stderr.read() == ""


def test_a_terminal_gets_colours_and_a_restored_cursor(folder: Path, descriptor: Path) -> None:
    screen = Screen("deploy", str(descriptor), "--home", str(folder))

    assert screen.end() == 0
    assert "\x1b[32m✓" in screen.text
    assert "http://orders.dev.localhost:8400/" in screen.text
    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l")


def test_a_terminal_shows_what_runs_now(folder: Path, descriptor: Path, drystone: Drystone) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: hangs\n")
    screen = Screen("deploy", str(descriptor), "--home", str(folder))

    until(lambda: "waiting for 1 of 2 instances" in screen.text, "the step that runs")

    drystone("abort", "orders")
    assert screen.end() == 1


def test_a_terminal_shows_that_the_platform_is_silent(
    folder: Path, descriptor: Path, drystone: Drystone
) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: silent\n")
    screen = Screen("deploy", str(descriptor), "--home", str(folder))

    until(lambda: "waiting for the platform" in screen.text, "a sign of life")

    until(lambda: drystone("abort", "orders").code == 0, "the deploy is there")
    assert screen.end() == 1


def test_no_color_is_respected(folder: Path, descriptor: Path) -> None:
    screen = Screen("deploy", str(descriptor), "--home", str(folder), NO_COLOR="1")

    assert screen.end() == 0
    assert not re.search("\x1b\\[[0-9;]*[1-9][0-9;]*m", screen.text)


def test_each_instance_has_its_colour(folder: Path, descriptor: Path, drystone: Drystone) -> None:
    drystone("deploy", str(descriptor))
    screen = Screen("logs", "orders", "--home", str(folder))

    assert screen.end() == 0
    assert "\x1b[36morders-1-web-1 |\x1b[0m line 1 of 1" in screen.text
    assert "\x1b[33morders-1-web-2 |\x1b[0m line 1 of 2" in screen.text


@pytest.mark.parametrize(("typed", "code"), [("orders", 0), ("ordres", 1), ("", 1)])
def test_destroy_asks_for_the_name(
    folder: Path, descriptor: Path, drystone: Drystone, typed: str, code: int
) -> None:
    descriptor.write_text(DESCRIPTOR + "resources: {db: {type: postgres}}\n")
    drystone("deploy", str(descriptor))
    screen = Screen("destroy", "orders", "--delete-data", "db", "--home", str(folder))
    until(lambda: "Type orders to go on: " in screen.text, "the question")
    assert "its data is DELETED" in screen.text

    screen.type(f"{typed}\n")

    assert screen.end() == code
    assert drystone("show", "orders").code == (0 if code else 1)
