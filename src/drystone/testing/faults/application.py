"""What the services under fire run: a server that keeps keys, in a database, a bucket or a file.

::

    python application.py PORT

``STORE`` says where: ``postgres`` (``DB_*``), ``bucket`` (``FILES_*``) or ``file`` (``DATA_PATH``). ``PUT /keys/K`` answers
only when K is durable there, ``GET /keys`` lists all keys, one a line; every answer names its version. The file
needs the standard library alone, and psycopg where there is a database, so that it also runs in a bare image.
"""

# mypy: disable-error-code=explicit-override
# It must not need typing_extensions: some of its environments have the standard library alone.

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.client
import http.server
import os
import re
import signal
import sys
import threading
import time
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VERSION = os.environ.get("APP_VERSION", "development")
ANSWERS_FINISH_S = 2.0


class Store(ABC):
    """Keeps keys."""

    @abstractmethod
    def put(self, key: str) -> None:
        """Return when the key is durable; any exception means that it may not be."""

    @abstractmethod
    def keys(self) -> list[str]:
        """Return all keys."""


class PostgresStore(Store):
    """Rows of a table; a connection that broke is not used again."""

    def __init__(self) -> None:
        import psycopg  # noqa: PLC0415 - only this service's environment has it

        self._connect: Callable[[], Any] = lambda: psycopg.connect(
            os.environ["DB_URL"], autocommit=True, connect_timeout=3
        )
        self._idle: list[Any] = []
        self._ask("create table if not exists kept (key text primary key)")

    def _ask(self, statement: str, *values: str) -> list[Any]:
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            cursor = connection.execute(statement, values)
            rows: list[Any] = cursor.fetchall() if cursor.description else []
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return rows

    def put(self, key: str) -> None:
        self._ask("insert into kept values (%s) on conflict do nothing", key)

    def keys(self) -> list[str]:
        return [key for (key,) in self._ask("select key from kept")]


class BucketStore(Store):
    """Objects, each with its key as its content; requests are signed as AWS Signature Version 4 asks for."""

    def put(self, key: str) -> None:
        self._ask("PUT", f"/{key}", key.encode())

    def keys(self) -> list[str]:
        found: list[str] = []
        after = ""
        while True:
            query = urllib.parse.urlencode({"list-type": "2", "start-after": after})
            page = self._ask("GET", "", query=query).decode()
            names = re.findall("<Key>([^<]*)</Key>", page)
            found += names
            if not names or "<IsTruncated>true" not in page:
                return found
            after = names[-1]

    def _ask(self, method: str, path: str, body: bytes = b"", *, query: str = "") -> bytes:
        host = urllib.parse.urlsplit(os.environ["FILES_ENDPOINT"]).netloc
        target = f"/{os.environ['FILES_NAME']}{path}"
        query = "&".join(sorted(query.split("&"))) if query else ""
        headers = _signed(method, host, target, query, body)
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request(method, f"{target}?{query}" if query else target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise OSError(f"the store answers {answer.status}")
        return content


def _signed(method: str, host: str, target: str, query: str, body: bytes) -> dict[str, str]:
    """Return the headers of a request (AWS Signature Version 4, "Create a signed request")."""
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join([method, target, query, lines, names, digest])
    scope = f"{now[:8]}/{os.environ['FILES_REGION']}/s3/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{os.environ['FILES_SECRET_KEY']}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashed}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{os.environ['FILES_ACCESS_KEY']}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


class FileStore(Store):
    """Lines of a file, forced to the disk; two releases may append to it at the same time."""

    def __init__(self) -> None:
        self._path = Path(os.environ["DATA_PATH"], "keys")
        self._path.touch()

    def put(self, key: str) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, f"{key}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def keys(self) -> list[str]:
        return self._path.read_text().split()


STORES: dict[str, type[Store]] = {
    "postgres": PostgresStore,
    "bucket": BucketStore,
    "file": FileStore,
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: two small segments would wait for each other's acknowledgement
    server: Server

    def do_GET(self) -> None:
        """Answer with all keys, or that it is well."""
        self._answer(
            lambda: "\n".join(self.server.store.keys()) if self.path == "/keys" else "well"
        )

    def do_PUT(self) -> None:
        """Keep a key."""
        key = self.path.rpartition("/")[2]

        def keep() -> str:
            self.server.store.put(key)
            return key

        self._answer(keep)

    def _answer(self, work: Callable[[], str]) -> None:
        with self.server.answering():
            try:
                status, text = 200, work()
            except Exception as e:  # noqa: BLE001 - whatever it is, the key is not acknowledged
                status, text = 503, f"{type(e).__name__}: {e}"
            body = text.encode()
            self.send_response(status)
            self.send_header("x-version", VERSION)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so it is called there
        """Keep the log for what matters."""


class Server(http.server.ThreadingHTTPServer):
    """Serves until SIGTERM, and then finishes the answers that have begun."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, store: Store) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.store = store
        self._busy = 0
        self._lock = threading.Lock()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count an answer for as long as it takes."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def finish(self) -> None:
        """Take no more connections and wait for the answers that have begun."""
        self.shutdown()
        self.server_close()
        end = time.monotonic() + ANSWERS_FINISH_S
        while self._busy and time.monotonic() < end:
            time.sleep(0.005)


def main(port: int) -> None:
    """Serve."""
    server = Server(port, STORES[os.environ["STORE"]]())
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(f"version {VERSION} serves", flush=True)  # noqa: T201 - its log
    told.wait()
    server.finish()


if __name__ == "__main__":
    main(int(sys.argv[1]))
