"""Bring the tables to what this version needs: ``python -m guestbook.migrate``.

The files in ``migrations/`` run in the order of their names, each once. They only ever add, so that the
version before and this one run side by side while traffic moves from one to the other.
"""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x6775657374  # "guest": any number that nobody else locks in this database


def migrate(url: str) -> list[str]:
    """Run what has not run yet, all or nothing, and return the names of it.

    Two migrations at the same time are no accident: the second waits and finds nothing to do.
    """
    done: list[str] = []
    with psycopg.connect(url) as connection:  # one transaction
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            "set local lock_timeout = '5s'"
        )  # requests do not queue behind us for longer
        connection.execute(
            "create table if not exists schema_versions "
            "(name text primary key, applied_at timestamptz not null default now())"
        )
        known = {name for (name,) in connection.execute("select name from schema_versions")}
        for file in sorted(MIGRATIONS.glob("*.sql")):
            if file.stem not in known:
                connection.execute(file.read_bytes())
                connection.execute("insert into schema_versions (name) values (%s)", [file.stem])
                done.append(file.stem)
    return done


if __name__ == "__main__":
    print("migrated:", ", ".join(migrate(os.environ["DB_URL"])) or "nothing to do")
