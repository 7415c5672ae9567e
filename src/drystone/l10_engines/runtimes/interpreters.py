"""Which folders a sandbox must show so that a program can run."""

from __future__ import annotations

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
        elif (interpreter := _interpreter(path)) is not None:
            waiting.append(interpreter)
        if (real := path.resolve()) != path:
            waiting.append(real)
    return list(dict.fromkeys(found))


def _is_python(folder: Path) -> bool:
    if (folder / "pyvenv.cfg").is_file():
        return True
    return any(folder.glob("lib/python3*/os.py"))


def _interpreter(path: Path) -> Path | None:
    with path.open("rb") as stream:
        first = stream.readline(256)
    words = first[2:].split(None, 1) if first.startswith(b"#!") else []
    return Path(words[0].decode(errors="surrogateescape")) if words else None
