"""The sign-in for command lines and builds."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.contract import Context
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.api import (
    DeviceAsked,
    ShortToken,
    SignedIn,
    SignInApi,
    Who,
)
from drystone.l35_mesh.signin.builds import PREFIX, BuildTokens, TrustedBuild
from drystone.l35_mesh.signin.desk import AUDIENCE, TOKEN_LIVES, Desk
from drystone.l35_mesh.signin.errors import (
    ProofRefused,
    SessionOver,
    SignInRefused,
    TokenInvalid,
)
from drystone.l35_mesh.signin.issuer import Issuer
from drystone.l35_mesh.signin.outside import Outside
from drystone.l35_mesh.signin.sessions import Session
from drystone.l35_mesh.signin.signing_keys import SigningKeys

_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 1, 60
_LONGEST_WAIT_S = 1800


class DeviceWaits(msgspec.Struct, frozen=True):
    """What a command line asks with; sealed.

    Attributes:
        code: The provider's secret code of it.
    """

    code: str


class SignIn(SignInApi):
    """Signs in those who are no browser.

    Args:
        desk: Its rules.
        keys: Seal.
        tokens: Which were issued to builds.
        trusted: Builds of other providers.
        outside: The way to these.
        clock: The time.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        keys: SigningKeys,
        tokens: BuildTokens,
        trusted: tuple[TrustedBuild, ...],
        outside: Outside,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._keys = keys
        self._tokens = tokens
        self._trusted = trusted
        self._issuers = {one.issuer: Issuer(one.issuer, outside, clock) for one in trusted}

    @override
    async def begin_device(self, ctx: Context) -> DeviceAsked:
        begun = await self._desk.provider.begin_device()
        now = self._desk.now()
        lives = timedelta(seconds=min(max(begun.expires_in, 1), _LONGEST_WAIT_S))
        handle = self._keys.seal(now).close(DeviceWaits(begun.device_code), until=now + lives)
        return DeviceAsked(
            code=begun.user_code,
            address=begun.verification_uri,
            complete=begun.verification_uri_complete or begun.verification_uri,
            handle=handle,
            interval=min(max(begun.interval, _SHORTEST_INTERVAL), _LONGEST_INTERVAL),
            until=now + lives,
        )

    @override
    async def answer_device(self, ctx: Context, *, handle: str) -> SignedIn:
        now = self._desk.now()
        try:
            waits = self._keys.seal(now).open(handle, DeviceWaits, now=now)
        except TokenInvalid:
            raise SignInRefused("It took too long; begin again with `drystone login`.") from None
        identity = await self._desk.provider.poll_device(waits.code)
        secret, session = self._desk.sessions.begin(
            identity.user,
            groups=identity.groups,
            issuer=self._desk.provider.settings.issuer,
            kind="command line",
            now=now,
            lifetime=self._desk.lifetime,
            hint=identity.hint,
        )
        return SignedIn(
            session=secret, user=session.user, groups=session.groups, until=session.until
        )

    @override
    async def token(self, ctx: Context, *, proof: str, audience: str) -> ShortToken:
        if not AUDIENCE.fullmatch(audience):
            raise ProofRefused("say for which service: the audience is <environment>/<service>")
        if proof.startswith(PREFIX) or proof.count(".") == 2:
            build = await self._build(proof)
            until = self._desk.now() + TOKEN_LIVES
            claims = {"build": build, "sub": f"build:{build}"}
            return ShortToken(token=self._desk.sign(claims, audience, until), until=until)
        session = self._session(proof)
        token, until = self._desk.issue(session, audience)
        return ShortToken(token=token, until=until)

    @override
    async def who(self, ctx: Context, *, session: str) -> Who:
        found = self._session(session)
        return Who(user=found.user, groups=found.groups, issuer=found.issuer, until=found.until)

    @override
    async def end(self, ctx: Context, *, session: str) -> None:
        self._desk.sessions.end(session)

    def _session(self, secret: str) -> Session:
        session = self._desk.sessions.find(secret, self._desk.now())
        # Another provider may have been set since, whose people are others of the same names.
        is_ours = session.issuer == self._desk.provider.settings.issuer
        if session.kind != "command line" or not is_ours:
            raise SessionOver
        return session

    async def _build(self, proof: str) -> str:
        """Return the name of a build.

        Raises:
            ProofRefused: The proof is none.
        """
        if proof.startswith(PREFIX):
            found = self._tokens.find(proof, self._desk.now())
            if found is None:
                raise ProofRefused("this token of a build is not known, was revoked, or has ended")
            return found.build
        try:
            issuer = compact.issuer_of(proof)
            kid = compact.kid_of(proof)
        except TokenInvalid:
            raise ProofRefused from None
        if issuer not in self._issuers:
            raise ProofRefused(
                "no build of this issuer is trusted here; see signin.trusted_builds_file"
            )
        keys = await self._issuers[issuer].keys_for(kid)
        for trusted in self._trusted:
            if trusted.issuer != issuer:
                continue
            try:
                claims = compact.verify(
                    proof, keys, issuer=issuer, audience=trusted.audience, now=self._desk.now()
                )
            except TokenInvalid:
                continue
            if trusted.fits(claims):
                return trusted.name
        raise ProofRefused("the token of this build fits none of those that are trusted here")
