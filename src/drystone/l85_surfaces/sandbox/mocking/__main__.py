"""Serve a mock: ``python -m drystone.l85_surfaces.sandbox.mocking PORT``, in the folder of its document.

``document.json`` is what it answers by, ``settings.json`` what is wrong with it on purpose. Every request is told as one line of
JSON on standard output, with the verdict.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from drystone.l85_surfaces.sandbox.mocking.answering import Answered, Faults, Mock, refused
from drystone.l85_surfaces.sandbox.mocking.requests import Asked

HEALTH = "/_sandbox/health"
LARGEST_BODY = 8 << 20
CALLER = "x-asap-issuer"
"""Header with the name of the one who calls, as the platform has proven it."""


class _Counter:
    """Counts requests over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0

    def take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1


class Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 120

    def serve(self) -> None:
        """Answer one request."""
        path, _, query = self.path.partition("?")
        headers = {key.lower(): value for key, value in self.headers.items()}
        if path == HEALTH:
            self._send(Answered(200, "well", {"content-type": "text/plain"}, b"well\n"))
            return
        body = self._read_body(headers)
        if body is None:
            self.close_connection = True
            answered = refused(413, f"the body has more than {LARGEST_BODY} bytes")
        else:
            asked = Asked(self.command, path, query, headers, body)
            answered = self.server.mock.answer(asked, self.server.counter.take())
        if answered.delay:
            time.sleep(answered.delay)
        tell(
            id=headers.get("x-request-id", "")[:128],
            call=f"{self.command} {path[:500]}",
            caller=headers.get(CALLER, "")[:200],
            status=answered.status,
            verdict=answered.verdict[:2000],
        )
        self._send(answered)

    def _read_body(self, headers: dict[str, str]) -> bytes | None:
        """Return the body of the request; None when it is too large to be read."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes | None:
        """Return a body that comes in pieces (RFC 9112, section 7.1)."""
        body = b""
        while True:
            size = int(self.rfile.readline(100).partition(b";")[0].strip() or b"0", 16)
            if size == 0:
                while self.rfile.readline(10_000).strip():
                    pass
                return body
            if len(body) + size > LARGEST_BODY:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(3)

    def _send(self, answered: Answered) -> None:
        self.send_response(answered.status)
        for name, value in answered.headers.items():
            self.send_header(name, value)
        has_body = answered.status >= 200 and answered.status not in {204, 304}
        if has_body:
            self.send_header("content-length", str(len(answered.body)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(answered.body)

    def log_message(self, *_: Any) -> None:  # type: ignore[explicit-override] # the standard library alone
        """Say nothing beside the line of each call."""


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
    setattr(Handler, f"do_{_method}", Handler.serve)


def tell(**fields: object) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Server(ThreadingHTTPServer):
    """Serves every connection in a thread of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], mock: Mock) -> None:
        super().__init__(address, Handler)
        self.mock = mock
        self.counter = _Counter()


def main(port: int, folder: Path) -> None:
    """Serve until told to end."""
    document = json.loads((folder / "document.json").read_text("utf-8"))
    settings = json.loads((folder / "settings.json").read_text("utf-8"))
    mock = Mock(document, Faults(**settings))
    Server(("127.0.0.1", port), mock).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path.cwd())
