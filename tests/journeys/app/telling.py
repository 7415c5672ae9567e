"""A service in one file, on the standard library, that tells what it was sent, and passes calls on.

``python telling.py PORT``: every path answers with the request's headers as JSON; ``/via`` with those that the service saw
whose address is in ``NEXT``.
"""

# mypy: disable-error-code=explicit-override
# It must not need typing_extensions: it runs on the standard library alone.

from __future__ import annotations

import http.server
import json
import os
import sys
import urllib.request

PASSED_ON = ("traceparent", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer."""
        told = dict(self.headers.items())
        if self.path == "/via":
            kept = {name: value for name, value in told.items() if name in PASSED_ON}
            request = urllib.request.Request(os.environ["NEXT"] + "/next", headers=kept)  # noqa: S310
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                told = json.load(answer)
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so it is called there
        """Keep the log for what matters."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
