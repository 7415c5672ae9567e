"""The rules of signing in: what is begun where, what is believed, and what is issued.

Somebody comes to a service, is led to the sign-in, from there to the provider if need be, and back::

    service          GET /reports                      no session: 302
    service          GET /.drystone/signin/begin       a cookie says that this browser began   (BEGUN)
    sign-in          GET /enter?request=…              the session, if there is one            (SESSION)
    provider         GET /authorize?…                  name and password
    sign-in          GET /callback?code=…              a cookie says that this browser went    (FLOW)
    sign-in          GET /enter?request=…              now there is a session
    service          GET /.drystone/signin/finish      a cookie that the service's proxy verifies (SERVICE)
    service          GET /reports

What passes through addresses is sealed, ends soon, and is worth nothing in another browser than the one that began: each
note names the hash of a random cookie. Nothing of it is kept, so the sign-in may end and start again in between.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l20_trust.keys.compact_form import encode
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.errors import SessionOver, SignInRefused, TokenInvalid
from drystone.l35_mesh.signin.relying import RelyingParty
from drystone.l35_mesh.signin.seals import Seal, fingerprint
from drystone.l35_mesh.signin.sessions import Session, Sessions
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import PATH, Place

TOKEN_LIVES = timedelta(minutes=10)
"""How long a proxy takes somebody's word; what is revoked goes on for so long."""

ON_THE_WAY = timedelta(minutes=15)
"""How long somebody may take to sign in."""

CODE_LIVES = timedelta(minutes=1)
T = TypeVar("T", bound=msgspec.Struct)
AUDIENCE = re.compile(r"[a-z][a-z0-9-]{0,39}/[a-z][a-z0-9-]{0,39}")
_LONGEST_RETURN = 512
_LARGEST_TOKEN = 3800
_RETURN = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of the same host: no second slash at the beginning, no backslash (which browsers read as one), nothing invisible."""


class Entering(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody comes from a service.

    Attributes:
        audience: Of which; what else its proxy says is too much for an address, and is there again when they return.
        host: By which of its names.
        to: The path to which they return.
        binding: Recognises the browser there.
    """

    audience: str
    host: str
    to: str
    binding: str


class Flow(msgspec.Struct, frozen=True):
    """Somebody is at the provider.

    Attributes:
        binding: Recognises the browser here.
        salt: Of this sign-in.
        request: What they came with; empty when they came by themselves.
    """

    binding: str
    salt: str
    request: str


