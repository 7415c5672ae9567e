"""The orchestrator of one machine: a process of its own, with tables of its own in the platform's PostgreSQL."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l25_deployer.backups.whole import NoTables, OwnTables
from drystone.l25_deployer.local.startup import ADOPTED, Part
from drystone.l35_mesh.signin.words import address_of
from drystone.l50_orchestrator.running.engine import NAME, OrchestratorEngine
from drystone.l50_orchestrator.running.switch import Switch
from drystone.l90_assembly.backups import PlatformTables, bring_tables_back
from drystone.l90_assembly.remote_address import socket_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l00_kernel.settings import Settings
    from drystone.l10_engines.postgres.access import DatabaseAccess
    from drystone.l10_engines.postgres.server import PostgresEngine
    from drystone.l10_engines.supervision.supervisor import Supervisor

LAYER = 50
PROGRAM = "drystone.l90_assembly.orchestrator_program"
"""Its module, which the agent never imports."""

CONNECTIONS = 40
_SECRET = "orchestrator-database"  # noqa: S105 - a file's name
_SWITCH = "orchestrator.json"


def orchestrator_engine(
    home: Home,
    settings: Settings,
    postgres: PostgresEngine,
    supervisor: Callable[[], Supervisor],
) -> OrchestratorEngine:
    """Return the process of a home's orchestrator, not started yet.

    Args:
        home: Whose.
        settings: What its owner decided.
        postgres: Holds its tables.
        supervisor: Returns what keeps both.
    """

    async def database() -> DatabaseAccess:
        await supervisor().ensure(postgres.name)
        return await _tables(home, postgres.admin(), _password(home))

    return OrchestratorEngine(
        home.engines / NAME,
        socket=home.socket(f"{NAME}.sock"),
        remote=socket_of(home),
        module=PROGRAM,
        home=home.path,
        sign_in=address_of(settings),
        database=database,
    )


async def _tables(home: Home, admin: DatabaseAccess, password: str) -> DatabaseAccess:
    """Make a schema for the orchestrator, in which it can add to the audit log and change nothing of it."""
    # They load the client of PostgreSQL, which an agent without an orchestrator does without.
    from drystone.l10_engines.postgres.database import Database  # noqa: PLC0415
    from drystone.l10_engines.postgres.errors import StatementRefused  # noqa: PLC0415
    from drystone.l10_engines.postgres.schemas import provision  # noqa: PLC0415
    from drystone.l50_orchestrator.audit import store  # noqa: PLC0415

    access = await provision(admin, NAME, connections=CONNECTIONS, password=password)
    await bring_tables_back(home, admin, access.user)
    access = await provision(admin, NAME, connections=CONNECTIONS, password=password)
    database = Database(access, NAME)
    try:
        await store.bring(admin, database)
        with suppress(StatementRefused):  # of a server elsewhere we may be no superuser
            await store.seal(admin, database)
    finally:
        await database.close()
    return access


def _password(home: Home) -> str:
    path = home.secrets / _SECRET
    known = read_if_exists(path)
    if known is None:
        known = secrets.token_urlsafe(32).encode()
        write_atomically(path, known)
    return known.decode()


def tables_of(
    home: Home, settings: Settings, postgres: PostgresEngine, supervisor: Supervisor, clock: Clock
) -> OwnTables:
    """Return what copies the tables of the platform's own services; those elsewhere are somebody else's to copy."""
    if settings.postgres.url:
        return NoTables()
    secret = home.secrets / _SECRET
    return PlatformTables(home, postgres, supervisor, secret=secret, clock=clock)


def switch_of(
    home: Home, engine: OrchestratorEngine, supervisor: Supervisor, clock: Clock
) -> Switch:
    """Return what turns the orchestrator of a home on and off."""
    return Switch(home.path / _SWITCH, engine, supervisor, clock)


def orchestrator_part(switch: Switch, engine: OrchestratorEngine, supervisor: Supervisor) -> Part:
    """Say how the orchestrator comes up: with the platform, where somebody turned it on."""

    async def start() -> str:
        before = engine.status().pid
        await supervisor.ensure(NAME)
        return ADOPTED if before is not None and engine.status().pid == before else ""

    wanted = switch.wanted
    return Part(
        NAME,
        LAYER,
        start,
        supervisor[NAME].stop,
        is_needed=wanted is not None and wanted.is_on,
        is_running=lambda: engine.status().pid is not None,
    )
