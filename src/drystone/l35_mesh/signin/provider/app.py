"""The addresses of the embedded provider (OpenID Connect Core 1.0, RFC 8628, RP-Initiated Logout 1.0)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from drystone.l00_kernel.errors import Invalid, PlatformError
from drystone.l35_mesh.signin import cookies
from drystone.l35_mesh.signin.errors import (
    SessionOver,
    SignInRefused,
    TokenInvalid,
    TooManyAttempts,
)
from drystone.l35_mesh.signin.forms import client_of, form_of, is_from_here, query_of
from drystone.l35_mesh.signin.html import Field, lead, page
from drystone.l35_mesh.signin.provider.asking import (
    AskedCode,
    Mistaken,
    answer_address,
    read_request,
)
from drystone.l35_mesh.signin.provider.grants import Devices, Granted, until_of_code
from drystone.l35_mesh.signin.provider.tokens import Tokens
from drystone.l35_mesh.signin.provider.words import SIGNED_IN, Refused, answer, discovery
from drystone.l35_mesh.signin.seals import fingerprint
from drystone.l35_mesh.signin.sessions import Session, Sessions
from drystone.l35_mesh.signin.users import User

Handler = Callable[[Request], Awaitable[Response]]

_STALE = "This form is too old, or was made for another browser. Begin again."
_DEVICE = "device code"


class AskedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A form about a device.

    Attributes:
        shown: The code.
        user: Who is asked; empty before somebody has signed in.
        form: Recognises the browser.
    """

    shown: str
    user: str = ""
    form: str