class Arriving(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody returns to a service, signed in.

    Attributes:
        entering: From where they came.
        session: Public name of their session, which is looked up when they arrive: it may have been ended meanwhile.
    """

    entering: Entering
    session: str


class Desk:
    """Begins and finishes sign-ins.

    Args:
        address: Where the sign-in answers people, without a slash at the end.
        keys: Sign and seal.
        sessions: Who is signed in.
        provider: Knows who people are.
        clock: The time.
        lifetime: How long a session lasts.
    """

    def __init__(
        self,
        address: str,
        *,
        keys: SigningKeys,
        sessions: Sessions,
        provider: RelyingParty,
        clock: Clock,
        lifetime: timedelta,
    ) -> None:
        self.address = address
        self.sessions = sessions
        self.provider = provider
        self.lifetime = lifetime
        self._keys = keys
        self._clock = clock
        parts = urlsplit(address)
        self._scheme, self._port = parts.scheme, parts.port

    def now(self) -> datetime:
        """Return the time."""
        return self._clock.now()

    def jwks(self) -> dict[str, Any]:
        """Return what verifies the tokens that are issued here."""
        return self._keys.jwks(self.now())

    def place(self, ticket: str, host: str) -> Place:
        """Return which service a request came to.

        Args:
            ticket: As the proxy added it.
            host: As the browser named it.

        Raises:
            SignInRefused: No proxy of this platform says so, or the host is not one of its names.
        """
        place = self._open(ticket, Place, "This address is no part of the sign-in.")
        if name_of(host) not in place.hosts:
            raise SignInRefused("This host is not a name of the service.")
        return place

    def begin(self, place: Place, host: str, to: str, binding: str) -> str:
        """Return where somebody goes who is not signed in at a service."""
        entering = Entering(
            audience=place.audience,
            host=name_of(host),
            to=safe_return(to),
            binding=fingerprint(binding),
        )
        request = self._close(entering, ON_THE_WAY)
        return f"{self.address}/enter?{urlencode({'request': request})}"

    def enter(self, request: str, session: Session) -> str:
        """Return where somebody goes back to who is signed in here.

        Raises:
            SignInRefused: They come from no service of ours, or it took too long.
        """
        entering = self._open(request, Entering, "This sign-in took too long. Open the page again.")
        arriving = Arriving(entering=entering, session=session.id)
        code = self._close(arriving, CODE_LIVES)
        return f"{self._origin(entering.host)}{PATH}finish?{urlencode({'code': code})}"

    def finish(self, place: Place, code: str, binding: str) -> tuple[str, timedelta, str]:
        """Return what the proxy of a service accepts, for how long, and the path to which somebody returns.

        Args:
            place: The service.
            code: What they bring.
            binding: The cookie that they got when they began.

        Raises:
            SignInRefused: They bring nothing, or somebody else began.
        """
        arriving = self._open(code, Arriving, "This sign-in took too long. Open the page again.")
        entering = arriving.entering
        if entering.audience != place.audience:
            raise SignInRefused("This sign-in was for another service.")
        if not binding or not hmac.compare_digest(entering.binding, fingerprint(binding)):
            raise SignInRefused(
                "Another browser has begun this sign-in, or this one keeps no cookies. Open the page again."
            )
        session = self.sessions.named(arriving.session, self.now())
        if session is None:  # it was ended on the way: this address is good for a minute
            raise SignInRefused("You have signed out. Open the page again.")
        token, until = self.issue(session, place.audience, place.groups)
        return token, until - self.now(), entering.to

    async def leave_for_provider(self, request: str, binding: str, salt: str) -> str:
        """Return where the provider asks somebody who they are.

        Args:
            request: What they came with.
            binding: The cookie that they have here.
            salt: Random, for this sign-in alone.
        """
        if request:
            self._open(request, Entering, "This sign-in took too long. Open the page again.")
        flow = Flow(fingerprint(binding), salt, request)
        challenge = hashlib.sha256(self._verifier(flow).encode()).digest()
        return await self.provider.authorize(
            state=self._close(flow, ON_THE_WAY),
            nonce=self._derived("nonce", flow),
            challenge=encode(challenge).decode(),
        )

    def flow(self, state: str, binding: str) -> Flow:
        """Return what somebody left for the provider with; before that is known, nothing of an answer is told.

        Args:
            state: As it came back.
            binding: The cookie that they have here.

        Raises:
            SignInRefused: It took too long, or another browser was sent there.
        """
        flow = self._open(state, Flow, "This sign-in took too long. Open the page again.")
        if not binding or not hmac.compare_digest(flow.binding, fingerprint(binding)):
            raise SignInRefused("Another browser has begun this sign-in. Open the page again.")
        return flow

    async def return_from_provider(self, flow: Flow, code: str, browser: str) -> tuple[str, str]:
        """Begin a session for whom the provider says that somebody is.

        Args:
            flow: What they left with.
            code: Of the provider.
            browser: What the browser says it is.

        Returns:
            The session's secret, and what they came with.

        Raises:
            SignInRefused: The provider says something else.
        """
        identity = await self.provider.redeem(
            code, verifier=self._verifier(flow), nonce=self._derived("nonce", flow)
        )
        secret, _ = self.sessions.begin(
            identity.user,
            groups=identity.groups,
            issuer=self.provider.settings.issuer,
            kind="browser",
            now=self.now(),
            lifetime=self.lifetime,
            browser=browser,
            hint=identity.hint,
        )
        return secret, flow.request

    def issue(
        self, session: Session, audience: str, wanted: tuple[str, ...] = ()
    ) -> tuple[str, datetime]:
        """Return a token by which the proxy of one service knows somebody, and when it ends.

        Args:
            session: Whose.
            audience: The service.
            wanted: Groups that its rules mention: if all of them are too many for a cookie, these stay.
        """
        now = self.now()
        until = min(now + TOKEN_LIVES, session.until)
        if until <= now:
            raise SessionOver

        def made(groups: tuple[str, ...]) -> str:
            said = {"user": session.user, "sub": session.user, "sid": session.id}
            return self.sign({**said, **_groups(groups)}, audience, until)

        token = made(session.groups)
        if len(token) > _LARGEST_TOKEN:
            token = made(tuple(group for group in session.groups if group in wanted)[:50])
        return token, until

    def sign(self, claims: dict[str, Any], audience: str, until: datetime) -> str:
        """Return a signed token for one service."""
        now = self.now()
        key = self._keys.signing(now)
        times = {"iat": int(now.timestamp()), "exp": int(until.timestamp())}
        said = {"iss": self.address, "aud": audience, **times, **claims}
        return compact.make(said, kid=key.kid, private=key.private)

    def issued_at(self, token: str, audience: str) -> datetime | None:
        """Return when a service's token was made here; None where it is not good any more, or never was."""
        try:
            claims = compact.verify(
                token,
                self._keys.verifying(self.now()),
                issuer=self.address,
                audience=audience,
                now=self.now(),
                tolerance=timedelta(),
            )
        except TokenInvalid:
            return None
        return datetime.fromtimestamp(claims["iat"], self.now().tzinfo)

    def _origin(self, host: str) -> str:
        """Return where a service answers: at the port at which people reach the sign-in, whatever they named."""
        return f"{self._scheme}://{host}" + (f":{self._port}" if self._port else "")

    def _verifier(self, flow: Flow) -> str:
        return self._derived("verifier", flow)

    def _derived(self, what: str, flow: Flow) -> str:
        """Make a secret of a sign-in that is kept nowhere, and known to nobody who sees its address."""
        seal = self._seal()
        return fingerprint(f"{what}\n{seal.close(flow)}")

    def _close(self, note: msgspec.Struct, lives: timedelta) -> str:
        return self._seal().close(note, until=self.now() + lives)

    def _open(self, text: str, kind: type[T], otherwise: str) -> T:
        try:
            return self._seal().open(text, kind, now=self.now())
        except TokenInvalid:
            raise SignInRefused(otherwise) from None

    def _seal(self) -> Seal:
        return self._keys.seal(self.now())


def _groups(groups: tuple[str, ...]) -> dict[str, Any]:
    """Say the groups twice: as a list for rules, and as the text of a header."""
    return {"groups": list(groups), "group_names": ",".join(groups)} if groups else {}


def safe_return(to: str) -> str:
    """Return a path of the same host to which somebody may be led; the first page in place of anything else."""
    is_safe = len(to) <= _LONGEST_RETURN and _RETURN.fullmatch(to) and not to.startswith(PATH)
    return to if is_safe else "/"


def name_of(host: str) -> str:
    """Return a host without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
