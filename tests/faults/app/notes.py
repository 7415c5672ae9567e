"""A service that remembers lines in every store that it was given.

::

    python notes.py PORT

POST /notes adds the body; GET /notes answers with the lines of each store; GET /env/NAME with a variable, GET /prefix with
where Python thinks that it is installed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def in_volume(line: str | None) -> list[str]:
    """Add a line to a file, on the disk; return all lines."""
    path = Path(os.environ["STATE_PATH"], "notes")
    if line is not None:
        with path.open("a") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
    return path.read_text().splitlines() if path.exists() else []


def in_database(line: str | None) -> list[str]:
    """Add a row to a table; return all in their order."""
    import psycopg  # noqa: PLC0415 - only where there is a database

    with psycopg.connect(os.environ["DB_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (id serial, line text)")
        if line is not None:
            connection.execute("INSERT INTO notes (line) VALUES (%s)", (line,))
        found = connection.execute("SELECT line FROM notes ORDER BY id").fetchall()
    return [row[0] for row in found]


def in_bucket(line: str | None) -> list[str]:
    """Put an object into the bucket; return what all hold, in the order of their names."""
    import boto3  # noqa: PLC0415 - only where there is a bucket

    client = boto3.client(
        "s3",
        endpoint_url=os.environ["FILES_ENDPOINT"],
        region_name=os.environ["FILES_REGION"],
        aws_access_key_id=os.environ["FILES_ACCESS_KEY"],
        aws_secret_access_key=os.environ["FILES_SECRET_KEY"],
    )
    bucket = os.environ["FILES_NAME"]
    names = [one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    if line is not None:
        names.append(f"{len(names):06}")
        client.put_object(Bucket=bucket, Key=names[-1], Body=line.encode())
    objects = (client.get_object(Bucket=bucket, Key=name) for name in sorted(names))
    return [one["Body"].read().decode() for one in objects]


STORES: dict[str, tuple[str, Callable[[str | None], list[str]]]] = {
    "volume": ("STATE_PATH", in_volume),
    "database": ("DB_URL", in_database),
    "bucket": ("FILES_NAME", in_bucket),
}


def everywhere(line: str | None) -> str:
    """Add a line to every store that there is; return what each holds, as JSON."""
    return json.dumps(
        {name: store(line) for name, (variable, store) in STORES.items() if variable in os.environ}
    )


class Notes(BaseHTTPRequestHandler):
    """Answers requests."""

    def do_GET(self) -> None:
        """Answer with what is asked for."""
        if self.path == "/notes":
            self._answer(everywhere(None))
        elif self.path.startswith("/env/"):
            self._answer(os.environ.get(self.path.removeprefix("/env/"), ""))
        else:
            self._answer(sys.prefix if self.path == "/prefix" else "")

    def do_POST(self) -> None:
        """Remember the body."""
        size = int(self.headers["content-length"])
        self._answer(everywhere(self.rfile.read(size).decode()))

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("x-version", os.environ.get("APP_VERSION", ""))
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override]  # noqa: A002
        """Write a line, so that there is a log."""
        sys.stdout.write(f"{self.command} {self.path}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Notes).serve_forever()