class Provider:
    """Answers at the addresses of the provider.

    Args:
        issuer: Its own address, below which the others lie.
        tokens: Makes tokens, and knows codes, clients, users and the time.
        sessions: Who is signed in.
    """

    def __init__(self, issuer: str, tokens: Tokens, sessions: Sessions) -> None:
        self._issuer = issuer
        self._origin = "/".join(issuer.split("/")[:3])
        self._path = issuer.removeprefix(self._origin)
        self._tokens = tokens
        self._sessions = sessions
        self._devices: Devices = tokens.devices

    def routes(self) -> list[Route]:
        """Return its routes, below the path of its address."""
        both, get, post = ["GET", "POST"], ["GET"], ["POST"]
        table: list[tuple[str, Handler, list[str]]] = [
            ("/.well-known/openid-configuration", self._discovery, get),
            ("/jwks", self._jwks, get),
            ("/authorize", self._authorize, both),
            ("/log-in", self._log_in, post),
            ("/token", self._token, post),
            ("/userinfo", self._user_info, both),
            ("/device_authorization", self._begin_device, post),
            ("/device", self._device, get),
            ("/device/log-in", self._device_log_in, post),
            ("/device/decide", self._decide, post),
            ("/end_session", self._end_session, both),
        ]
        return [
            Route(self._path + path, _plainly(handler), methods=methods)
            for path, handler, methods in table
        ]

    async def _discovery(self, _request: Request) -> Response:
        return answer(discovery(self._issuer))

    async def _jwks(self, _request: Request) -> Response:
        return answer(self._tokens.jwks())

    async def _authorize(self, request: Request) -> Response:
        fields = query_of(request) if request.method == "GET" else await form_of(request)
        try:
            asked = read_request(fields, self._tokens.clients)
        except Mistaken as e:
            where = answer_address(e.asked, self._issuer, error=e.error, error_description=str(e))
            return lead(where, after_form=request.method == "POST")
        found = self._who(request)
        if found is not None and asked.prompt != "login":
            return self._give_code(asked, *found, after_form=request.method == "POST")
        if asked.prompt == "none":
            return lead(answer_address(asked, self._issuer, error="login_required"))
        return self._form("log-in", asked)

    def _form(
        self, action: str, asked: AskedCode | AskedDevice, trouble: str = "", status: int = 200
    ) -> Response:
        """Show the form for a name and a password, which this browser alone can send."""
        binding = secrets.token_urlsafe(24)
        note = self._tokens.seal(replace(asked, form=fingerprint(binding)))
        said = (
            ()
            if self._tokens.users.all()
            else (
                "There are no users yet. Whoever runs this platform adds one with: drystone users add NAME",
            )
        )
        response = page(
            "Sign in",
            *said,
            trouble=trouble,
            form=(
                Field("asked", value=note),
                Field("name", "Name", "text", complete="username"),
                Field("password", "Password", "password", complete="current-password"),
            ),
            action=f"{self._path}/{action}",
            button="Sign in",
            status=status,
        )
        cookies.put(response, cookies.FORM, binding)
        return response

    async def _log_in(self, request: Request) -> Response:
        fields, asked = await self._sent(request, AskedCode)
        entered = await self._enter(request, fields, asked, "log-in")
        if isinstance(entered, Response):
            return entered
        user, secret, session = entered
        response = self._give_code(asked, user, session, after_form=True)
        _signed_in(response, secret)
        return response

    async def _enter(
        self,
        request: Request,
        fields: Mapping[str, str],
        asked: AskedCode | AskedDevice,
        action: str,
    ) -> tuple[User, str, Session] | Response:
        """Check a password; return who it is with a new session, or the form again."""
        name = fields.get("name", "").strip().lower()
        try:
            user = await self._tokens.login.check(
                name, fields.get("password", ""), client_of(request)
            )
        except SignInRefused as e:
            return self._form(action, asked, str(e), 403)
        except TooManyAttempts as e:
            return self._form(action, asked, str(e), 429)
        self._sessions.end(cookies.read(request, cookies.PROVIDER))
        secret, session = self._sessions.begin(
            user.name,
            groups=user.groups,
            issuer=self._issuer,
            kind="provider",
            now=self._tokens.now(),
            lifetime=SIGNED_IN,
            browser=request.headers.get("user-agent", ""),
        )
        return user, secret, session

    def _give_code(
        self, asked: AskedCode, user: User, session: Session, *, after_form: bool = False
    ) -> Response:
        now = self._tokens.now()
        code = self._tokens.codes.give(
            Granted(
                client=asked.client,
                redirect=asked.redirect,
                challenge=asked.challenge,
                nonce=asked.nonce,
                user=user.name,
                scope=asked.scope,
                at=session.begun,
                until=until_of_code(now),
            )
        )
        return lead(answer_address(asked, self._issuer, code=code), after_form=after_form)

    def _who(self, request: Request) -> tuple[User, Session] | None:
        """Return who is signed in in this browser, if the account is still as it was then."""
        secret = cookies.read(request, cookies.PROVIDER)
        try:
            session = self._sessions.find(
                secret, self._tokens.now(), browser=request.headers.get("user-agent", "")
            )
        except SessionOver:
            return None
        user = self._tokens.users.get(session.user)
        if session.kind != "provider" or user is None or user.changed > session.begun:
            self._sessions.end(secret)
            return None
        return user, session

    async def _sent(self, request: Request, kind: type[Any]) -> tuple[Mapping[str, str], Any]:
        """Return a form of ours, sent by the browser for which it was made.

        Raises:
            Invalid: It is none.
        """
        fields = await form_of(request)
        if not is_from_here(request, self._origin):
            raise Invalid("Another page has sent this form. Begin again.")
        try:
            asked = self._tokens.unseal(fields.get("asked", ""), kind)
        except TokenInvalid:
            raise Invalid(_STALE) from None
        if not secrets.compare_digest(asked.form, fingerprint(cookies.read(request, cookies.FORM))):
            raise Invalid(_STALE)
        return fields, asked

    async def _token(self, request: Request) -> Response:
        try:
            return answer(self._tokens.exchange(await form_of(request)))
        except Refused as e:
            return answer({"error": e.error, "error_description": e.description}, e.status)
        except Invalid as e:
            return answer({"error": "invalid_request", "error_description": str(e)}, 400)

    async def _user_info(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        claims = self._tokens.user_info(token.strip()) if scheme.lower() == "bearer" else None
        if claims is None:
            refusal = answer({"error": "invalid_token"}, 401)
            refusal.headers["www-authenticate"] = 'Bearer error="invalid_token"'
            return refusal
        return answer(claims)

    async def _begin_device(self, request: Request) -> Response:
        try:
            return answer(self._tokens.begin_device(await form_of(request), self._issuer))
        except (Refused, Invalid) as e:
            error = e.error if isinstance(e, Refused) else "invalid_request"
            return answer({"error": error, "error_description": str(e)}, 400)

    async def _device(self, request: Request) -> Response:
        shown = query_of(request).get("user_code", "")
        if not shown:
            return self._ask_for_code()
        found = self._who(request)
        if found is None:
            return self._form("device/log-in", AskedDevice(shown=shown[:20], form=""))
        return self._ask_to_confirm(request, shown[:20], found[0])

    def _ask_for_code(self, trouble: str = "", status: int = 200) -> Response:
        # A form that only leads to another page is a GET in HTML; ours are POSTs, so the code goes by /device/decide.
        return self._decision(
            "Which code?",
            ("Type the code that your command line shows.",),
            AskedDevice(shown="", form=""),
            fields=(Field("user_code", "Code", "text"),),
            button="Continue",
            trouble=trouble,
            status=status,
        )

    def _ask_to_confirm(self, request: Request, shown: str, user: User) -> Response:
        try:
            self._tokens.attempts.require(_DEVICE, client_of(request))
        except TooManyAttempts as e:
            return page("Sign in", trouble=str(e), status=429)
        waiting = self._devices.find(shown, self._tokens.now())
        if waiting is None:
            self._tokens.attempts.failed(_DEVICE, client_of(request))
            return self._ask_for_code("No command line waits with this code.", 404)
        return self._decision(
            "Is this you?",
            (
                f"A command line that shows the code {waiting.shown} wants to act as {user.name}.",
                "Go on only if you have started it yourself, and it shows this very code.",
            ),
            AskedDevice(shown=waiting.shown, user=user.name, form=""),
            button="Yes, it is mine",
        )

    def _decision(
        self,
        title: str,
        said: tuple[str, ...],
        asked: AskedDevice,
        *,
        button: str,
        fields: tuple[Field, ...] = (),
        trouble: str = "",
        status: int = 200,
    ) -> Response:
        binding = secrets.token_urlsafe(24)
        note = self._tokens.seal(replace(asked, form=fingerprint(binding)))
        response = page(
            title,
            *said,
            trouble=trouble,
            form=(Field("asked", value=note), *fields),
            action=f"{self._path}/device/decide",
            button=button,
            status=status,
        )
        cookies.put(response, cookies.FORM, binding)
        return response

    async def _device_log_in(self, request: Request) -> Response:
        fields, asked = await self._sent(request, AskedDevice)
        entered = await self._enter(request, fields, asked, "device/log-in")
        if isinstance(entered, Response):
            return entered
        user, secret, _ = entered
        response = self._ask_to_confirm(request, asked.shown, user)
        _signed_in(response, secret)
        return response

    async def _decide(self, request: Request) -> Response:
        fields, asked = await self._sent(request, AskedDevice)
        if not asked.shown:
            code = urlencode({"user_code": fields.get("user_code", "")[:20]})
            return page("One moment", onward=f"{self._path}/device?{code}")
        found = self._who(request)
        waiting = self._devices.find(asked.shown, self._tokens.now())
        if found is None or found[0].name != asked.user or waiting is None:
            return self._ask_for_code("It took too long; begin again at the command line.", 409)
        self._devices.decide(waiting, asked.user)
        return page("Done", "The command line goes on. You can close this page.")

    async def _end_session(self, request: Request) -> Response:
        fields = query_of(request) if request.method == "GET" else await form_of(request)
        found = self._who(request)
        hint = self._tokens.client_of_hint(fields.get("id_token_hint", ""))
        client, about = hint or (None, "")
        if (
            found is not None
            and about != found[0].name
            and not (request.method == "POST" and is_from_here(request, self._origin))
        ):
            # Whoever only leads a browser here, with a token of their own at best, does not sign somebody out.
            return page(
                "Sign out",
                f"You are signed in as {found[0].name}.",
                action=f"{self._path}/end_session",
                button="Sign out",
            )
        self._sessions.end(cookies.read(request, cookies.PROVIDER))
        after = fields.get("post_logout_redirect_uri", "")
        is_known = client is not None and after in client.after
        response = lead(after) if is_known else page("Signed out", "You are signed out.")
        cookies.clear(response, cookies.PROVIDER)
        return response


def _signed_in(response: Response, secret: str) -> None:
    cookies.put(response, cookies.PROVIDER, secret, lasts=SIGNED_IN)


def _plainly(handler: Handler) -> Handler:
    """Answer what cannot be understood, or done, with a page that says so."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Invalid as e:
            return page("Sign in", trouble=str(e), status=400)
        except PlatformError as e:
            return page("Sign in", trouble=str(e), status=int(e.status))

    return handle
