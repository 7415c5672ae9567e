"""The services under fire: what each is deployed from, what it promised, what may serve."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from drystone.testing.faults.expectation import Expectation
from drystone.testing.faults.ledger import Ledger
from drystone.testing.python_image import CODE, PYTHON

APPLICATION = Path(__file__).with_name("application.py")
ENVIRONMENT = "dev"
KEEP = 3
"""How many earlier releases a subject keeps to go back to."""

_REQUIREMENTS = "psycopg==3.3.9\npsycopg-binary==3.3.9\ntyping_extensions==4.16.0\n"


class Subject:
    """One service under fire.

    Args:
        name: Its name.
        folder: Where its descriptor is written.
        particulars: Keys of the descriptor that the other subjects do not have.
    """

    def __init__(self, name: str, folder: Path, particulars: dict[str, Any]) -> None:
        self.name = name
        self.folder = folder
        self.ledger = Ledger()
        self.expectation = Expectation(KEEP)
        self.done: set[str] = set()
        """The versions of which a command said that they serve."""
        self.has_own_sidecar = False
        """Whether its releases have an Envoy of their own, but those that are told otherwise."""
        self._particulars = particulars
        folder.mkdir()
        shutil.copy(APPLICATION, folder / "server.py")
        (folder / "requirements.txt").write_text(_REQUIREMENTS)

    def write(
        self, *, keep_warm: timedelta, mark: str = "", more: bool = False, is_aside: bool = False
    ) -> Path:
        """Write the descriptor and return its path.

        Args:
            keep_warm: How long the release before is kept running.
            mark: When given, written into the folder, so that there is something to build.
            more: Whether to ask for a second resource like the first, which goes as soon as none asks for it.
            is_aside: Whether a service that has an Envoy of its own gives it up with this release.
        """
        if mark:
            (self.folder / "mark.py").write_text(f'MARK = "{mark}"\n')
        descriptor = {
            "schema": 1,
            "service": self.name,
            "owner": "tests",
            "health": {"path": "/", "interval": "500ms", "timeout": "2s", "grace": "60s"},
            "stop": {"drain": "2s", "grace": "3s"},
            "deploy": {
                "keep_warm": f"{keep_warm.seconds}s",
                "keep": KEEP,
                "smoke": ["GET /"],
            },
            **self._particulars,
        }
        if self.has_own_sidecar and not is_aside:
            descriptor["proxy"] = {"placement": "instance"}
        if more:
            (resource,) = self._particulars["resources"].values()
            extra = {"extra": {**resource, "protect": False}}
            descriptor["resources"] = {**self._particulars["resources"], **extra}
        path = self.folder / "service.yaml"
        path.write_bytes(msgspec.json.encode(descriptor))  # which is YAML as well
        return path


def database_subject(folder: Path) -> Subject:
    """Return a service in a folder of code that keeps rows in PostgreSQL."""
    return Subject(
        "rows",
        folder / "rows",
        {
            "process": {
                "command": ["python", "server.py", "${port}"],
                "runtime": "python",
                "setup": ["uv", "pip", "install", "--no-deps", "-r", "requirements.txt"],
            },
            "env": {"APP_VERSION": "${version}", "STORE": "postgres"},
            "resources": {"db": {"type": "postgres"}},
        },
    )


def bucket_subject(folder: Path) -> Subject:
    """Return a service in a folder of code that keeps objects in a bucket."""
    return Subject(
        "blobs",
        folder / "blobs",
        {
            "process": {"command": [PYTHON, "server.py", "${port}"]},
            "env": {"APP_VERSION": "${version}", "STORE": "bucket"},
            "resources": {"files": {"type": "bucket"}},
        },
    )


def image_subject(folder: Path, image: str) -> Subject:
    """Return a service in a container that keeps lines in a volume."""
    return Subject(
        "lines",
        folder / "lines",
        {
            "image": image,
            "command": [PYTHON, CODE, "${port}"],
            "env": {"APP_VERSION": "${version}", "STORE": "file"},
            "resources": {"data": {"type": "volume"}},
        },
    )
