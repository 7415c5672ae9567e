"""PostgreSQL's own client programs, run against one server until they end."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.postgres import binaries
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.supervision import files

_VARIABLES = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}


class ProgramFailed(Unavailable):
    """A program of PostgreSQL did not do what it was asked; its last words say why."""


async def run_program(name: str, words: Sequence[str], access: DatabaseAccess) -> None:
    """Run one of the programs of the wheel to its end; whoever gives up waiting ends it.

    The password stands in no list of processes.

    Args:
        name: Such as ``pg_dump``.
        words: Its arguments.
        access: The database, and who asks.

    Raises:
        ProgramFailed: It ended with an error.
    """
    program = binaries.program(binaries.installed_root(), name)
    with tempfile.TemporaryDirectory(prefix="drystone-") as folder:
        said = Path(folder, "said")
        process = spawn((str(program), *words), output=said, env=environment(access))
        try:
            code = await identity.wait(process)
        finally:
            identity.send(process, signal.SIGKILL)
        if code != 0:
            last = files.tail(said).strip().splitlines()
            raise ProgramFailed(f"{name}: {last[-1] if last else f'ended with {code}'}")


def environment(access: DatabaseAccess) -> dict[str, str]:
    """Say by variables of libpq (PostgreSQL documentation, 32.15) how a program reaches a database."""
    more = {_VARIABLES[key]: value for key, value in access.parameters if key in _VARIABLES}
    return {
        "PATH": os.defpath,
        "PGHOST": access.host,
        "PGPORT": str(access.port),
        "PGDATABASE": access.database,
        "PGUSER": access.user,
        "PGPASSWORD": access.password,
        "PGAPPNAME": "drystone backup",
        **more,
    }
