"""Services that remember something, to be looked for after a fault."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from drystone.testing.python_image import CODE
from drystone.testing.python_image import PYTHON as PYTHON_OF_IMAGE
from journeys.place import Place

SERVER = Path(__file__).parent / "app/notes.py"


def notes_service(
    folder: Path, name: str, *, runtime: str | None = None, image: str | None = None, **changes: Any
) -> Path:
    """Write a service that keeps notes on a volume; return its descriptor's path.

    Args:
        folder: Where to; made when missing.
        name: The service's name.
        runtime: ``python`` for a virtual environment of its own; else it runs in that of the tests.
        image: An image that holds the code, to be run in place of the folder's.
        changes: Top-level keys of the descriptor.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SERVER, folder)
    python = "python" if runtime else sys.executable
    process: dict[str, Any] = {"command": [python, "notes.py", "${port}"]}
    runs: dict[str, Any] = {"process": process | ({"runtime": runtime} if runtime else {})}
    if image:
        runs = {"image": image, "command": [PYTHON_OF_IMAGE, CODE, "${port}"]}
    descriptor = {
        "schema": 1,
        "service": name,
        "owner": "tests",
        **runs,
        "health": {"path": "/", "interval": "200ms", "grace": "40s"},
        "env": {"APP_VERSION": "${version}"},
        "resources": {"state": {"type": "volume"}},
        "stop": {"drain": "1s", "grace": "2s"},
        "deploy": {"keep_warm": "0s"},
        **changes,
    }
    path = folder / "service.yaml"
    path.write_text(yaml.safe_dump(descriptor, sort_keys=False))
    return path


def engines_service(folder: Path, name: str) -> Path:
    """Write a service that keeps notes in a database and a bucket as well, and has a cache."""
    resources = {
        "state": {"type": "volume"},
        "db": {"type": "postgres"},
        "files": {"type": "bucket"},
        "jobs": {"type": "cache"},
    }
    return notes_service(folder, name, resources=resources)


async def remember(where: Place, service: str, line: str) -> None:
    """Have a service remember a line in every store that it has."""
    answer = await where.get(service, "/notes", method="POST", content=line.encode())
    assert answer.status_code == 200, answer.text


async def remembered(where: Place, service: str) -> list[str]:
    """Return the lines of a service, which are the same in every store."""
    answer = await where.get(service, "/notes")
    assert answer.status_code == 200, answer.text
    stores: dict[str, list[str]] = answer.json()
    first, *others = stores.values()
    assert all(other == first for other in others), stores
    return first
