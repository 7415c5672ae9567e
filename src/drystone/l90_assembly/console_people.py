"""People at the operations page: the page has no proxy of its own, and does what the proxy of a service does for it.

It verifies the cookie that the sign-in has made for it, and passes on what goes to the sign-in. Its audience has no slash, so no
service can have the same, and what was made for the page is worth nothing anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract.by_socket import BySocket
from drystone.l00_kernel.contract.sending import Broken, Request, Unconnected
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.desk import name_of
from drystone.l35_mesh.signin.errors import TokenInvalid
from drystone.l35_mesh.signin.words import AT, COOKIE, PATH, STEPS, TICKET, Place
from drystone.l85_surfaces.console.people import People, Person

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l10_engines.on_demand.serving import App, Receive, Scope, Send
    from drystone.l35_mesh.signin.signing_keys import SigningKeys

AUDIENCE = "console"
_PASSED_ON = ("cookie", "user-agent", "accept-language")
_PASSED_BACK = (
    *("content-type", "location", "set-cookie", "cache-control", "content-security-policy"),
    *("referrer-policy", "x-content-type-options", "cross-origin-opener-policy"),
)
_FORGOTTEN = tuple(
    f"{name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
    for name in (COOKIE, f"{COOKIE}-begun")
)


class Form(msgspec.Struct, frozen=True):
    """For whom a form of the page was made."""

    user: str
    session: str


class SignedIn(People):
    """Knows people by the sign-in of the same home.

    Args:
        keys: Of the sign-in.
        address: Where the page answers people.
        signin: Where the sign-in does.
        clock: The time.
    """

    def __init__(self, keys: SigningKeys, *, address: str, signin: str, clock: Clock) -> None:
        self.address = address
        self.host = urlsplit(address).hostname or ""
        self._keys = keys
        self._signin = signin
        self._clock = clock

    @override
    def proven(self, headers: Mapping[str, str]) -> Person | None:
        token = _cookie(headers.get("cookie", ""))
        if not token or name_of(headers.get("host", "")) != self.host:
            return None
        now = self._clock.now()
        try:
            claims = compact.verify(
                token,
                self._keys.verifying(now),
                issuer=self._signin,
                audience=AUDIENCE,
                now=now,
            )
        except TokenInvalid:
            return None
        user, session = claims.get("user"), claims.get("sid")
        if not (isinstance(user, str) and user and isinstance(session, str) and session):
            return None
        groups = claims.get("groups")
        listed = groups if isinstance(groups, list) else []
        return Person(user, session, tuple(one for one in listed if isinstance(one, str)))

    @override
    def mark(self, person: Person) -> str:
        return self._keys.seal(self._clock.now()).close(Form(person.name, person.session))

    @override
    def is_marked(self, person: Person, mark: str) -> bool:
        now = self._clock.now()
        try:
            form = self._keys.seal(now).open(mark, Form, now=now)
        except TokenInvalid:
            return False
        return form == Form(person.name, person.session)


class BesideSignIn:
    """Passes on what goes to the sign-in, and everything else to the page.

    Args:
        page: Answers everything else.
        keys: Of the sign-in; by them it knows from where a request comes.
        host: The name by which people come.
        socket: Where the sign-in answers.
        clock: The time.
    """

    def __init__(
        self, page: App, *, keys: SigningKeys, host: str, socket: Path, clock: Clock
    ) -> None:
        self._page = page
        self._keys = keys
        self._host = host
        self._socket = socket
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on (ASGI 3)."""
        step = str(scope.get("path", "")).removeprefix(PATH)
        headers = {
            key.decode("latin-1"): value.decode("latin-1")
            for key, value in scope.get("headers", ())
        }
        is_ours = name_of(headers.get("host", "")) == self._host and scope.get("method") == "GET"
        if not (is_ours and step in STEPS and scope["path"] == PATH + step):
            await self._page(scope, receive, send)
            return
        query = bytes(scope["query_string"]).decode("latin-1")
        await self._pass(f"{AT}/{step}" + (f"?{query}" if query else ""), headers, send)

    async def _pass(self, target: str, headers: Mapping[str, str], send: Send) -> None:
        place = Place(AUDIENCE, (self._host,))
        passed = {name: headers[name] for name in _PASSED_ON if name in headers}
        passed[TICKET] = self._keys.seal(self._clock.now()).close(place)
        sender = BySocket(self._socket, f"http://{headers['host']}")
        try:
            answer = await sender.send(Request("GET", target, passed, None, streams=False))
            try:
                body = await answer.read()
            finally:
                await answer.close()
        except (Broken, Unconnected, ValueError):
            status, found = int(HTTPStatus.SERVICE_UNAVAILABLE), [("content-type", "text/plain")]
            body = b"The sign-in does not answer; try again in a minute.\n"
        else:
            status = answer.status
            found = [(key, answer.headers[key]) for key in _PASSED_BACK if key in answer.headers]
            if target.startswith(f"{AT}/out"):
                # Of several cookies in one answer only the last came through.
                found = [pair for pair in found if pair[0] != "set-cookie"]
                found += [("set-cookie", one) for one in _FORGOTTEN]
        found.append(("content-length", str(len(body))))
        sent = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in found]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})


def _cookie(header: str) -> str:
    """Return what the sign-in made for the page; nothing where there is none, or more than one of this name."""
    pairs = (pair.strip(" \t").partition("=") for pair in header.split(";"))
    found = [value for key, _, value in pairs if key == COOKIE]
    return found[0] if len(found) == 1 and len(found[0]) <= compact.LARGEST else ""
