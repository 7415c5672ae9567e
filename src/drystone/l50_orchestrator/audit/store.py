"""Every statement on the entries of the audit log."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

import msgspec

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.database import Database, Row, Session
from drystone.l10_engines.postgres.migrating import Step, migrate, steps_of
from drystone.l50_orchestrator.audit.domain import BEGINNING, Entry

PART = "audit"
_AT_ONCE = 1000
HEAD = "SELECT number, hash FROM audit_entry ORDER BY number DESC LIMIT 1"

APPEND = """
SELECT audit_append(%(actor)s, %(kind)s, %(behind)s, %(glass)s, %(action)s, %(subject)s, %(fields)s)
"""

HASH = "SELECT hash FROM audit_entry WHERE number = %(number)s"

READ = """
SELECT number, at, actor, kind, behind, glass, action, subject, fields, previous, hash
  FROM audit_entry WHERE number > %(after)s ORDER BY number LIMIT %(most)s
"""

LIST = """
SELECT number, at, actor, kind, behind, glass, action, subject, fields, previous, hash
  FROM audit_entry
 WHERE (%(actor)s::text IS NULL OR actor = %(actor)s OR behind = %(actor)s)
   AND (%(subject)s::text IS NULL OR subject = %(subject)s)
   AND (%(action)s::text IS NULL OR action = %(action)s)
   AND (%(prefix)s::text IS NULL OR starts_with(action, %(prefix)s))
   AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
   AND (%(before)s::bigint IS NULL OR number < %(before)s)
 ORDER BY number DESC
 LIMIT %(most)s
"""

IS_THERE = "SELECT to_regclass('audit_entry') IS NOT NULL"

SEALED = """
SELECT relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
  FROM pg_class WHERE oid = to_regclass('audit_entry')
"""

SEAL = """
DO $$
DECLARE
    keeper  text := left('keeper_' || current_schema(), 63);
    service text;
BEGIN
    SELECT r.rolname INTO service
      FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = 'audit_entry'::regclass;
    IF service = keeper THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = keeper) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', keeper);
    END IF;
    -- Whoever owns a schema may drop what is in it.
    EXECUTE format('ALTER SCHEMA %I OWNER TO %I', current_schema(), keeper);
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', current_schema(), service);
    EXECUTE format('ALTER TABLE audit_entry OWNER TO %I', keeper);
    EXECUTE format('ALTER FUNCTION audit_entry_stays() OWNER TO %I', keeper);
    EXECUTE format('REVOKE ALL ON audit_entry FROM %I', service);
    EXECUTE format('GRANT SELECT ON audit_entry TO %I', service);
    EXECUTE format('ALTER FUNCTION audit_append OWNER TO %I', keeper);
    EXECUTE format('GRANT EXECUTE ON FUNCTION audit_append TO %I', service);
END
$$
"""


class Unnumbered(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says before it has its place; see :class:`~drystone.l50_orchestrator.audit.domain.Entry`."""

    actor: str
    kind: str
    behind: str
    glass: int
    action: str
    subject: str
    fields: str


class Wanted(msgspec.Struct, frozen=True):
    """Which entries are asked for; None is everything."""

    actor: str | None = None
    subject: str | None = None
    action: str | None = None
    prefix: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


async def prepare(database: Database) -> None:
    """Make the table, or bring it to the present.

    Raises:
        MigrationsDiverged: It was made by another version.
        DatabaseUnavailable: The server cannot do it now.
    """
    await migrate(database, PART, steps_of(__package__))


async def seal(admin: DatabaseAccess, database: Database) -> None:
    """Take the entries from the role that writes them: it may read them, and add one at the end, and nothing else. Idempotent.

    They and the schema then belong to a role that nobody can log in as. A later step of this part's migrations is carried out by
    an administrator (:func:`bring`).

    Args:
        admin: A superuser.
        database: The service's own, after :func:`prepare`.

    Raises:
        DatabaseUnavailable: The server cannot do it now.
        StatementRefused: ``admin`` may not do it.
    """
    inside = msgspec.structs.replace(admin, database=database.access.database)
    own = Database(inside, database.schema, most=1)
    try:
        async with own.session() as session, session.transaction():
            await session.run_script(SEAL)
    finally:
        await own.close()


async def is_sealed(database: Database) -> bool:
    """Tell whether the entries belong to another role than the one that writes them."""
    rows = await database.fetch(SEALED)
    return bool(rows and rows[0][0])


async def bring(admin: DatabaseAccess, database: Database, steps: tuple[Step, ...] = ()) -> None:
    """Make the table, or bring it to the present, sealed or not. What a step makes anew it has to give to the keeper itself.

    Args:
        admin: May carry out steps on tables that are the service's no longer.
        database: The service's own.
        steps: In place of those of this part; in tests.

    Raises:
        MigrationsDiverged: It was made by another version.
        DatabaseUnavailable: The server cannot do it now.
        StatementRefused: ``admin`` may not do it.
    """
    known = steps or steps_of(__package__)
    is_there = bool((await database.fetch(IS_THERE))[0][0])
    if not is_there or not await is_sealed(database):
        await migrate(database, PART, known)
        return
    inside = msgspec.structs.replace(admin, database=database.access.database)
    own = Database(inside, database.schema, most=1)
    try:
        await migrate(own, PART, known)
    finally:
        await own.close()


async def append(session: Session, new: Unnumbered) -> int:
    """Write an entry at the end; its number.

    Until the transaction ends nobody else appends, so that the numbers have no gaps.

    Args:
        session: In a transaction.
        new: What it says.
    """
    ((number,),) = await session.fetch(APPEND, **msgspec.structs.asdict(new))
    return int(number)


async def head(database: Database) -> tuple[int, str]:
    """Return number and hash of the last entry; 0 and :data:`BEGINNING` when there is none."""
    rows = await database.fetch(HEAD)
    return (rows[0][0], rows[0][1]) if rows else (0, BEGINNING)


async def hash_of(database: Database, number: int) -> str | None:
    """Return the hash that an entry has in the table; None when it is not there."""
    rows = await database.fetch(HASH, number=number)
    return str(rows[0][0]) if rows else None


async def read(database: Database) -> AsyncGenerator[list[Entry], None]:
    """Yield all entries in the order of their numbers, some at a time."""
    after = -(2**63)
    while rows := await database.fetch(READ, after=after, most=_AT_ONCE):
        yield [_entry(row) for row in rows]
        after = rows[-1][0]


async def find(database: Database, wanted: Wanted, most: int) -> list[Entry]:
    """Return entries, the latest first."""
    rows = await database.fetch(LIST, **msgspec.structs.asdict(wanted), most=most)
    return [_entry(row) for row in rows]


def _entry(row: Row) -> Entry:
    return Entry(*row)
