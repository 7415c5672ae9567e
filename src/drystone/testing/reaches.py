"""The same service in every way in which it can be reached.

A test that takes the fixture of :func:`reaches` runs three times: on the implementation itself, through its
wire form in the process, and on a process of its own::

    secrets = reaches(SecretsApi, Secrets)

    async def test_a_written_secret_can_be_read(secrets: SecretsApi) -> None: ...
"""

from __future__ import annotations

import inspect
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import pytest
import pytest_asyncio

from drystone.l00_kernel.contract import Api, connect, loopback
from drystone.l00_kernel.contract.inprocess import claim

A = TypeVar("A", bound=Api)
Reach: TypeAlias = Literal["embedded", "loopback", "alone", "alone over tcp"]
"""Where the implementation is; alone, it is reached over a unix socket unless it says otherwise."""

REACHES: tuple[Reach, ...] = ("embedded", "loopback", "alone")
_GRACE_S = 10


@asynccontextmanager
async def reach(
    how: Reach, contract: type[A], make: Callable[..., A], *arguments: str
) -> AsyncIterator[A]:
    """Make an implementation and reach it one way.

    Args:
        how: Which way.
        contract: What is reached.
        make: A class or function of a module's top level; another process finds it by its name.
        arguments: What it is called with.
    """
    if how == "embedded":
        yield make(*arguments)
    elif how == "loopback":
        yield loopback(contract, make(*arguments))
    else:
        with alone(make, *arguments, over_tcp=how != "alone") as address:
            uds = address if isinstance(address, Path) else None
            url = None if isinstance(address, Path) else address
            async with connect(contract, uds=uds, base_url=url, credentials=claim) as client:
                yield client


def reaches(contract: type[A], make: Callable[..., A], *arguments: str) -> Any:
    """Return a fixture that is an implementation, reached in every way.

    Args:
        contract: What the tests hold.
        make: Makes the implementation; see :func:`reach`.
        arguments: What it is called with.
    """

    @pytest_asyncio.fixture(params=REACHES)
    async def reached(request: pytest.FixtureRequest) -> AsyncIterator[A]:
        async with reach(request.param, contract, make, *arguments) as api:
            yield api

    return reached


@contextmanager
def alone(make: Callable[..., Api], *arguments: str, over_tcp: bool) -> Iterator[Path | str]:
    """Run an implementation in a process of its own, on a unix socket or a free port.

    The socket listens before the process starts, so that the first request waits and none is refused.

    Yields:
        The socket's path, or the URL.
    """
    folder = Path(tempfile.mkdtemp(prefix="dry-", dir="/tmp"))
    try:
        with _listen(folder, over_tcp=over_tcp) as listening:
            address = listening.getsockname()
            server = _start(listening, make, arguments)
        try:
            yield f"http://127.0.0.1:{address[1]}" if over_tcp else Path(address)
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder)


def _listen(folder: Path, *, over_tcp: bool) -> socket.socket:
    if over_tcp:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(folder / "s"))
    listening.listen(64)
    return listening


def _start(
    listening: socket.socket, make: Callable[..., Api], arguments: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    file = inspect.getsourcefile(make)
    if file is None:
        raise TypeError(f"{make!r} has no file that another process could load")
    command = [sys.executable, "-m", "drystone.testing.alone", str(listening.fileno())]
    command += [make.__module__, file, make.__qualname__, *arguments]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, pass_fds=[listening.fileno()], env=env)  # noqa: S603 - our own program


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
