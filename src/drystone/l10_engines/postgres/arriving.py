"""The end to which a database moves: its tables are filled and follow, and it remembers how far."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

import psycopg

from drystone.l10_engines.postgres.moving import Connection, Table, Unmovable, named


def prepare(connection: Connection, every: Sequence[Table]) -> list[Table]:
    """Make sure that rows can be taken over one by one; return the tables in the order in which to fill them.

    Raises:
        Unmovable: Triggers or references between tables would stand in the way, and may not be switched off.
    """
    try:
        with connection.transaction():
            connection.execute("SET session_replication_role TO replica")
        return list(every)
    except psycopg.errors.InsufficientPrivilege:
        pass
    triggers = connection.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_catalog.pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    ).fetchall()
    if triggers:
        raise Unmovable(
            f"triggers of {named(triggers)} would run for each row that is copied: give the URL of a role that may"
            " set session_replication_role"
        )
    needs = connection.execute(
        "SELECT n.nspname, c.relname, m.nspname, f.relname FROM pg_catalog.pg_constraint k"
        " JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_class f ON f.oid = k.confrelid JOIN pg_catalog.pg_namespace m ON m.oid = f.relnamespace"
        " WHERE k.contype = 'f' AND k.conrelid <> k.confrelid"
    ).fetchall()
    order: TopologicalSorter[tuple[object, object]] = TopologicalSorter()
    for table in every:
        order.add((table.schema, table.name))
    for schema, name, other_schema, other in needs:
        order.add((schema, name), (other_schema, other))
    by_name = {(table.schema, table.name): table for table in every}
    try:
        return [by_name[name] for name in order.static_order() if name in by_name]
    except CycleError:
        raise Unmovable(
            "tables refer to each other in a circle: give the URL of a role that may set session_replication_role"
        ) from None


def fixed_columns(connection: Connection) -> frozenset[tuple[str, str, str]]:
    """Return the columns that no update may set: those GENERATED ALWAYS AS IDENTITY, by schema, table and name."""
    found = connection.execute(
        "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_attribute a"
        " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.attidentity = 'a'"
    )
    return frozenset((str(schema), str(table), str(name)) for schema, table, name in found)


def applied(connection: Connection, slot: str) -> int | None:
    """Return the place in the log up to which changes were applied; None when nothing was copied."""
    if not connection.execute(
        "SELECT pg_catalog.to_regclass(%s)", ("public.drystone_move_applied",)
    ).fetchone()[0]:  # type: ignore[index]
        return None
    found = connection.execute(
        "SELECT place - '0/0'::pg_lsn FROM public.drystone_move_applied WHERE slot = %s", (slot,)
    ).fetchone()
    return int(str(found[0])) if found else None


def note_applied(connection: Connection, slot: str, place: str | int) -> None:
    """Write down how far changes were applied, in the transaction of the rows."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS public.drystone_move_applied (slot text PRIMARY KEY, place pg_lsn NOT NULL)"
    )
    shown = place if isinstance(place, str) else lsn(place)
    connection.execute(
        "INSERT INTO public.drystone_move_applied VALUES (%s, %s) ON CONFLICT (slot) DO UPDATE SET place = EXCLUDED.place",
        (slot, shown),
    )


def lsn(place: int) -> str:
    """Write a place in the log as PostgreSQL does (documentation, 8.20)."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def tidy(connection: Connection) -> None:
    """Remove what a move remembered here."""
    connection.execute("DROP TABLE IF EXISTS public.drystone_move_applied")
