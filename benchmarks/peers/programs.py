"""Where the programs of the comparison are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements/peers.txt"
ENVIRONMENT = ROOT / ".venv-peers"
"""A virtual environment of its own, so that nothing of the comparison gets into the project's."""

DEBIAN = ("haproxy", "nginx", "wrk")
WHEELS = ("caddy", "circusd", "gunicorn", "podman-compose", "supervisord", "traefik")


def find(program: str) -> str | None:
    """Return the path of a program of the comparison, or None if it is not installed."""
    places = (str(ENVIRONMENT / "bin"), os.environ.get("PATH", ""), "/usr/sbin", "/sbin")
    return shutil.which(program, path=os.pathsep.join(places))


def need(program: str) -> str:
    """Return the path of a program that was found before.

    Raises:
        FileNotFoundError: It is not installed.
    """
    if found := find(program):
        return found
    raise FileNotFoundError(f"{program} is not installed: run `python -m benchmarks.peers.install`")


def missing(programs: tuple[str, ...]) -> str:
    """Say which of some programs are not installed; nothing if all are."""
    lacking = [program for program in programs if find(program) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""
