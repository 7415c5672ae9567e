"""Which folders a sandbox must show so that a program can run."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")))
_MOST_LINKS = 40


def needed_paths(program: Path) -> list[Path]:
    """Return what must be visible, besides the system's own folders, to execute a program.

    A chain of links and of ``#!`` lines is followed. Where a link of the chain is in the ``bin`` folder of
    a Python installation or a virtual environment, that whole installation is named, else the file alone:
    a tool in ``~/bin`` must not open the person's home.

    Args:
        program: Absolute path of a file that the kernel can execute.
    """
    found: list[Path] = []
    waiting = [program]
    for _ in range(_MOST_LINKS):
        if not waiting:
            break
        path = waiting.pop()
        if any(path.is_relative_to(folder) for folder in _SYSTEM):
            continue
        installation = path.parent.parent
        found.append(installation if _is_python(installation) else path)
        if path.is_symlink():
            waiting.append(path.parent / path.readlink())
        elif interpreter := interpreter_of(path):
            waiting.append(Path(interpreter))
        if (real := path.resolve()) != path:
            waiting.append(real)
    return list(dict.fromkeys(found))


def _is_python(folder: Path) -> bool:
    if (folder / "pyvenv.cfg").is_file():
        return True
    return any(folder.glob("lib/python3*/os.py"))


def interpreter_of(path: Path) -> str | None:
    """Return what the ``#!`` line of a file names, as the kernel reads it; None when there is no such line.

    Only blanks and tabs part the words: a file with Windows line ends names an interpreter that ends in
    a carriage return.
    """
    with path.open("rb") as stream:
        first = stream.readline(256)
    if not first.startswith(b"#!"):
        return None
    words = first[2:].removesuffix(b"\n").strip(b" \t")
    return os.fsdecode(re.split(rb"[ \t]", words)[0])
