"""What the provider hands out: tokens for codes, for devices and for refresh tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.attempts import Attempts
from drystone.l35_mesh.signin.errors import TokenInvalid
from drystone.l35_mesh.signin.provider.grants import Codes, Devices, Refreshing
from drystone.l35_mesh.signin.provider.login import Login
from drystone.l35_mesh.signin.provider.words import (
    DEVICE_GRANT,
    DEVICE_LIVES,
    POLL_EVERY,
    TOKEN_LIVES,
    Client,
    Refused,
)
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.users import User, Users

FORM_LIVES = timedelta(minutes=15)
_OLDEST_HINT = timedelta(days=30)
T = TypeVar("T", bound=msgspec.Struct)


class Access(msgspec.Struct, frozen=True):
    """What an access token says: it opens the address ``userinfo`` and nothing else."""

    user: str


class Tokens:
    """Makes tokens.

    Args:
        issuer: Address of the provider.
        folder: Where the sign-in keeps its files.
        keys: Sign.
        clients: Who may ask.
        clock: The time.
    """

    def __init__(
        self,
        issuer: str,
        folder: Path,
        *,
        keys: SigningKeys,
        clients: Iterable[Client],
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self.clients = {client.id: client for client in clients}
        self.users = Users(folder)
        self.attempts = Attempts(clock)
        self.login = Login(self.users, self.attempts)
        self.codes = Codes()
        self.devices = Devices()
        self.refreshing = Refreshing(folder)

    def now(self) -> datetime:
        """Return the time."""
        return self._clock.now()

    def jwks(self) -> dict[str, Any]:
        """Return what verifies its tokens."""
        return self._keys.jwks(self.now())

    def seal(self, note: msgspec.Struct) -> str:
        """Close a note that stands in a form."""
        return self._keys.seal(self.now()).close(note, until=self.now() + FORM_LIVES)

    def unseal(self, text: str, kind: type[T]) -> T:
        """Open such a note.

        Raises:
            TokenInvalid: It is none of ours, or too old.
        """
        return self._keys.seal(self.now()).open(text, kind, now=self.now())

    def exchange(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Return tokens for what a client has (RFC 6749 section 4.1.3).

        Raises:
            Refused: It has nothing that is worth any.
        """
        client = self._client(fields)
        now = self.now()
        match fields.get("grant_type"):
            case "authorization_code":
                granted = self.codes.redeem(
                    fields.get("code", ""),
                    client=client.id,
                    redirect=fields.get("redirect_uri", ""),
                    verifier=fields.get("code_verifier", ""),
                    now=now,
                )
                refresh = (
                    self.refreshing.begin(granted, at=granted.at, now=now)
                    if "offline_access" in granted.scope.split()
                    else ""
                )
                return self._answer(
                    client,
                    granted.user,
                    at=granted.at,
                    scope=granted.scope,
                    nonce=granted.nonce,
                    refresh=refresh,
                )
            case "refresh_token":
                refresh, line = self.refreshing.next(
                    fields.get("refresh_token", ""), client=client.id, now=now
                )
                return self._answer(
                    client, line.user, at=line.at, scope=line.scope, refresh=refresh
                )
            case grant if grant == DEVICE_GRANT:
                waiting = self.devices.poll(fields.get("device_code", ""), client.id, now)
                return self._answer(client, waiting.user, at=now, scope=waiting.scope)
            case _:
                raise Refused("unsupported_grant_type", "this grant_type is not known")

    def begin_device(self, fields: Mapping[str, str], issuer: str) -> dict[str, Any]:
        """Let a device wait for somebody (RFC 8628 section 3.2).

        Raises:
            Refused: The client is not known.
        """
        client = self._client(fields)
        scope = fields.get("scope", "openid")
        secret, shown = self.devices.begin(client.id, scope[:1024], self.now())
        return {
            "device_code": secret,
            "user_code": shown,
            "verification_uri": f"{issuer}/device",
            "verification_uri_complete": f"{issuer}/device?user_code={shown}",
            "expires_in": int(DEVICE_LIVES.total_seconds()),
            "interval": int(POLL_EVERY.total_seconds()),
        }

    def user_info(self, token: str) -> dict[str, Any] | None:
        """Return what an access token lets know; None where it is none."""
        try:
            user = self.users.get(self.unseal(token, Access).user)
        except TokenInvalid:
            return None
        return None if user is None else _claims(user)

    def client_of_hint(self, token: str) -> tuple[Client, str] | None:
        """Return for whom and about whom we once made a token; None where we did not."""
        if not token:
            return None
        for client in self.clients.values():
            try:
                claims = compact.verify(
                    token,
                    self._keys.verifying(self.now()),
                    issuer=self._issuer,
                    audience=client.id,
                    now=self.now(),
                    tolerance=_OLDEST_HINT,
                )
            except TokenInvalid:
                continue
            return client, str(claims.get("sub", ""))
        return None

    def _client(self, fields: Mapping[str, str]) -> Client:
        client = self.clients.get(fields.get("client_id", ""))
        if client is None:
            raise Refused("invalid_client", "this client is not known", 401)
        return client

    def _answer(
        self,
        client: Client,
        name: str,
        *,
        at: datetime,
        scope: str,
        nonce: str = "",
        refresh: str = "",
    ) -> dict[str, Any]:
        user = self.users.get(name)
        if user is None or user.changed > at:
            raise Refused("invalid_grant", "the account is not what it was when the user signed in")
        now = self.now()
        key = self._keys.signing(now)
        begun, lives = int(now.timestamp()), int(TOKEN_LIVES.total_seconds())
        claims = {
            "iss": self._issuer,
            "aud": client.id,
            "iat": begun,
            "exp": begun + lives,
            "auth_time": int(at.timestamp()),
            **({"nonce": nonce} if nonce else {}),
            **_claims(user),
        }
        return {
            "access_token": self.seal(Access(name)),
            "token_type": "Bearer",
            "expires_in": lives,
            "scope": scope,
            "id_token": compact.make(claims, kid=key.kid, private=key.private),
            **({"refresh_token": refresh} if refresh else {}),
        }


def _claims(user: User) -> dict[str, Any]:
    said = {
        "sub": user.name,
        "name": user.name,
        "preferred_username": user.name,
        "groups": list(user.groups),
    }
    return {**said, "email": user.email} if user.email else said
