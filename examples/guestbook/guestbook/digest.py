"""A worker that counts the entries every few seconds: ``python -m guestbook.digest``."""

from __future__ import annotations

import os
import signal
import sys
import time

import psycopg


def count(url: str) -> int:
    """Count the entries over a connection of its own, so that a restart of the database is forgotten."""
    with psycopg.connect(url, connect_timeout=2) as connection:
        row = connection.execute("select count(*) from entries").fetchone()
        return row[0] if row else 0


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        try:
            print(f"the guestbook has {count(os.environ['DB_URL'])} entries", flush=True)
        except psycopg.OperationalError as e:
            print(f"the database does not answer: {e}", file=sys.stderr, flush=True)
        time.sleep(5)


if __name__ == "__main__":
    main()
