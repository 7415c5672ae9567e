"""The dashboard as a web application on loopback. Whoever has the key of the sandbox may look; other users of the machine may not."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from drystone.l00_kernel.errors import NotFound, PlatformError
from drystone.l00_kernel.home import Home
from drystone.l80_governance.dependencies.answers import HEADERS, HTML, Content, answer, content
from drystone.l80_governance.dependencies.guard import Guarded
from drystone.l80_governance.dependencies.html import Html, Link
from drystone.l85_surfaces.sandbox import pages
from drystone.l85_surfaces.sandbox.looking import Looking
from drystone.l85_surfaces.sandbox.places import Place

Endpoint = Callable[[Request], Awaitable[Response]]
_KINDS = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "wall.svg": "image/svg+xml",
}
_STATIC = {name: Link(f"/assets/{name}") for name in _KINDS}
_PRIVATE = "private, no-store"


def application(place: Place) -> Guarded:
    """Make the application.

    Args:
        place: The sandbox.
    """
    site = _Site(Looking(place))
    app = Starlette(
        routes=[
            Route("/", site.opened(site.overview)),
            Route("/logs/{service}", site.opened(site.logs)),
            Route("/settings/{service}", site.opened(site.settings)),
            Route("/assets/{name}", site.asset),
            Route("/{rest:path}", site.opened(site.missing)),
        ]
    )
    app.router.redirect_slashes = False
    return Guarded(app)


class _Site:
    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        # Cookies do not tell ports from each other, so that each sandbox has a name of its own.
        self._cookie = f"drystone-sandbox-{Home(looking.place.home).label}"
        self._assets: dict[str, Content] = {}

    def opened(self, endpoint: Endpoint) -> Endpoint:
        """Answer those who have the key, and remember that they have it."""

        async def answered(request: Request) -> Response:
            key = self._looking.place.key
            given = request.query_params.get("key")
            if given is not None and _is_same(given, key):
                there = RedirectResponse(request.url.path, 303, HEADERS)
                there.set_cookie(self._cookie, key, httponly=True, samesite="strict", path="/")
                return there
            if not _is_same(request.cookies.get(self._cookie, ""), key):
                why = "Open the address that `drystone sandbox status` prints; it holds the key."
                return _sent(pages.trouble("This dashboard is locked", why, _STATIC), 403)
            try:
                return await endpoint(request)
            except PlatformError as e:
                return _sent(pages.trouble("That did not work", e.message, _STATIC), e.status)

        return answered

    async def overview(self, _: Request) -> Response:
        return _sent(pages.overview(await self._looking.seen(), _STATIC))

    async def logs(self, request: Request) -> Response:
        service = request.path_params["service"]
        return _sent(pages.logs(service, await self._looking.logs(service), _STATIC))

    async def settings(self, request: Request) -> Response:
        service = request.path_params["service"]
        found = await self._looking.settings(service)
        is_shown = request.query_params.get("secrets") == "shown"
        return _sent(pages.settings(service, found, _STATIC, is_shown=is_shown))

    async def missing(self, _: Request) -> Response:
        raise NotFound("there is no such page; go to the first one")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _KINDS:
            return Response("There is no such file.\n", 404, HEADERS)
        if name not in self._assets:
            found = resources.files("drystone.l85_surfaces.console").joinpath("static", name)
            self._assets[name] = content(found.read_bytes(), _KINDS[name])
        return answer(request, self._assets[name], cache="public, max-age=60")


def _is_same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode(), key.encode())


def _sent(page: Html, status: int = 200) -> Response:
    headers = {**HEADERS, "cache-control": _PRIVATE}
    return Response(page.encoded(), int(status), headers, HTML)
