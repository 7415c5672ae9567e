"""The check of tokens in a process of its own choice: who calls, or a refusal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.errors import Invalid
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.errors import TokenRefused
from drystone.l20_trust.keys.look_up import RepositoryKeys

_BEARER = "bearer "


class Verifier:
    """Verifies tokens that are addressed to one service.

    ::

        verifier = Verifier.from_environment(os.environ, callers=["dev/desk"])
        claims = verifier.verify_header(request.headers.get("authorization"))

    Args:
        audience: How the service calls itself.
        key_of: Knows the public keys: a :class:`~drystone.l20_trust.keys.look_up.RepositoryKeys`, or, in the agent,
            :meth:`~drystone.l20_trust.keys.service.Keys.public_key`.
        callers: Who may call; everybody who has a key when None.
        clock: The time.
    """

    def __init__(
        self,
        audience: str,
        key_of: tokens.KeySource,
        *,
        callers: Collection[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._audience = audience
        self._key_of = key_of
        self._callers = None if callers is None else frozenset(callers)
        self._clock = clock or SystemClock()

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, callers: Collection[str] | None = None
    ) -> Verifier:
        """Return what verifies for an instance that the platform started.

        Args:
            environ: Its environment.
            callers: Who may call; everybody who has a key when None.

        Raises:
            Invalid: The platform gave it no keys.
        """
        names = ("ASAP_AUDIENCE", "ASAP_PUBLIC_KEY_REPOSITORY_URL")
        if missing := [name for name in names if not environ.get(name)]:
            raise Invalid(f"{missing[0]} is not set: only what the platform started has keys")
        urls = [environ[names[1]], environ.get("ASAP_PUBLIC_KEY_FALLBACK_REPOSITORY_URL", "")]
        authority = environ.get("DRYSTONE_CA_FILE")
        keys = RepositoryKeys(
            [url for url in urls if url],
            authority=Path(authority) if authority else None,
            issuers=callers,
        )
        return cls(environ[names[0]], keys, callers=callers)

    def verify(self, token: str) -> tokens.Claims:
        """Return what a token says; its ``iss`` is who calls. May wait for the network.

        Raises:
            TokenRefused: It is not as it must be, or of somebody who may not call.
            KeysOutOfReach: Its key cannot be looked up now.
        """
        from drystone.l20_trust.keys.signing import is_signed  # noqa: PLC0415 - loads cryptography

        claims = tokens.verify(
            token,
            audience=self._audience,
            key_of=self._key_of,
            is_signed=is_signed,
            now=self._clock.now(),
        )
        if self._callers is not None and claims.iss not in self._callers:
            raise TokenRefused("its issuer may not call")
        return claims

    def verify_header(self, value: str | None) -> tokens.Claims:
        """Return what the token says that stands in a header ``Authorization``.

        Args:
            value: Of the header; None where there is none.

        Raises:
            TokenRefused: There is none, or it is not as it must be.
            KeysOutOfReach: Its key cannot be looked up now.
        """
        if value is None or value[: len(_BEARER)].lower() != _BEARER:
            raise TokenRefused("there is none")
        return self.verify(value[len(_BEARER) :].strip(" "))
