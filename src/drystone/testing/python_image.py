"""An image without any registry: this machine's Python with its library and one file of code."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = str(Path(sys.base_prefix) / "bin/python3")
"""The interpreter, in the image at the same path as here."""

CODE = "/server.py"
"""Where the code is in the image."""

_BALLAST = {"test", "site-packages", "dist-packages", "idlelib", "ensurepip"}


@contextmanager
def python_image(code: Path) -> Iterator[str]:
    """Make an image for podman and remove it in the end; its name.

    Args:
        code: A file that needs nothing but the standard library.
    """
    name = f"localhost/drystone-python-{os.getpid()}:1"
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "root.tar")
        with tarfile.open(archive, "w") as tar:
            library = Path(sysconfig.get_path("stdlib"))
            programs = (PYTHON, *map(str, library.glob("lib-dynload/*.so")))
            for file in (PYTHON, *_libraries_of(*programs), str(library)):
                tar.add(Path(file).resolve(), arcname=file, filter=_without_ballast)
            tar.add(code, arcname=CODE)
        _podman("import", "--quiet", str(archive), name)
    try:
        yield name
    finally:
        _podman("rmi", "--force", name)


def _podman(*words: str) -> None:
    subprocess.run(["podman", *words], check=True, capture_output=True)  # noqa: S603, S607


def _libraries_of(*programs: str) -> list[str]:
    """Return the libraries that the dynamic linker loads for some programs, and the linker itself (ldd(1))."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True)  # noqa: S603, S607
    words = dict.fromkeys(said.stdout.split())
    return [word for word in words if word.startswith("/") and not word.endswith(":")]


def _without_ballast(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _BALLAST & set(Path(entry.name).parts) else entry
