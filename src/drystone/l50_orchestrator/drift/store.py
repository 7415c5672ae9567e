"""Every statement on the table of drift."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeAlias

from drystone.l10_engines.postgres.database import Database, Session
from drystone.l10_engines.postgres.migrating import migrate, steps_of

Field: TypeAlias = tuple[str, str, str]
"""Environment, service and field."""

SEEN = "SELECT environment, service, field, seen_at FROM drift ORDER BY environment, service, field"
SEE = """
INSERT INTO drift (environment, service, field)
SELECT * FROM unnest(%(environments)s::text[], %(services)s::text[], %(fields)s::text[])
    ON CONFLICT DO NOTHING
"""
FORGET = """
DELETE FROM drift AS d
 USING unnest(%(environments)s::text[], %(services)s::text[], %(fields)s::text[]) AS g (environment, service, field)
 WHERE d.environment = g.environment AND d.service = g.service AND d.field = g.field
"""


async def prepare(database: Database) -> list[str]:
    """Make the table, or bring it to the present version; names of the steps that took."""
    return await migrate(database, "drift", steps_of("drystone.l50_orchestrator.drift"))


async def seen(session: Session) -> dict[Field, datetime]:
    """Return what differed at the last look, and since when."""
    rows = await session.fetch(SEEN)
    return {(environment, service, field): at for environment, service, field, at in rows}


async def see(session: Session, fields: Collection[Field]) -> None:
    """Write down that something differs from now on."""
    await session.fetch(SEE, **_columns(fields))


async def forget(session: Session, fields: Collection[Field]) -> None:
    """Write down that something does not differ any more."""
    await session.fetch(FORGET, **_columns(fields))


def _columns(fields: Collection[Field]) -> dict[str, object]:
    return {
        "environments": [environment for environment, _, _ in fields],
        "services": [service for _, service, _ in fields],
        "fields": [field for _, _, field in fields],
    }
