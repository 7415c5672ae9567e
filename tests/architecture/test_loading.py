"""What a start does not load: an agent that restarts should be back quickly, whatever engines it could use."""

from __future__ import annotations

import subprocess
import sys

LOADS = "import sys, {module}; print(*sorted(set(sys.argv[1:]) & set(sys.modules)))"


def loaded(module: str, *names: str) -> str:
    """Name those modules that importing this one loads."""
    command = [sys.executable, "-c", LOADS.format(module=module), *names]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_agent_starts_without_the_clients_of_engines_that_it_may_not_have() -> None:
    clients = ("psycopg", "boto3", "botocore", "httpx2", "numpy", "scipy", "cryptography")
    assert loaded("drystone.l90_assembly.life", *clients) == ""


def test_an_agent_starts_without_what_it_needs_for_backups_alone() -> None:
    assert loaded("drystone.l90_assembly.life", "sqlite3", "tarfile") == ""


def test_a_keeper_rests_on_the_standard_library() -> None:
    assert loaded("drystone.l90_assembly.keeper", "msgspec", "asyncio", "pathlib") == ""


def test_what_is_loaded_is_seen() -> None:
    assert loaded("drystone.l10_engines.objects.calls", "boto3", "psycopg") == "boto3"
