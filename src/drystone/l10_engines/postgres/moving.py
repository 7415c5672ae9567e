"""The end from which a database moves: what changes is kept, and in the end nobody may change anything.

The changes are fetched by ordinary statements (``pg_logical_slot_peek_binary_changes``), so that the new server needs no
way to the old one and no rights beyond those to its own tables; a subscription of PostgreSQL itself would need both. How far
the changes were applied stands in the new database and changes in the same transaction as its rows: whatever dies in
between, no change is lost and none is applied twice.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg import sql

from drystone.l00_kernel.errors import Conflict, Unavailable
from drystone.l10_engines.postgres import binaries

Connection = psycopg.Connection[tuple[object, ...]]

SCHEMA = "drystone_move"
"""Of what a move has to remember at the end that it leaves."""

APPLIED = "drystone_move_applied"
"""Table of ``public`` at the other end, where a role may make no schema, with how far changes were applied."""

MARK = "drystone_move"
_SETTINGS = (
    "SET datestyle TO 'ISO'; SET intervalstyle TO 'postgres'; SET timezone TO 'UTC'; SET bytea_output TO 'hex';"
    " SET extra_float_digits TO 1; SET client_encoding TO 'UTF8'; SET statement_timeout TO 0;"
    " SET idle_in_transaction_session_timeout TO 0; SET search_path TO ''"
)


class Unmovable(Conflict):
    """The database cannot be moved as it is."""


class Diverged(Conflict):
    """The two databases do not hold the same, or somebody else changes the new one."""


class Table(msgspec.Struct, frozen=True, order=True):
    """A table, with the columns whose values are stored."""

    schema: str
    name: str
    columns: tuple[str, ...]

    @property
    def at(self) -> sql.Identifier:
        """The table as statements name it."""
        return sql.Identifier(self.schema, self.name)

    def listed(self) -> sql.Composed:
        """Its columns, separated by commas."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


@contextmanager
def connected(url: str, *, autocommit: bool = True) -> Iterator[Connection]:
    """Open a connection on which values have one form, whatever either server is set to.

    Raises:
        Unavailable: The server does not answer or refuses, now or later in the block; no message holds the URL.
    """
    try:
        with psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="drystone move"
        ) as connection:
            connection.execute(_SETTINGS)
            connection.autocommit = autocommit
            yield connection
    except psycopg.Error as e:
        parts = urlsplit(url)
        raise Unavailable(
            f"PostgreSQL at {parts.hostname}:{parts.port} refused: {e.diag.message_primary or type(e).__name__}"
        ) from e


def tables(connection: Connection) -> list[Table]:
    """List the tables of a database that hold rows of its own, by name."""
    found = connection.execute(
        "SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " AND a.attgenerated = ''"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'"
        " AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname NOT IN ('information_schema', %s) AND c.relname <> %s"
        " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
        " GROUP BY 1, 2 ORDER BY 1, 2",
        (SCHEMA, APPLIED),
    )
    return [Table(str(s), str(n), tuple(columns)) for s, n, columns in found]  # type: ignore[arg-type]


def named(rows: Sequence[tuple[object, ...]]) -> str:
    """Name what the first columns hold."""
    return ", ".join(str(row[0]) for row in rows)


def require_movable(connection: Connection, every: Sequence[Table]) -> None:
    """Make sure that every change of every table can be followed.

    Raises:
        Unmovable: The message says of which table it cannot, and what to do.
    """
    one = connection.execute(
        "SELECT current_setting('wal_level'), current_setting('server_encoding')"
    ).fetchone()
    if one != ("logical", "UTF8"):
        raise Unmovable(
            f"the server has wal_level and encoding {one}; changes are followed with ('logical', 'UTF8')"
        )
    names = [f"{table.schema}.{table.name}" for table in every]
    without = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c WHERE c.oid = ANY"
        " (SELECT pg_catalog.to_regclass(pg_catalog.quote_ident(split_part(x, '.', 1)) || '.' ||"
        "  pg_catalog.quote_ident(split_part(x, '.', 2)))::oid FROM unnest(%s::text[]) x)"
        " AND (c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS"
        " (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)) ORDER BY 1",
        (names,),
    ).fetchall()
    if without:
        raise Unmovable(
            f"nothing tells the rows of {named(without)} apart: give each a primary key, or let the whole row tell"
            " with ALTER TABLE … REPLICA IDENTITY FULL"
        )
    if connection.execute("SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1").fetchone():
        raise Unmovable(
            "there are large objects, whose changes cannot be followed; move them to columns"
        )


