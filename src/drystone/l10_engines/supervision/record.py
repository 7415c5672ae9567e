"""What an engine leaves in its directory so that whoever comes next finds it running."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l10_engines.processes.identity import PROC, ProcessId, identify

NOBODY = ProcessId(0, 0, "")
"""In the record of an engine that was about to be started: no process has this number."""


class Record(msgspec.Struct, frozen=True):
    """The last start of an engine.

    Attributes:
        process: The main process that was started; :data:`NOBODY` shortly before.
        ports: Loopback ports by purpose.
        memory: The bound in bytes that it was given.
        version: What the engine says of itself; empty until it was asked.
        wanted: False once somebody stopped the engine on purpose.
    """

    process: ProcessId
    ports: dict[str, int]
    memory: int
    version: str = ""
    wanted: bool = True


def read(path: Path) -> Record | None:
    """Return the record, or None if there is none that can be read as one."""
    content = read_if_exists(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Record)
    except msgspec.DecodeError:
        return None


def write(path: Path, record: Record) -> None:
    """Replace the record."""
    write_atomically(path, msgspec.json.encode(record))


def forget_process(path: Path) -> None:
    """Forget which process an engine was: its directory came to this place without it."""
    known = read(path)
    if known is not None:
        write(path, msgspec.structs.replace(known, process=NOBODY))


def processes_in(directory: Path, program: str) -> tuple[ProcessId, ...]:
    """Return the processes of a program that work in a directory, in the order of their ids.

    Every engine is started in its own data directory and stays there with all its children. This is
    what tells an engine from a stranger who got its process id, and what finds an engine whose
    starter died before it wrote the record.

    Args:
        directory: The working directory, as it was given to the engine.
        program: The file name of the executable.
    """
    place = directory.resolve()
    numbers = sorted(int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    found = (identify(pid) for pid in numbers if _is_at(pid, place, program))
    return tuple(process for process in found if process is not None)


def _is_at(pid: int, place: Path, program: str) -> bool:
    entry = Path(PROC, str(pid))
    try:
        if Path(entry, "cwd").readlink() != place:
            return False
        executable = Path(entry, "exe").readlink().name
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        return _says_so(entry, place, program)
    return executable.removesuffix(" (deleted)") == program


def _says_so(entry: Path, place: Path, program: str) -> bool:
    """Judge a process by its command line, which everybody may read.

    Root in a container without CAP_SYS_PTRACE may not see where another user's processes work.
    """
    try:
        words = Path(entry, "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return Path(os.fsdecode(words[0])).name == program and os.fsencode(place) in words[1:]
