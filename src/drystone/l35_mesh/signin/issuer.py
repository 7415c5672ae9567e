"""What issuers of tokens publish about themselves (OpenID Connect Discovery 1.0, RFC 7517).

Keys are looked up again when a token names one that is not known, as issuers change theirs, and not more often than every half
minute: whoever sends tokens with invented ids does not make us ask.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.visible import visible
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.compact import VerifyingKey
from drystone.l35_mesh.signin.errors import ProviderRefused
from drystone.l35_mesh.signin.outside import Outside

LOOKED_UP_AGAIN = timedelta(hours=1)
ASKED_AGAIN = timedelta(seconds=30)


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

    async def look_up(self) -> Metadata:
        """Return what it says of itself, as of the last hour.

        Raises:
            ProviderUnreachable: It cannot be asked.
            ProviderRefused: Its answer cannot be used.
        """
        now = self._clock.monotonic()
        if self._metadata is not None and now < self._metadata.at + LOOKED_UP_AGAIN:
            return self._metadata.value
        where = f"{self.address.rstrip('/')}/.well-known/openid-configuration"
        answer = await self._outside.ask(where)
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
        now, kept = self._clock.monotonic(), self._keys
        if kept is not None:
            age = now - kept.at
            knows = not kid or any(key.kid == kid for key in kept.value)
            if age < ASKED_AGAIN or (knows and age < LOOKED_UP_AGAIN):
                return kept.value
        answer = await self._outside.ask((await self.look_up()).jwks_uri)
        if answer.status != 200:
            raise ProviderRefused(f"the keys of {self.address} cannot be read: {answer.status}")
        keys = compact.verifying_keys(answer.document())
        self._keys = _KeptKeys(keys, now)
        return keys


def _require_safe(metadata: Metadata) -> None:
    """Refuse addresses that are less safe than the issuer's own."""
    scheme = urlsplit(metadata.issuer).scheme
    for name in metadata.__struct_fields__:
        address = getattr(metadata, name)
        if address and urlsplit(address).scheme not in {"https", scheme}:
            raise ProviderRefused(f"its {name} is not an https address")
