from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l85_surfaces.cli import entry
from l85_surfaces.cli.small_agent import server_for
from l85_surfaces.cli.small_platform import SmallPlatform

DESCRIPTOR = """\
schema: 1
service: orders
description: Accepts customer orders.
owner: {team: commerce}
tier: 2
process: {command: [python, -m, orders, --port, "${port}"]}
health: /health
"""


@dataclass
class Said:
    """What a command line left behind."""

    code: int
    out: str
    err: str


Drystone = Callable[..., Said]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The reader's time zone, width, colours and home must not decide what a test sees."""
    for name in ("DRYSTONE_HOME", "NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A home with a short path: a unix socket's path has at most 107 bytes."""
    parent = Path(tempfile.mkdtemp(prefix="cli", dir="/tmp"))
    yield parent / "home"
    shutil.rmtree(parent)


@pytest.fixture
def small(folder: Path) -> Iterator[SmallPlatform]:
    """A platform that runs in the home, in a thread of this process."""
    Home.create(folder)
    platform = SmallPlatform("/home/of/drystone")
    server = server_for(platform, folder)
    platform._stopped = lambda: setattr(server, "should_exit", True)
    thread = threading.Thread(target=server.run)
    thread.start()
    limit = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < limit, "the small platform never started"
        time.sleep(0.005)
    yield platform
    server.should_exit = True
    thread.join()


@pytest.fixture
def drystone(folder: Path, capsys: pytest.CaptureFixture[str]) -> Drystone:
    """Run a command line on the home, in this process."""

    def run(*words: str) -> Said:
        at = words.index("--") if "--" in words else len(words)
        code = entry.main([*words[:at], "--home", str(folder), *words[at:]])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture
def descriptor(tmp_path: Path) -> Path:
    """A descriptor without mistakes."""
    path = tmp_path / "service.yaml"
    path.write_text(DESCRIPTOR)
    return path
