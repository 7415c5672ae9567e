"""Serve the guestbook until TERM: ``python -m guestbook PORT``."""

from __future__ import annotations

import sys

import uvicorn

uvicorn.run(
    "guestbook.app:app",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    access_log=False,
    server_header=False,
    # The proxy in front keeps connections open between requests. The service closes an idle one later
    # than the proxy does, so that no request ever meets a connection that is just being closed.
    timeout_keep_alive=120,
    # After TERM, requests under way are answered; the platform kills what is left after `stop.grace`.
    timeout_graceful_shutdown=15,
)
