"""Who the operations page asks for, at the socket of the orchestrator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

from drystone.l00_kernel.contract import Caller
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l85_surfaces.console.orchestrator import PERSON
from drystone.l90_assembly.people import person_called

Authenticate = Callable[[Mapping[str, str]], Awaitable[Caller]]
TOKEN = "authorization"  # noqa: S105 - the name of a header


def on_behalf(authenticate: Authenticate) -> Authenticate:
    """Let whoever can open a socket ask for a person: as the platform it may do everything, and as a person what that one may.

    Args:
        authenticate: Tells who asks without that; at a socket that the home's owner alone can open.
    """

    async def who(headers: Mapping[str, str]) -> Caller:
        caller = await authenticate(headers)
        if PERSON not in headers:
            return caller
        if TOKEN in headers:
            raise Unauthenticated("a person is named without a token, by the name of the sign-in")
        return person_called(unquote(headers[PERSON]))

    return who
