"""What runs functions of each language on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from drystone.l25_deployer.local.blueprints import SYSTEM_PATH
from drystone.l25_deployer.local.functions.errors import CallRefused

if TYPE_CHECKING:
    from drystone.l25_deployer.local.records import ReleaseRecord

Language: TypeAlias = Literal["python", "javascript", "typescript"]

_HERE = Path(__file__).parent
_MEBIBYTE = 1024**2
_HEAP = 0.75
"""Share of the memory that objects of JavaScript may have; the rest is for the interpreter."""

ENDINGS: dict[Language, tuple[str, ...]] = {
    "python": (".py", "/__init__.py"),
    "javascript": (".mjs", ".js", ".cjs"),
    "typescript": (".ts", ".mts", ".js", ".mjs"),
}
"""Of the file that a handler names, the first that is there."""


class Interpreter(msgspec.Struct, frozen=True):
    """What runs a function.

    Attributes:
        words: Program and options.
        bootstrap: What it runs first, which calls the function.
    """

    words: tuple[str, ...]
    bootstrap: Path


def programs() -> str:
    """Return the folders in which interpreters are looked for: those of the machine, and that of the platform's own."""
    return f"{SYSTEM_PATH}:{Path(sys.executable).parent}"


def interpreter_of(
    release: ReleaseRecord, language: Language, memory: int, *, path: str | None = None
) -> Interpreter:
    """Return what runs the functions of a release.

    Args:
        release: The release.
        language: Of the function.
        memory: Bytes that it may use.
        path: Folders to look in, parted by colons; :func:`programs` when omitted.

    Raises:
        CallRefused: Nothing on this machine runs the language.
    """
    if language == "python":
        return Interpreter(_python(release), _HERE / "bootstrap.py")
    script = _HERE / "bootstrap.mjs"
    heap = max(16, int(memory / _MEBIBYTE * _HEAP))
    path = programs() if path is None else path
    node = shutil.which("node", path=path) if language == "javascript" else None
    if node is not None:
        return Interpreter((node, f"--max-old-space-size={heap}"), script)
    deno = shutil.which("deno", path=path)
    if deno is None:
        what = "Node or Deno" if language == "javascript" else "Deno"
        raise CallRefused(
            f"nothing on this machine runs {language}: install {what}, or the platform with its extra 'functions'"
            " (pip install 'drystone[functions]')"
        )
    # What a function may do is bounded from outside; that of Deno itself would need a list of all that.
    words = (deno, "run", "--allow-all", "--no-prompt", "--quiet", "--no-lock", "--no-config")
    return Interpreter((*words, f"--v8-flags=--max-old-space-size={heap}"), script)


def _python(release: ReleaseRecord) -> tuple[str, ...]:
    """Return the Python of a release: its virtual environment's, or the platform's without the packages of the platform."""
    if release.runtime:
        return (f"{release.runtime}/bin/python3", "-u")
    return (os.path.realpath(sys.executable), "-u", "-I", "-S")
