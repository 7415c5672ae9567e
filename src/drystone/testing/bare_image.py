"""An image of empty folders: its programs are this machine's, which it is shown."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PYTHON = Path(sys.executable).resolve()
"""The interpreter; it is in what is shown."""

SHOWN = tuple(
    path
    for path in dict.fromkeys((Path("/usr"), Path(sys.base_prefix).resolve()))
    if path == Path("/usr") or not path.is_relative_to("/usr")
)
"""What an instance of the image has to be shown, read-only and at the same path."""


@contextmanager
def bare_image(*changes: str) -> Iterator[str]:
    """Make an image for podman and remove it in the end; its name.

    Args:
        changes: Lines of a Containerfile: ``USER 1234``.
    """
    name = f"localhost/drystone-suite:{uuid.uuid4().hex[:12]}"
    words = [word for change in changes for word in ("--change", change)]
    _podman("import", "--quiet", *words, "-", name, content=_skeleton())
    try:
        yield name
    finally:
        _podman("rmi", "--force", name)


def _podman(*words: str, content: bytes = b"") -> None:
    subprocess.run(["podman", *words], input=content, check=True, capture_output=True)  # noqa: S603, S607


def _skeleton() -> bytes:
    """Return a root file system of empty folders and links."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("usr", "etc", "proc", "sys", "dev", "run", "tmp", "var", "var/tmp", "root"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name in ("bin", "sbin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
    return content.getvalue()
