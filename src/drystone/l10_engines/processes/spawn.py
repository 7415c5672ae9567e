"""Start a process in a session of its own, with its output in a file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.shortage import in_words, needs_room
from drystone.l10_engines.processes.identity import ProcessId, identify_child
from drystone.l10_engines.processes.sacrifice import offer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _Detached(subprocess.Popen[bytes]):
    """A child that is meant to go on when this process ends, so that dropping the handle is no mistake."""

    @override
    def __del__(self) -> None:  # Popen's warns that the child still runs
        pass


def spawn(
    command: Sequence[str],
    *,
    output: Path,
    env: Mapping[str, str] | None = None,
    directory: Path = Path("/"),
    user: int | None = None,
    group: int | None = None,
    sacrifice: int = 0,
    hand_over: Sequence[int] = (),
) -> ProcessId:
    """Start a command that survives the end of this process.

    The command gets no standard input, appends both outputs to ``output`` (mode 0600) and leads a
    session of its own.

    Args:
        command: Program and arguments; no shell reads them.
        output: File for standard output and error; its folder exists.
        env: The whole environment; this process's own when None.
        directory: Working directory.
        user: Numeric user to run as; only root may change it.
        group: Numeric group to run as.
        sacrifice: See :mod:`~drystone.l10_engines.processes.sacrifice`.
        hand_over: Open files of this process that the command gets too, under the same numbers.

    Raises:
        Unavailable: The program does not exist or may not be executed, or this machine has no room or no
            memory for it.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    with needs_room(output):
        descriptor = os.open(output, flags, 0o600)
    try:
        child = _Detached(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=env,
            cwd=directory,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            start_new_session=True,
            pass_fds=hand_over,
        )
    except (OSError, ValueError) as e:
        raise Unavailable(f"{command[0]} does not start: {in_words(e)}", command=command[0]) from e
    finally:
        os.close(descriptor)
    offer(sacrifice, child.pid)
    return identify_child(child.pid)
