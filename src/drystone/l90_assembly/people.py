"""People before the orchestrator, as the sign-in of the home proves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from drystone.l00_kernel.context import Caller
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.errors import TokenInvalid
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l50_orchestrator.running.api import AUDIENCE

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.contract.server import Authenticate
    from drystone.l00_kernel.home import Home

_LONGEST = 200
"""Characters of a person's name."""

_SCHEME = "bearer "
_DOTS = 2
"""Of a signed token; one of the orchestrator's own has none."""


def person_called(name: str) -> Caller:
    """Return a person as a caller.

    Raises:
        Unauthenticated: Nobody can have this name: the orchestrator knows services and tokens by such ones.
    """
    if not 0 < len(name) <= _LONGEST or "/" in name or ":" in name:
        raise Unauthenticated("the sign-in has a person of a name that nobody can have here")
    return Caller(name)


def people_first(home: Home, sign_in: str, clock: Clock, others: Authenticate) -> Authenticate:
    """Return an authentication that knows people by tokens of the sign-in, and asks another one about everybody else.

    Args:
        home: Whose sign-in.
        sign_in: Address of the sign-in, which its tokens name.
        clock: The time.
        others: Asked about whoever sends no such token.
    """
    keys = SigningKeys(folder_of(home))

    async def authenticate(headers: Mapping[str, str]) -> Caller:
        given = headers.get("authorization", "")
        token = given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""
        if token.count(".") != _DOTS:
            return await others(headers)
        now = clock.now()
        try:
            claims = compact.verify(
                token, keys.verifying(now), issuer=sign_in, audience=AUDIENCE, now=now
            )
        except TokenInvalid as e:
            raise Unauthenticated(
                "the sign-in's token is not accepted, or has ended: sign in again with `drystone login`"
            ) from e
        user = claims.get("user")
        if not isinstance(user, str):  # a build: it has a deploy token for this
            raise Unauthenticated(
                "builds come with a token of the orchestrator: `drystone deploy-tokens make`"
            )
        return person_called(user)

    return authenticate
