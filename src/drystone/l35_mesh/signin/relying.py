"""The sign-in as a client of a provider of identities (OpenID Connect Core 1.0, section 3.1; RFC 8628).

What a provider says is believed when it is signed by a key that the provider publishes, was made for us, lives, and
answers the very request of this browser (``nonce``; ``state`` is checked by the caller).
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.visible import visible
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.errors import (
    NoDeviceFlow,
    NotStaff,
    ProviderRefused,
    SignInRefused,
    StillWaiting,
    TokenInvalid,
)
from drystone.l35_mesh.signin.issuer import Issuer, Metadata
from drystone.l35_mesh.signin.outside import Answered, Outside
from drystone.l35_mesh.signin.provider.words import DEVICE_GRANT
from drystone.l35_mesh.signin.users import GROUP, MOST_GROUPS

_LONGEST_USER = 200


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which provider, and how we are known there.

    Attributes:
        issuer: Its address.
        client_id: Our name there.
        client_secret: Ours; empty for a public client.
        user_claim: What of a token names the user.
        groups_claim: What of it lists the groups.
        staff_group: Whoever is not in it is no staff; everybody is when empty.
    """

    issuer: str
    client_id: str = "drystone"
    client_secret: str = ""
    user_claim: str = "sub"
    groups_claim: str = "groups"
    staff_group: str = ""

    @override
    def __repr__(self) -> str:
        return f"ProviderSettings({self.issuer!r}, {self.client_id!r})"


class Identity(msgspec.Struct, frozen=True):
    """Who somebody is, as the provider says.

    Attributes:
        user: Their name there.
        groups: What they are in.
        hint: The token, for the sign-out.
    """

    user: str
    groups: tuple[str, ...]
    hint: str

    @override
    def __repr__(self) -> str:
        return f"Identity({self.user!r}, {self.groups!r})"


