"""Run code in an artefact."""

from __future__ import annotations

import subprocess

from drystone.l25_deployer.builds.artifacts import Artifact


def run(built: Artifact, code: str = "import greetings; print(greetings.SAID)") -> str:
    """Run code as a service would: in the environment, outside of any folder that holds it."""
    assert built.runtime is not None
    command = [str(built.runtime / "bin/python"), "-I", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
