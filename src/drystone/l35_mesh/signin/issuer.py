"""What issuers of tokens publish about themselves (OpenID Connect Discovery 1.0, RFC 7517).

Keys are looked up again when a token names one that is not known, as issuers change theirs, and not more often than every half
minute: whoever sends tokens with invented ids does not make us ask. An issuer is asked by one at a time, and one that has not
answered is left alone for some seconds: whoever sends its tokens does not make us wait for it again and again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.visible import visible
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.compact import VerifyingKey
from drystone.l35_mesh.signin.errors import ProviderRefused, ProviderUnreachable
from drystone.l35_mesh.signin.outside import Answered, Outside

LOOKED_UP_AGAIN = timedelta(hours=1)
ASKED_AGAIN = timedelta(seconds=30)
LEFT_ALONE = timedelta(seconds=5)


class Metadata(msgspec.Struct, frozen=True):
    """Where an issuer answers; empty where it does not."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""
    device_authorization_endpoint: str = ""


class _KeptMetadata(NamedTuple):
    value: Metadata
    at: timedelta


class _KeptKeys(NamedTuple):
    value: tuple[VerifyingKey, ...]
    at: timedelta


class _Failed(NamedTuple):
    why: str
    at: timedelta


class Issuer:
    """One issuer of tokens.

    Args:
        address: Its address, which its tokens name.
        outside: The way to it.
        clock: The time.
    """

    def __init__(self, address: str, outside: Outside, clock: Clock) -> None:
        self.address = address
        self._outside = outside
        self._clock = clock
        self._metadata: _KeptMetadata | None = None
        self._keys: _KeptKeys | None = None
        self._failed: _Failed | None = None
        self._one_asks = asyncio.Lock()

    async def look_up(self) -> Metadata:
        """Return what it says of itself, as of the last hour.

        Raises:
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        async with self._one_asks:
            return await self._look_up()

    async def _look_up(self) -> Metadata:
        now = self._clock.monotonic()
        if self._metadata is not None and now < self._metadata.at + LOOKED_UP_AGAIN:
            return self._metadata.value
        where = f"{self.address.rstrip('/')}/.well-known/openid-configuration"
        answer = await self._ask(where)
        try:
            metadata = msgspec.convert(answer.document(), Metadata)
        except msgspec.ValidationError as e:
            raise ProviderRefused(
                f"{where} answers {answer.status} and does not describe an issuer: {e}"
            ) from None
        if metadata.issuer != self.address:
            raise ProviderRefused(
                f"{where} describes {visible(metadata.issuer[:200])}; set the issuer to that, if it is meant"
            )
        _require_safe(metadata)
        self._metadata = _KeptMetadata(metadata, now)
        return metadata

    async def keys_for(self, kid: str) -> tuple[VerifyingKey, ...]:
        """Return its keys, looked up again if there is none of this id.

        Raises:
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        async with self._one_asks:
            return await self._keys_for(kid)

    async def _keys_for(self, kid: str) -> tuple[VerifyingKey, ...]:
        now, kept = self._clock.monotonic(), self._keys
        if kept is not None:
            age = now - kept.at
            knows = not kid or any(key.kid == kid for key in kept.value)
            if age < ASKED_AGAIN or (knows and age < LOOKED_UP_AGAIN):
                return kept.value
        answer = await self._ask((await self._look_up()).jwks_uri)
        if answer.status != 200:
            raise ProviderRefused(f"the keys of {self.address} cannot be read: {answer.status}")
        keys = compact.verifying_keys(answer.document())
        self._keys = _KeptKeys(keys, now)
        return keys

    async def _ask(self, where: str) -> Answered:
        failed, now = self._failed, self._clock.monotonic()
        if failed is not None and now < failed.at + LEFT_ALONE:
            raise ProviderUnreachable(failed.why)
        try:
            return await self._outside.ask(where)
        except ProviderUnreachable as e:
            self._failed = _Failed(str(e), self._clock.monotonic())
            raise


def _require_safe(metadata: Metadata) -> None:
    """Refuse addresses that are less safe than the issuer's own."""
    scheme = urlsplit(metadata.issuer).scheme
    for name in metadata.__struct_fields__:
        address = getattr(metadata, name)
        if address and urlsplit(address).scheme not in {"https", scheme}:
            raise ProviderRefused(f"its {name} is not an https address")
