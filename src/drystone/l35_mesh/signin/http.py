"""The addresses at which people meet the sign-in: its own, and those below ``words.PATH`` of every service."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from drystone.l00_kernel.errors import PlatformError
from drystone.l35_mesh.signin import cookies
from drystone.l35_mesh.signin.desk import ON_THE_WAY, Desk
from drystone.l35_mesh.signin.errors import SessionOver, SignInRefused
from drystone.l35_mesh.signin.forms import is_from_here, query_of
from drystone.l35_mesh.signin.html import lead, page
from drystone.l35_mesh.signin.provider.words import answer
from drystone.l35_mesh.signin.sessions import Session
from drystone.l35_mesh.signin.words import AT, TICKET, Place

Handler = Callable[[Request], Awaitable[Response]]

_JUST_NOW = timedelta(seconds=20)
_BINDING_LENGTH = 32


class People:
    """Answers people.

    Args:
        desk: The rules.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return its routes."""
        table: list[tuple[str, Handler, list[str]]] = [
            (f"{AT}/begin", self._begin, ["GET"]),
            (f"{AT}/finish", self._finish, ["GET"]),
            (f"{AT}/out", self._out_there, ["GET"]),
            ("/", self._home, ["GET"]),
            ("/enter", self._enter, ["GET"]),
            ("/callback", self._callback, ["GET"]),
            ("/out", self._out, ["GET", "POST"]),
            ("/signed-out", self._signed_out, ["GET"]),
            ("/jwks", self._jwks, ["GET"]),
        ]
        return [Route(path, _plainly(handler), methods=methods) for path, handler, methods in table]

    async def _begin(self, request: Request) -> Response:
        place = self._place(request)
        kept = cookies.read(request, cookies.SERVICE)
        made = self._desk.issued_at(kept, place.audience)
        if made is not None and self._desk.now() - made < _JUST_NOW:
            # Its proxy has refused what was made a moment ago: leading on would lead in a circle.
            return page(
                "Not signed in",
                "Try again in a minute. If it stays so, its proxy does not know the present key of the sign-in.",
                trouble="You are signed in, but the service has not accepted it.",
                status=503,
            )
        binding = cookies.read(request, cookies.BEGUN)
        if len(binding) != _BINDING_LENGTH:
            binding = secrets.token_urlsafe(24)
        response = lead(self._desk.begin(place, _host(request), _return_of(request), binding))
        cookies.put(response, cookies.BEGUN, binding, lasts=ON_THE_WAY)
        return response

    async def _finish(self, request: Request) -> Response:
        place = self._place(request)
        binding = cookies.read(request, cookies.BEGUN)
        token, lasts, to = self._desk.finish(place, query_of(request).get("code", ""), binding)
        response = lead(to)
        cookies.put(response, cookies.SERVICE, token, lasts=lasts)
        return response

    async def _out_there(self, request: Request) -> Response:
        self._place(request)
        response = lead(f"{self._desk.address}/out")
        cookies.clear(response, cookies.SERVICE)
        cookies.clear(response, cookies.BEGUN)
        return response

    async def _home(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return await self._to_provider(request, "")
        return _who_page(session)

    async def _enter(self, request: Request) -> Response:
        asked = query_of(request).get("request", "")
        session = self._session(request)
        if session is None:
            return await self._to_provider(request, asked)
        return lead(self._desk.enter(asked, session))

    async def _to_provider(self, request: Request, asked: str) -> Response:
        binding = cookies.read(request, cookies.FLOW)
        if len(binding) != _BINDING_LENGTH:
            binding = secrets.token_urlsafe(24)
        salt = secrets.token_urlsafe(16)
        response = lead(await self._desk.leave_for_provider(asked, binding, salt))
        cookies.put(response, cookies.FLOW, binding, lasts=ON_THE_WAY)
        return response

    async def _callback(self, request: Request) -> Response:
        fields = query_of(request)
        flow = self._desk.flow(fields.get("state", ""), cookies.read(request, cookies.FLOW))
        said_by = fields.get("iss", self._desk.provider.settings.issuer)
        if said_by != self._desk.provider.settings.issuer:  # RFC 9207
            raise SignInRefused("Another provider has answered. Open the page again.")
        if "error" in fields:
            told = fields.get("error_description") or fields["error"]
            raise SignInRefused(f"The provider of identities refused: {told[:200]}")
        secret, asked = await self._desk.return_from_provider(
            flow, fields.get("code", ""), _browser(request)
        )
        self._desk.sessions.end(cookies.read(request, cookies.SESSION))
        where = f"/enter?{urlencode({'request': asked})}" if asked else "/"
        response = lead(where)
        cookies.put(response, cookies.SESSION, secret, lasts=self._desk.lifetime)
        cookies.clear(response, cookies.FLOW)
        return response

    async def _out(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return await self._signed_out(request)
        if request.method == "GET" or not is_from_here(request, self._desk.address):
            return _who_page(session)
        self._desk.sessions.end(cookies.read(request, cookies.SESSION))
        after = f"{self._desk.address}/signed-out"
        where = await self._desk.provider.leave(session.hint, after) or after
        response = page("Signed out", "You are signed out.", onward=where)
        cookies.clear(response, cookies.SESSION)
        return response

    async def _signed_out(self, _request: Request) -> Response:
        return page(
            "Signed out",
            "You are signed out. Pages that are open may go on for some minutes.",
        )

    async def _jwks(self, _request: Request) -> Response:
        return answer(self._desk.jwks())

    def _place(self, request: Request) -> Place:
        return self._desk.place(request.headers.get(TICKET, ""), _host(request))

    def _session(self, request: Request) -> Session | None:
        try:
            session = self._desk.sessions.find(
                cookies.read(request, cookies.SESSION), self._desk.now(), browser=_browser(request)
            )
        except SessionOver:
            return None
        is_ours = (
            session.kind == "browser" and session.issuer == self._desk.provider.settings.issuer
        )
        return session if is_ours else None


def _who_page(session: Session) -> Response:
    return page(
        "Signed in",
        f"You are signed in as {session.user}.",
        *([f"Groups: {', '.join(session.groups)}"] if session.groups else []),
        action="/out",
        button="Sign out",
    )


def _return_of(request: Request) -> str:
    """Return the path that a proxy has put at the end of the address, as it stands there."""
    query: bytes = request.scope["query_string"]
    begins, _, path = query.decode("latin-1").partition("to=")
    return path if not begins else "/"


def _host(request: Request) -> str:
    return request.headers.get("host", "")


def _browser(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _plainly(handler: Handler) -> Handler:
    """Tell what goes wrong on a page, in its own words."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except PlatformError as e:
            return page("Not signed in", trouble=str(e), status=int(e.status))

    return handle
