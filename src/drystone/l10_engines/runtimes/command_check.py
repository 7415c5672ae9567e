"""Find the program of a command before it is started, to explain what is wrong in plain words."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l10_engines.runtimes.errors import CommandNotFound, SpecInvalid
from drystone.l10_engines.runtimes.interpreters import interpreter_of

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.port import InstanceSpec

_ID = re.compile(r"[a-z0-9-]{1,63}")
_LABEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_VARIABLES = "DRYSTONE_INSTANCE", "DRYSTONE_HOME_LABEL", "DRYSTONE_RUNTIME"


def check_spec(spec: InstanceSpec) -> None:
    """Refuse a spec that no runtime could start.

    Raises:
        SpecInvalid: With what is wrong; values of variables are never shown.
    """
    if not _ID.fullmatch(spec.id):
        raise SpecInvalid(f"instance id {spec.id!r} must match {_ID.pattern}")
    if not _LABEL.fullmatch(spec.home_label):
        raise SpecInvalid(f"home label {spec.home_label!r} must match {_LABEL.pattern}")
    for path in (spec.state, spec.directory):
        if path is not None and not path.is_absolute():
            raise SpecInvalid(f"{spec.id}: the path {path} must be absolute")
    _check_environment(spec)
    if any("\0" in word for word in spec.command):
        raise SpecInvalid(f"{spec.id}: the command contains a NUL character")
    if spec.limits.memory <= 0 or spec.limits.cpu <= 0 or spec.limits.pids <= 0:
        raise SpecInvalid(f"{spec.id}: limits must be above zero, not {spec.limits}")
    for mount in spec.mounts:
        if not mount.source.is_absolute() or not mount.target.startswith("/"):
            raise SpecInvalid(f"{spec.id}: both paths of a mount must be absolute, not {mount}")
        if not mount.source.exists():
            raise SpecInvalid(f"{spec.id}: {mount.source}, to be mounted, does not exist")


def _check_environment(spec: InstanceSpec) -> None:
    for name, value in spec.environment.items():
        if not _VARIABLE.fullmatch(name):
            raise SpecInvalid(f"{spec.id}: {name!r} cannot name an environment variable")
        if name in _OWN_VARIABLES:
            raise SpecInvalid(f"{spec.id}: the variable {name} is set by the platform; remove it")
        if "\0" in value:
            raise SpecInvalid(f"{spec.id}: the value of {name} contains a NUL character")


def find_program(command: str, *, path: str, directory: Path) -> Path:
    """Return the absolute path of a program that the kernel can execute.

    Args:
        command: First word of the command: a name looked up in ``path``, or a path (a relative one
            counts from ``directory``).
        path: The instance's ``PATH``.
        directory: The instance's working directory.

    Raises:
        CommandNotFound: With the reason.
    """
    if "/" in command:
        program = directory / command
        if not program.exists():
            raise CommandNotFound(f"{command!r} does not exist (looked at {program})")
    else:
        found = shutil.which(command, path=path)
        if found is None:
            raise CommandNotFound(_why_not_on_path(command, path))
        program = directory / found
    if program.is_dir():
        raise CommandNotFound(f"{command!r} is a folder ({program}), not a program")
    if not os.access(program, os.X_OK):
        raise CommandNotFound(f"{command!r} may not be executed; try: chmod +x {program}")
    _check_format(command, program)
    return program


def _why_not_on_path(command: str, path: str) -> str:
    for folder in path.split(":"):
        if folder and (there := Path(folder, command)).is_file():
            return f"{command!r} may not be executed; try: chmod +x {there}"
    return f"{command!r} was not found on PATH={path}"


def _check_format(command: str, program: Path) -> None:
    """Look for what execve(2) would refuse: no known format, or an interpreter that is missing."""
    interpreter = interpreter_of(program)
    if interpreter is None:
        with program.open("rb") as stream:
            is_binary = stream.read(4) == b"\x7fELF"
        if not is_binary:
            raise CommandNotFound(
                f"{command!r} ({program}) is neither a binary nor a script with an interpreter; "
                "begin its first line with #!, for example #!/bin/sh"
            )
    elif interpreter.endswith("\r"):
        raise CommandNotFound(
            f"{command!r} ({program}) has Windows line ends, which become part of the interpreter's "
            "name; convert it, for example with dos2unix"
        )
    elif not os.access(interpreter, os.X_OK):
        shown = interpreter if interpreter.isprintable() else ascii(interpreter)
        raise CommandNotFound(
            f"{command!r} ({program}) asks for the interpreter {shown or 'of an empty name'}, "
            "which cannot be executed here; correct its first line"
        )