class DeviceBegun(msgspec.Struct, frozen=True):
    """What a provider answers to a command line (RFC 8628 section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    verification_uri_complete: str = ""
    interval: int = 5


class RelyingParty:
    """Asks one provider who somebody is.

    Args:
        settings: Which.
        outside: The way to it.
        redirect: Our address for its answers.
        clock: The time.
    """

    def __init__(
        self, settings: ProviderSettings, outside: Outside, *, redirect: str, clock: Clock
    ) -> None:
        self.settings = settings
        self._outside = outside
        self._redirect = redirect
        self._clock = clock
        self._issuer = Issuer(settings.issuer, outside, clock)

    async def authorize(self, *, state: str, nonce: str, challenge: str) -> str:
        """Return where the browser goes.

        Args:
            state: Comes back with the answer.
            nonce: Comes back inside the token.
            challenge: Of PKCE, by S256.

        Raises:
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        fields = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self._redirect,
            "scope": "openid profile email groups"
            if self.settings.groups_claim == "groups"
            else "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = (await self._issuer.look_up()).authorization_endpoint
        return f"{where}{'&' if '?' in where else '?'}{urlencode(fields)}"

    async def redeem(self, code: str, *, verifier: str, nonce: str) -> Identity:
        """Return who has signed in.

        Args:
            code: As the browser brought it.
            verifier: Of PKCE.
            nonce: What was sent.

        Raises:
            SignInRefused: The provider does not take the code, or its token is not as it must be.
            NotStaff: They may not sign in here.
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        metadata = await self._issuer.look_up()
        answer = await self._ask_for_tokens(
            metadata,
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self._redirect,
                "code_verifier": verifier,
            },
        )
        return await self._identity(self._tokens_of(answer), nonce)

    async def begin_device(self) -> DeviceBegun:
        """Let a command line wait for somebody.

        Raises:
            NoDeviceFlow: The provider has no such thing.
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        metadata = await self._issuer.look_up()
        if not metadata.device_authorization_endpoint:
            raise NoDeviceFlow
        answer = await self._outside.ask(
            metadata.device_authorization_endpoint,
            {"client_id": self.settings.client_id, "scope": "openid profile email groups"},
            headers=self._credentials(),
        )
        if answer.status != 200:
            raise ProviderRefused(_refusal(answer))
        try:
            return msgspec.convert(answer.document(), DeviceBegun, strict=False)
        except msgspec.ValidationError as e:
            raise ProviderRefused("its answer to a device is not as RFC 8628 says") from e

    async def poll_device(self, device_code: str) -> Identity:
        """Return who has confirmed a command line.

        Raises:
            StillWaiting: Nobody has yet.
            SignInRefused: Somebody refused it, or it is too late.
            NotStaff: They may not sign in here.
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        metadata = await self._issuer.look_up()
        answer = await self._ask_for_tokens(
            metadata, {"grant_type": DEVICE_GRANT, "device_code": device_code}
        )
        if answer.document().get("error") in ("authorization_pending", "slow_down"):
            raise StillWaiting
        return await self._identity(self._tokens_of(answer), None)

    async def leave(self, hint: str, after: str) -> str:
        """Return where a browser signs out at the provider; empty where it has no such place.

        Args:
            hint: The token of the sign-in.
            after: Where it leads then.
        """
        where = (await self._issuer.look_up()).end_session_endpoint
        if not where:
            return ""
        fields = {"client_id": self.settings.client_id, "post_logout_redirect_uri": after}
        if hint:
            fields["id_token_hint"] = hint
        return f"{where}{'&' if '?' in where else '?'}{urlencode(fields)}"

    async def _ask_for_tokens(self, metadata: Metadata, fields: dict[str, str]) -> Answered:
        said = {**fields, "client_id": self.settings.client_id}
        return await self._outside.ask(metadata.token_endpoint, said, headers=self._credentials())

    def _credentials(self) -> dict[str, str]:
        """Return how we prove who we are (RFC 6749 section 2.3.1)."""
        if not self.settings.client_secret:
            return {}
        pair = f"{quote(self.settings.client_id, safe='')}:{quote(self.settings.client_secret, safe='')}"
        return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def _tokens_of(self, answer: Answered) -> str:
        token = answer.document().get("id_token")
        if answer.status != 200:
            raise SignInRefused(_refusal(answer))
        if not isinstance(token, str):
            raise ProviderRefused("it answered without an id_token; is openid among its scopes?")
        return token

    async def _identity(self, token: str, nonce: str | None) -> Identity:
        try:
            keys = await self._issuer.keys_for(compact.kid_of(token))
            claims = compact.verify(
                token,
                keys,
                issuer=self.settings.issuer,
                audience=self.settings.client_id,
                now=self._clock.now(),
            )
        except TokenInvalid as e:
            raise SignInRefused(f"the token of the provider is not accepted: {e.reason}") from None
        if nonce is not None and claims.get("nonce") != nonce:
            raise SignInRefused("the token of the provider answers another sign-in")
        user = claims.get(self.settings.user_claim)
        if (
            not isinstance(user, str)
            or not 0 < len(user) <= _LONGEST_USER
            or not user.isprintable()
        ):
            raise ProviderRefused(
                f"its token names nobody in {self.settings.user_claim}; set signin.user_claim"
            )
        groups = _groups(claims.get(self.settings.groups_claim))
        if self.settings.staff_group and self.settings.staff_group not in groups:
            raise NotStaff(
                f"{visible(user)} is not in the group {self.settings.staff_group}, whose members may sign in here"
            )
        return Identity(user, groups, token)


def _groups(said: Any) -> tuple[str, ...]:
    """Return the groups of a token; those that no header could carry are left out."""
    listed = [said] if isinstance(said, str) else said
    if not isinstance(listed, list):
        return ()
    fit = {one for one in listed if isinstance(one, str) and GROUP.fullmatch(one)}
    return tuple(sorted(fit)[:MOST_GROUPS])


def _refusal(answer: Answered) -> str:
    said = answer.document()
    words = [str(said.get(key, ""))[:200] for key in ("error", "error_description")]
    told = ": ".join(visible(word) for word in words if word) or "no reason"
    return f"the provider of identities refused ({answer.status}): {told}"