def copy_schema(source: str, target: str) -> None:
    """Make the tables of one database in another, without rows, owners and privileges.

    Raises:
        Unmovable: They cannot be made; the message says why.
    """
    root = binaries.installed_root()
    dump = [
        str(binaries.program(root, "pg_dump")),
        "--schema-only",
        "--no-owner",
        "--no-privileges",
    ]
    dump += ["--no-publications", "--no-subscriptions", f"--exclude-schema={SCHEMA}"]
    made = _run(dump, source, None)
    # A new database has the schema already, and whoever owns it may not be the one who says so.
    text = b"\n".join(
        line
        for line in made.splitlines()
        if line
        not in {b"CREATE SCHEMA public;", b"COMMENT ON SCHEMA public IS 'standard public schema';"}
    )
    load = [str(binaries.program(root, "psql")), "--no-psqlrc", "--quiet", "--single-transaction"]
    _run([*load, "--set=ON_ERROR_STOP=1", "--output=/dev/null"], target, text)


def _run(command: list[str], url: str, text: bytes | None) -> bytes:
    """Run a program of PostgreSQL against a database; the password stands in no list of processes."""
    fields = psycopg.conninfo.conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    names |= {"dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}
    env = {variable: str(fields[key]) for key, variable in names.items() if key in fields}
    done = subprocess.run(  # noqa: S603 - no outside words in it
        command, input=text, capture_output=True, check=False, env={"PATH": os.defpath, **env}
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unmovable(f"the tables cannot be made there: {said[-1] if said else done.returncode}")
    return done.stdout


def slot_exists(connection: Connection, name: str) -> bool:
    """Tell whether changes are kept for a move of this name."""
    found = connection.execute(
        "SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = %s", (name,)
    )
    return found.fetchone() is not None


def publish(connection: Connection, name: str, every: Sequence[Table]) -> None:
    """Say of which tables changes are to be kept."""
    connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))
    listed = sql.SQL(", ").join(table.at for table in every)
    connection.execute(
        sql.SQL(
            "CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)"
        ).format(sql.Identifier(name), listed)
    )


def forget(connection: Connection, name: str) -> None:
    """Keep no more changes. Idempotent.

    Raises:
        Unavailable: Somebody still reads them.
    """
    if slot_exists(connection, name):
        connection.execute(
            "SELECT pg_catalog.pg_terminate_backend(active_pid, 5000) FROM pg_catalog.pg_replication_slots"
            " WHERE slot_name = %s AND active",
            (name,),
        )
        connection.execute("SELECT pg_catalog.pg_drop_replication_slot(%s)", (name,))
    connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))


def lag(connection: Connection, slot: str) -> int:
    """Return how many bytes of the log have not been taken over."""
    found = connection.execute(
        "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)::bigint"
        " FROM pg_catalog.pg_replication_slots WHERE slot_name = %s",
        (slot,),
    ).fetchone()
    return int(str(found[0])) if found and found[0] is not None else 0


def place_now(connection: Connection) -> int:
    """Return where the log ends that is on the disk."""
    found = connection.execute(
        "SELECT (pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"
    ).fetchone()
    return int(str(found[0])) if found else 0


def mark(connection: Connection, text: str) -> None:
    """Put a message into the log, which comes by after every change that was committed before."""
    connection.execute(
        "SELECT pg_catalog.pg_logical_emit_message(true, %s, %s::text)", (MARK, text)
    )


