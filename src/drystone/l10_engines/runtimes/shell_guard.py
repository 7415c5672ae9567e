"""The small shell around a command that goes on when nobody watches.

A process that is no child of ours tells nobody but its parent how it ended. So the parent of every
instance is a ``/bin/sh`` that does nothing but wait, costs about 200 KB where it is dash, and then
writes the exit status to ``state/exit``. Inside it a second shell writes its own pid to ``state/pid``,
offers itself as a victim, enters the control groups and becomes the command (``exec``), in the foreground: in the background a
shell would make it ignore SIGINT. The outer shell catches the signals that end programs; caught
signals, unlike ignored ones, are back at their default in the command.

The scripts are constant. All that comes from a descriptor is passed as arguments and stays ``"$@"``.
Each record is one short write with a newline at its end, so that a reader sees all of it or none. Its place
on the disk is taken before the start, by blanks, so that a full disk hides neither pid nor exit status.
"""

from __future__ import annotations

import errno
import os
import resource
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from drystone.l00_kernel.shortage import needs_room
from drystone.l10_engines.namespaces import inside
from drystone.l10_engines.processes.sacrifice import INSTANCE
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.runtimes.port import LOG_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from drystone.l10_engines.processes.identity import ProcessId

SHELL = "/bin/sh"
PID_FILE, EXIT_FILE, INFO_FILE, FILTER_FILE = "pid", "exit", "sandbox", "filter"

# Without job control a shell starts no session or group for the command: it stays in the guard's.
_OUTER = """\
umask 077
ulimit -c 0
trap : HUP INT QUIT TERM USR1 USR2 PIPE ALRM
inner=$1 state=$2
shift 2
/bin/sh -c "$inner" "$state" "$@"
echo $? 1<>"$state/exit"
"""
_INNER = """\
state=$0
echo "$2" 2>/dev/null >/proc/self/oom_score_adj
ulimit -n "$3" 2>/dev/null
if [ "$1" = info ]; then exec 9>"$state/sandbox"; fi
if [ -e "$state/filter" ]; then exec 8<"$state/filter"; fi
shift 3
while [ "$1" != -- ]; do
    echo $$ >"$1/cgroup.procs" || exit 125
    shift
done
shift
echo $$ 1<>"$state/pid" || exit 125
exec "$@"
"""
INFO_DESCRIPTOR, FILTER_DESCRIPTOR = 9, 8
MOST_FILES = 65_536
_BLANK = b" " * 24


def launch(
    command: Sequence[str],
    *,
    state: Path,
    environment: Mapping[str, str],
    directory: Path,
    groups: Sequence[Path],
    with_info: bool,
    call_filter: bytes | None = None,
    network: Path | None = None,
) -> ProcessId:
    """Start a command under its guard; return the guard.

    Args:
        command: Program and arguments.
        state: Folder for ``pid``, ``exit`` and the log; earlier records are removed.
        environment: The whole environment.
        directory: Working directory.
        groups: Control groups that the command enters before it begins.
        with_info: Whether the command gets descriptor ``INFO_DESCRIPTOR``, which writes ``state/sandbox``.
        call_filter: What it can read from descriptor ``FILTER_DESCRIPTOR``, if anything.
        network: The network that guard and command live in; that of this process when None.

    Raises:
        DiskFull: There is no room for the records.
        NetworkLost: The network is not there.
        Unavailable: This machine has no ``/bin/sh``.
    """
    with needs_room(state):
        for name in (INFO_FILE, FILTER_FILE):
            (state / name).unlink(missing_ok=True)
        if call_filter is not None:
            (state / FILTER_FILE).write_bytes(call_filter)
        for name in (PID_FILE, EXIT_FILE):
            _make_blank(state / name)
    first = "info" if with_info else "plain"
    guard = [SHELL, "-c", _OUTER, "drystone-guard", _INNER, str(state), first]
    guard += [str(INSTANCE), str(most_files())]
    begin = partial(
        spawn,
        [*guard, *map(str, groups), "--", *command],
        output=state / LOG_NAME,
        env=environment,
        directory=directory,
    )
    return inside(network, begin)


def most_files() -> int:
    """Return how many files an instance may have open: a leak in one must not use up the machine's."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)


def recorded_pid(state: Path) -> int | None:
    """Return the pid of the command; None until it is known."""
    return _number(state / PID_FILE)


def recorded_status(state: Path) -> tuple[int, datetime] | None:
    """Return the exit status as the shell reported it, and when; None when it was not recorded."""
    path = state / EXIT_FILE
    status = _number(path)
    if status is None:
        return None
    return status, datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _make_blank(path: Path) -> None:
    """Take the place of a number in a file, or blot out the one that is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, _BLANK) < len(_BLANK):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def _number(path: Path) -> int | None:
    try:
        text, newline, _ = path.read_text().partition("\n")
    except FileNotFoundError:
        return None
    return int(text) if newline else None
