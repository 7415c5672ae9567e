"""The guestbook's pages and API."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from psycopg import OperationalError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from guestbook.entries import Entries, Entry, Refused, check
from guestbook.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

VERSION = os.environ.get("APP_VERSION", "development")
LARGEST_BODY = 16 * 1024
LONGEST_WAIT = 60.0

entries = Entries(os.environ["DB_URL"])
page = Page(VERSION)


async def read_page(request: Request) -> Response:
    return HTMLResponse(page.render(await entries.newest(), await entries.count()))


async def sign(request: Request) -> Response:
    form = parse_qs((await _body(request)).decode(errors="replace"))
    name, message = form.get("name", [""])[0], form.get("message", [""])[0]
    try:
        await entries.add(check(name, message), version=VERSION)
    except Refused as e:
        body = page.render(
            await entries.newest(),
            await entries.count(),
            problem=str(e),
            name=name,
            message=message,
        )
        return HTMLResponse(body, status_code=422)
    return RedirectResponse("/", status_code=303)


async def list_entries(request: Request) -> Response:
    return JSONResponse(
        {
            "version": VERSION,
            "count": await entries.count(),
            "entries": [_as_json(entry) for entry in await entries.newest()],
        }
    )


async def add_entry(request: Request) -> Response:
    try:
        sent = json.loads(await _body(request))
    except (ValueError, RecursionError) as e:
        raise HTTPException(400, f"The body is not JSON: {e}") from e
    if not isinstance(sent, dict):
        raise HTTPException(422, "Send an object with a name and a message.")
    try:
        draft = check(sent.get("name"), sent.get("message"))
    except Refused as e:
        raise HTTPException(422, str(e)) from e
    return JSONResponse(_as_json(await entries.add(draft, version=VERSION)), status_code=201)


async def health(request: Request) -> Response:
    await entries.check_database()
    return JSONResponse({"status": "ok", "version": VERSION})


async def read_version(request: Request) -> Response:
    return JSONResponse({"version": VERSION})


async def slow(request: Request) -> Response:
    """Answer after ``seconds``: a request that is still under way while its release is replaced."""
    try:
        seconds = float(request.query_params.get("seconds", "1"))
    except ValueError as e:
        raise HTTPException(422, "seconds is a number.") from e
    if not 0 <= seconds <= LONGEST_WAIT:
        raise HTTPException(422, f"seconds lies between 0 and {LONGEST_WAIT:g}.")
    await asyncio.sleep(seconds)
    return JSONResponse({"version": VERSION, "seconds": seconds})


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"At most {LARGEST_BODY} bytes are read.")
    return body


def _as_json(entry: Entry) -> dict[str, object]:
    return asdict(entry) | {"written_at": entry.written_at.isoformat()}


async def _refused(request: Request, error: HTTPException) -> Response:
    body = {"error": error.detail, "version": VERSION}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _database_gone(request: Request, error: OperationalError) -> Response:
    print(f"the database does not answer: {error}", flush=True)
    body = {"error": "The database does not answer; try again in a moment.", "version": VERSION}
    return JSONResponse(body, status_code=503, headers={"retry-after": "1"})


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    await entries.open()
    yield
    await entries.close()


def with_headers(app: ASGIApp) -> ASGIApp:
    """Put the version that answered and the rules for the browser on every response."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-version"] = VERSION
                headers["content-security-policy"] = page.content_security_policy
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers["cache-control"] = "no-store"
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped


app = with_headers(
    Starlette(
        routes=[
            Route("/", read_page),
            Route("/", sign, methods=["POST"]),
            Route("/api/entries", list_entries),
            Route("/api/entries", add_entry, methods=["POST"]),
            Route("/healthcheck", health),
            Route("/version", read_version),
            Route("/slow", slow),
        ],
        exception_handlers={HTTPException: _refused, OperationalError: _database_gone},
        lifespan=lifespan,
    )
)
