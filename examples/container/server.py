"""A server on the standard library: answers on ``PORT`` until TERM, then finishes what it began."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("APP_VERSION", "development")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        status = 200
        if url.path == "/slow":
            time.sleep(min(float(parse_qs(url.query).get("seconds", ["1"])[0]), 60))
        elif url.path not in {"/", "/healthcheck", "/version"}:
            status = 404
        body = json.dumps({"path": url.path, "version": VERSION}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-version", VERSION)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for the requests under way
    request_queue_size = 128


with Server(("127.0.0.1", int(os.environ["PORT"])), Handler) as server:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
