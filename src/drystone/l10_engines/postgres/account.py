"""The system user that the server runs as when the platform runs as root, and what it can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

import msgspec

from drystone.l10_engines.supervision.errors import EngineFailed

SYSTEM_USER = "drystone-postgres"


class Account(msgspec.Struct, frozen=True):
    """A numeric user and group of this machine, with its name."""

    name: str
    user: int
    group: int


def server_account() -> Account | None:
    """Return the account for the server; None where it is this process's own.

    PostgreSQL refuses to run as root. Root gets a system user for it, made on first use.

    Raises:
        EngineFailed: The system user cannot be made.
    """
    if os.geteuid() != 0:
        return None
    account = _look_up()
    if account is None:
        trouble = _create()
        account = _look_up()
        if account is None:
            raise EngineFailed(
                f"PostgreSQL refuses to run as root and the system user {SYSTEM_USER} cannot be made "
                f"({trouble}); make it by hand: useradd --system {SYSTEM_USER}"
            )
    return account


def _look_up() -> Account | None:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create() -> str:
    """Make the user; return what went wrong. Another process may win the race: the caller looks."""
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        return "this system has no useradd"
    command = [
        program,
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
    ]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 - no outside words in it
    return done.stderr.strip()


def barrier(account: Account, path: Path) -> Path | None:
    """Return the first directory on the way to ``path`` that this account may not pass.

    Judged by the permission bits of what exists of ``path`` and its parents; the account has no
    supplementary groups.
    """
    whole = path.resolve()
    for folder in (*reversed(whole.parents), whole):
        if folder.is_dir() and not _may_pass(account, folder.stat()):
            return folder
    return None


def _may_pass(account: Account, entry: os.stat_result) -> bool:
    if entry.st_uid == account.user:
        return bool(entry.st_mode & stat.S_IXUSR)
    if entry.st_gid == account.group:
        return bool(entry.st_mode & stat.S_IXGRP)
    return bool(entry.st_mode & stat.S_IXOTH)
