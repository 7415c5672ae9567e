"""Lay out the talker, a service for tests and measurements, as a folder that can be deployed."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import drystone
from drystone.testing import talker

_NEEDED = ("h2", "hpack", "hyperframe")


def lay_out_talker(folder: Path) -> tuple[str, ...]:
    """Write the talker into a folder, with all that it needs; what is there is replaced.

    Returns:
        Arguments for any Python 3.11 whose working directory is the folder; the port is to follow. Nothing has to be
        installed.
    """
    inside = folder / "drystone/testing/talker"
    shutil.copytree(Path(talker.__path__[0]), inside, ignore=_caches, dirs_exist_ok=True)
    shutil.copy(Path(drystone.__path__[0]) / "__init__.py", folder / "drystone")
    shutil.copy(Path(talker.__path__[0]).parent / "__init__.py", inside.parent)
    for name in _NEEDED:
        shutil.copytree(_place(name).parent, folder / name, ignore=_caches, dirs_exist_ok=True)
    shutil.copy(_place("typing_extensions"), folder)
    return "-m", talker.__name__


def _caches(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]


def _place(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed", name=name)
    return Path(found.origin)
