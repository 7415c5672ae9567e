"""The sign-in as a web application: pages, the embedded provider, and the contract for command lines and builds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.context import Caller
from drystone.l00_kernel.contract import ANONYMOUS, serve
from drystone.l35_mesh.signin.builds import BuildTokens, TrustedBuild
from drystone.l35_mesh.signin.desk import Desk, name_of
from drystone.l35_mesh.signin.forms import LARGEST_BODY
from drystone.l35_mesh.signin.html import lead, page
from drystone.l35_mesh.signin.http import People
from drystone.l35_mesh.signin.outside import Inside, Network, Outside
from drystone.l35_mesh.signin.provider.app import Provider
from drystone.l35_mesh.signin.provider.tokens import Tokens
from drystone.l35_mesh.signin.provider.words import Client
from drystone.l35_mesh.signin.relying import ProviderSettings, RelyingParty
from drystone.l35_mesh.signin.service import SignIn
from drystone.l35_mesh.signin.sessions import Sessions
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import AT

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CONTRACT = "/v1/"
_OPEN = (CONTRACT, f"{AT}/", "/jwks", "/provider/.well-known/", "/provider/jwks")
"""What may be asked for by another name than the sign-in's own: it neither shows nor reads cookies of the sign-in."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the sign-in works.

    Attributes:
        folder: Where it keeps its files.
        address: Where people reach it, without a slash at the end.
        provider: Who knows people; the embedded provider when None.
        lifetime: How long a session lasts.
        trusted: Builds of other providers.
        staff_group: Whoever is not in it may not sign in; everybody may when empty.
    """

    folder: Path
    address: str
    provider: ProviderSettings | None = None
    lifetime: timedelta = timedelta(hours=12)
    trusted: tuple[TrustedBuild, ...] = ()
    staff_group: str = ""

    @override
    def __repr__(self) -> str:
        return f"Options({self.address!r})"


def application(options: Options, *, clock: Clock, outside: Outside | None = None) -> Guarded:
    """Put the sign-in together.

    Args:
        options: How it works.
        clock: The time.
        outside: The way to other providers; the network when None.
    """
    app = Starlette()
    network = outside or Network()
    keys, sessions = SigningKeys(options.folder), Sessions(options.folder)
    redirect = f"{options.address}/callback"
    settings = options.provider
    if settings is None:
        issuer = f"{options.address}/provider"
        settings = ProviderSettings(issuer=issuer, staff_group=options.staff_group)
        client = Client(settings.client_id, (redirect,), (f"{options.address}/signed-out",))
        tokens = Tokens(issuer, options.folder, keys=keys, clients=[client], clock=clock)
        app.router.routes.extend(Provider(issuer, tokens, sessions).routes())
        way: Outside = Inside(app)
    else:
        way = network
    provider = RelyingParty(settings, way, redirect=redirect, clock=clock)
    desk = Desk(
        options.address,
        keys=keys,
        sessions=sessions,
        provider=provider,
        clock=clock,
        lifetime=options.lifetime,
    )
    service = SignIn(
        desk,
        keys=keys,
        tokens=BuildTokens(options.folder),
        trusted=options.trusted,
        outside=network,
        clock=clock,
    )
    app.router.routes.extend(People(desk).routes())
    app.router.redirect_slashes = False
    app.add_exception_handler(404, _missing)
    contract = serve(service, authenticate=_anybody, clock=clock, body_limit=LARGEST_BODY)
    return Guarded(app, contract, options.address)


async def _anybody(_headers: Mapping[str, str]) -> Caller:
    """Take everybody: what a call needs, its body proves."""
    return ANONYMOUS


async def _missing(_request: Request, _error: Exception) -> Response:
    return page("Nothing here", "There is no page at this address.", status=404)


class Guarded:
    """Answers pages at the sign-in's own name alone, and requests of a bounded size.

    Another name that suddenly leads to this machine (DNS rebinding) is still the name that the browser sends, and the path of
    the edge by which command lines come has a name of its own: cookies and forms are served at neither.

    Args:
        pages: Answers browsers.
        contract: Answers command lines and builds.
        address: Where the sign-in answers people.
    """

    def __init__(self, pages: Any, contract: Any, address: str) -> None:
        self._pages = pages
        self._contract = contract
        self._address = address
        self._host = name_of(address.split("/")[2])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it (ASGI 3)."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        path: str = scope["path"]
        is_named = name_of(headers.get(b"host", b"").decode("latin-1")) == self._host
        if b"transfer-encoding" in headers or not _is_small(headers.get(b"content-length", b"0")):
            refusal = page("Too large", "The request is too large.", status=413)
            await refusal(scope, receive, send)
        elif path.startswith(CONTRACT):
            await self._contract(scope, receive, send)
        elif is_named or path.startswith(_OPEN):
            await self._pages(scope, receive, send)
        elif scope["method"] == "GET":
            await lead(f"{self._address}/")(scope, receive, send)
        else:
            await page("Elsewhere", f"The sign-in is at {self._address}.", status=421)(
                scope, receive, send
            )


def _is_small(length: bytes) -> bool:
    return length.isdigit() and len(length) < 10 and int(length) <= LARGEST_BODY