def fence(connection: Connection) -> None:
    """Let nobody but an administrator change any row from now on; reading goes on. Idempotent.

    What is taken is remembered in the same transaction.
    """
    with connection.transaction():
        connection.execute("CREATE SCHEMA IF NOT EXISTS drystone_move")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS drystone_move.fence (relation regclass, grantee oid, privilege text)"
        )
        found = connection.execute(
            "SELECT c.oid::regclass::text, c.oid, a.grantee, r.rolname, a.privilege_type"
            " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"
            " pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))) a"
            " LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%%'"
            " AND n.nspname NOT IN ('information_schema', %s)"
            " AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')",
            (SCHEMA,),
        ).fetchall()
        for _, oid, grantee, _, privilege in found:
            connection.execute(
                "INSERT INTO drystone_move.fence VALUES (%s::oid::regclass, %s, %s)",
                (oid, grantee, privilege),
            )
        for name, _, _, role, privilege in found:
            connection.execute(_privilege("REVOKE", str(privilege), str(name), role))


def unfence(connection: Connection) -> None:
    """Give back what :func:`fence` has taken. Idempotent."""
    with connection.transaction():
        if not connection.execute(
            "SELECT pg_catalog.to_regclass(%s)", ("drystone_move.fence",)
        ).fetchone()[0]:  # type: ignore[index]
            return
        found = connection.execute(
            "DELETE FROM drystone_move.fence f USING pg_catalog.pg_class c WHERE c.oid = f.relation"
            " RETURNING f.relation::text, (SELECT rolname FROM pg_catalog.pg_roles r WHERE r.oid = f.grantee),"
            " f.privilege"
        ).fetchall()
        for name, role, privilege in found:
            connection.execute(_privilege("GRANT", str(privilege), str(name), role))


def _privilege(verb: str, privilege: str, table: str, role: object) -> sql.Composed:
    """Write a GRANT or REVOKE; the table's name is quoted already, as ``regclass`` gives it."""
    whose = sql.Identifier(str(role)) if role else sql.SQL("PUBLIC")
    word = sql.SQL("TO" if verb == "GRANT" else "FROM")
    return sql.SQL("{} {} ON TABLE {} {} {}").format(
        sql.SQL(verb), sql.SQL(privilege), sql.SQL(table), word, whose
    )


def writers(connection: Connection) -> int:
    """Return how many transactions of others that have written are under way; prepared ones count, too."""
    found = connection.execute(
        "SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database()"
        " AND backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid())"
        " + (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database())"
    ).fetchone()
    return int(str(found[0])) if found else 0


def end_writers(connection: Connection) -> None:
    """End the sessions whose transactions have written and do not end; what they did is rolled back."""
    connection.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity"
        " WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()"
    )


def published(connection: Connection, name: str) -> list[Table]:
    """Return the tables of a publication as they are now."""
    found = connection.execute(
        "SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = %s",
        (name,),
    ).fetchall()
    names = {(str(schema), str(table)) for schema, table in found}
    return [table for table in tables(connection) if (table.schema, table.name) in names]


def note_verified(connection: Connection, name: str) -> None:
    """Write down that a move has brought everything over, so that what comes next can be done again."""
    connection.execute("CREATE TABLE IF NOT EXISTS drystone_move.verified (name text PRIMARY KEY)")
    connection.execute(
        "INSERT INTO drystone_move.verified VALUES (%s) ON CONFLICT DO NOTHING", (name,)
    )


def is_verified(connection: Connection, name: str) -> bool:
    """Tell whether a move has brought everything over."""
    if not _has_table(connection, "verified"):
        return False
    found = connection.execute("SELECT FROM drystone_move.verified WHERE name = %s", (name,))
    return found.fetchone() is not None


def _has_table(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT pg_catalog.to_regclass(%s)", (f"{SCHEMA}.{name}",))
    row = found.fetchone()
    return row is not None and row[0] is not None
