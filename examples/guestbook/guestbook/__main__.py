"""Serve the guestbook on ``PORT`` of the loopback address until TERM."""

from __future__ import annotations

import os

import uvicorn

uvicorn.run(
    "guestbook.app:app",
    host="127.0.0.1",
    port=int(os.environ.get("PORT", "8000")),
    access_log=False,
    server_header=False,
    # The proxy in front keeps connections open between requests. The service closes an idle one later
    # than the proxy does, so that no request ever meets a connection that is just being closed.
    timeout_keep_alive=120,
    # After TERM, requests under way are answered; the platform kills what is left after `stop.grace`.
    timeout_graceful_shutdown=15,
)
