"""A proxy in Python, as one would write it: aiohttp both ways on uvloop.

``python python_proxy.py PORT UPSTREAM_PORT``, in the environment of the other programs.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import aiohttp  # type: ignore[import-not-found]  # of the environment of the other programs
import uvloop
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"}


def application(upstream: str) -> web.Application:
    """Return the proxy for one upstream."""

    async def session(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as made:
            app["session"] = made
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        headers["X-Forwarded-For"] = request.remote or ""
        body = request.content if request.can_read_body else None
        asked = request.app["session"].request(
            request.method,
            upstream + request.raw_path,
            headers=headers,
            data=body,
            allow_redirects=False,
        )
        async with asked as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


if __name__ == "__main__":
    uvloop.install()
    to = f"http://127.0.0.1:{sys.argv[2]}"
    web.run_app(application(to), host="127.0.0.1", port=int(sys.argv[1]), access_log=None)
