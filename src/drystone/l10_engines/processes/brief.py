"""Run a program that ends by itself soon, and read what it says."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from drystone.l00_kernel.errors import DeadlineExceeded, Unavailable
from drystone.l00_kernel.shortage import in_words
from drystone.l10_engines.namespaces import inside


class Outcome(msgspec.Struct, frozen=True):
    """How a program ended.

    Attributes:
        code: The exit code, or minus the signal's number.
        output: Its standard output.
        complaint: Its standard error, as text without the space around it.
    """

    code: int
    output: bytes
    complaint: str


async def run_briefly(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    directory: Path = Path("/"),
    limit: timedelta = timedelta(seconds=30),
    umask: int = -1,
    given: bytes = b"",
    network: Path | None = None,
) -> Outcome:
    """Run a command to its end, beside the event loop.

    Input and output go through files without a name, not through pipes: what the command leaves running may
    keep a pipe open for ever, and uvloop's own subprocesses let children inherit their ends of the pipes.

    Args:
        command: Program and arguments; no shell reads them.
        env: The whole environment.
        directory: Working directory.
        limit: How long it may take; it is killed then. Who gives up waiting earlier does not end it.
        umask: Permissions that its files lack; this process's own when -1.
        given: What it can read from its standard input.
        network: The network in which it runs; see :func:`~drystone.l10_engines.namespaces.inside`.

    Raises:
        Unavailable: The program does not exist or may not be executed.
        DeadlineExceeded: It did not end in time.
        NetworkLost: The network is not there.
    """
    run = partial(_run, command, env, directory, limit=limit, umask=umask, given=given)
    return await asyncio.to_thread(inside, network, run)


def _run(
    command: Sequence[str],
    env: Mapping[str, str],
    directory: Path,
    *,
    limit: timedelta,
    umask: int,
    given: bytes,
) -> Outcome:
    with (
        tempfile.TemporaryFile() as words,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as complaint,
    ):
        words.write(given)
        words.seek(0)
        try:
            done = subprocess.run(  # noqa: S603 - no shell
                command,
                stdin=words,
                stdout=output,
                stderr=complaint,
                env=env,
                cwd=directory,
                check=False,
                timeout=limit.total_seconds(),
                umask=umask,
            )
        except subprocess.TimeoutExpired as e:
            raise DeadlineExceeded(
                f"{command[0]} did not end within {limit.total_seconds():g} s and was killed",
                command=command[0],
            ) from e
        except OSError as e:
            raise Unavailable(
                f"{command[0]} does not start: {in_words(e)}", command=command[0]
            ) from e
        output.seek(0)
        complaint.seek(0)
        said = complaint.read().decode(errors="replace").strip()
        return Outcome(done.returncode, output.read(), said)
