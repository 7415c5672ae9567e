"""Install the programs of the comparison, and say what is done.

``python -m benchmarks.peers.install [--debian]``

Those that come as wheels go into an environment of their own, at locked versions. ``--debian`` also installs the
Debian packages, for which it must run as root; their services are not started, because the comparison starts
its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.programs import DEBIAN, ENVIRONMENT, LOCK, WHEELS, find


def _run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    words = [str(word) for word in command]
    print(f"+ {' '.join(words)}", flush=True)
    subprocess.run(words, check=True, env={**os.environ, **(env or {})})


def install_wheels() -> None:
    """Make the environment and install the locked wheels into it."""
    uv = Path(sys.executable).with_name("uv")
    if not (ENVIRONMENT / "bin/python").exists():
        _run(uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT)
    python = ENVIRONMENT / "bin/python"
    _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", LOCK)


def install_debian() -> int:
    """Install the Debian packages that are missing; the exit code."""
    lacking = [program for program in DEBIAN if find(program) is None]
    if not lacking:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"needs root and apt-get: {', '.join(lacking)}", file=sys.stderr)
        return 1
    packages = ["nginx-light" if program == "nginx" else program for program in lacking]
    refuse = {
        "DEBIAN_FRONTEND": "noninteractive",
        "RUNLEVEL": "1",
    }  # invoke-rc.d then starts nothing
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=refuse)
    return 0


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.install", description=__doc__)
    parser.add_argument("--debian", action="store_true", help="also install Debian packages")
    given = parser.parse_args()
    install_wheels()
    code = install_debian() if given.debian else 0
    for program in (*WHEELS, *DEBIAN):
        print(f"{program:<15} {find(program) or 'not installed'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
