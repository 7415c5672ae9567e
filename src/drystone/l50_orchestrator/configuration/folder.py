"""Takes the files out of a folder, on the side of whoever has it. What is no plain file below the folder is refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from drystone.l00_kernel.visible import visible
from drystone.l00_kernel.yaml_text.decoding import decode
from drystone.l00_kernel.yaml_text.problems import Problem
from drystone.l00_kernel.yaml_text.unreadable import Unreadable, problem_at
from drystone.l50_orchestrator.configuration.api import File
from drystone.l50_orchestrator.configuration.errors import FilesRefused
from drystone.l50_orchestrator.configuration.reading import (
    MOST_FILES,
    MOST_TOTAL,
    SUBJECT,
    report,
)
from drystone.l50_orchestrator.configuration.secret_texts import secrets_in

_ENDINGS = (".yaml", ".yml")
_MOST_ENTRIES = 100_000


class _Refused(Exception):
    """A file that is not read."""


def collect(folder: Path) -> list[File]:
    """Return every ``.yaml`` and ``.yml`` file below a folder, by path; names that begin with a dot are left out.

    Raises:
        FilesRefused: The message shows all files that cannot be taken, and every secret in the others, quoting nothing of it.
    """
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    files: list[File] = []
    left = MOST_TOTAL
    for path in _paths(folder, problems):
        name = _name(path, folder)
        try:
            content = _content(path, folder.resolve())
            text = decode(content, SUBJECT)
        except Unreadable as e:
            problems.append(problem_at(e.span, e.message, e.help, name))
            continue
        except _Refused as e:
            problems.append(_problem(name, str(e)))
            continue
        found, texts[name] = secrets_in(text, name)
        problems += found
        files.append(File(name, text))
        left -= len(content)
        if left < 0 or len(files) > MOST_FILES:
            what = (
                f"at most {MOST_FILES} files of {MOST_TOTAL:,} bytes together are applied at once"
            )
            problems.append(_problem(name, what))
            break
    if not files and not problems:
        problems.append(
            _problem(visible(str(folder)), f"there is no file that ends in {' or '.join(_ENDINGS)}")
        )
    if problems:
        raise FilesRefused(report(problems, texts))
    return sorted(files, key=lambda file: file.path)


def _paths(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """Yield what ends like a file of configuration, in order, without following links to folders."""

    def refused(error: OSError) -> None:
        name = visible(os.fsdecode(error.filename or folder))
        problems.append(_problem(name, f"the folder cannot be read: {error.strerror}"))

    seen = 0
    inside = folder.resolve()
    for here, folders, names in os.walk(folder, onerror=refused):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for one in list(folders):
            link = Path(here, one)
            if link.is_symlink() and not _leads_inside(link, inside):
                problems.append(_problem(_name(link, folder), "a link leads out of the folder"))
        seen += len(folders) + len(names)
        if seen > _MOST_ENTRIES:
            problems.append(
                _problem(
                    visible(str(folder)), f"the folder has more than {_MOST_ENTRIES:,} entries"
                )
            )
            return
        for one in sorted(names):
            if one.endswith(_ENDINGS) and not one.startswith("."):
                yield Path(here, one)


def _content(path: Path, inside: Path) -> bytes:
    """Return the bytes of a file, one more than it may have at most."""
    if path.is_symlink():
        if not _leads_inside(path, inside):
            raise _Refused("a link leads out of the folder")
        raise _Refused("this is a link; write the file itself, so that nothing is applied twice")
    try:
        # Neither a link that came meanwhile nor the other end of a pipe is waited for.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as e:
        raise _Refused(f"it cannot be read: {e.strerror}") from e
    with open(opened, "rb") as file:  # noqa: PTH123 - what is open already has no path
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise _Refused("this is no file")
        return file.read(SUBJECT.most_bytes + 1)


def _leads_inside(link: Path, inside: Path) -> bool:
    try:
        return link.resolve().is_relative_to(inside)
    except RuntimeError:  # a link to itself leads nowhere
        return True


def _name(path: Path, folder: Path) -> str:
    return os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")


def _problem(name: str, message: str) -> Problem:
    return Problem(1, 1, 2, message, None, name)
