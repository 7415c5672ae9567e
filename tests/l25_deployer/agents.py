"""A real agent as a process of its own, for a throw-away home."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.home import Home
from drystone.l25_deployer.api import DeployerApi

AGENT = (sys.executable, "-P", "-m", "drystone.l90_assembly.agent", "--home")


class AgentEnded(AssertionError):
    """It ended before it could be reached; the message is its log."""


def start_agent(
    home: Path, port: int, more: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start an agent, with more variables if any; its log goes to ``agent.log`` beside the home."""
    own = {"DRYSTONE_PORT": str(port), "DRYSTONE_RUNTIME": "processes"}
    environ = {**os.environ, **own, **(more or {})}
    with (home.parent / "agent.log").open("a") as log:
        return subprocess.Popen([*AGENT, str(home)], stderr=log, text=True, env=environ)


def end_agent(agent: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> int:
    """Signal an agent and return its exit code."""
    agent.send_signal(number)
    try:
        return agent.wait(20)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()
        raise


@contextmanager
def agent_at(
    home: Path, port: int, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run an agent until the end of the block, with more variables if any; yields once it listens."""
    agent = start_agent(home, port, more)
    try:
        until_it_listens(agent, home)
        yield agent
    finally:
        if agent.poll() is None:
            end_agent(agent)


def until_it_listens(agent: subprocess.Popen[str], home: Path) -> None:
    """Return once an agent can be reached; fail when it ends before."""
    limit = time.monotonic() + 30
    while not _listens(home):
        if agent.poll() is not None:
            raise AgentEnded((home.parent / "agent.log").read_text())
        assert time.monotonic() < limit, "it never listens"
        time.sleep(0.01)


def _listens(home: Path) -> bool:
    """Tell whether somebody answers; an agent that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(Home(home).agent_socket))
        except OSError:
            return False
    return True


@asynccontextmanager
async def client_of(home: Path) -> AsyncIterator[DeployerApi]:
    """Reach the agent of a home."""
    async with connect(DeployerApi, uds=Home(home).agent_socket) as api:
        yield api
