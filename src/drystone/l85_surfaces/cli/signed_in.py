"""Who is signed in at this command line: the sessions of its user, by the address of the platform."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l85_surfaces.cli.errors import Misuse, NotSignedIn
from drystone.l85_surfaces.cli.reach import command_line, context, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drystone.l35_mesh.signin.api import SignInApi


Where: TypeAlias = Path | str
"""The home of a platform, or the address of the orchestrator of one elsewhere."""

_ORCHESTRATOR, _SIGN_IN = "orchestrator.", "signin."


class Kept(msgspec.Struct, frozen=True):
    """A session.

    Attributes:
        session: Its secret.
        user: Whose.
    """

    session: str
    user: str

    @override
    def __repr__(self) -> str:
        return f"Kept({self.user!r})"


def place() -> Path:
    """Return the file of the sessions (XDG Base Directory Specification)."""
    chosen = os.environ.get("XDG_CONFIG_HOME")
    return Path(chosen or "~/.config").expanduser() / "drystone" / "sessions.json"


def address(where: Where) -> str:
    """Return where the sign-in of a platform answers command lines.

    Raises:
        Misuse: Of a platform elsewhere the address does not tell it.
    """
    if isinstance(where, Path):
        return f"http://localhost:{settings_of(where).port}/signin"
    scheme, _, place = where.partition("://")
    if not place.startswith(_ORCHESTRATOR):
        raise Misuse(
            f"{where} does not begin with {_ORCHESTRATOR}, so that nobody can tell where its sign-in is; come with a token in"
            " DRYSTONE_TOKEN"
        )
    return f"{scheme}://{_SIGN_IN}{place.removeprefix(_ORCHESTRATOR)}"


@asynccontextmanager
async def sign_in(where: Where) -> AsyncIterator[SignInApi]:
    """Connect to the sign-in of a platform, by its edge."""
    from drystone.l00_kernel.contract import connect  # noqa: PLC0415 - loads the HTTP client
    from drystone.l35_mesh.signin.api import SignInApi  # noqa: PLC0415

    async with connect(SignInApi, base_url=address(where)) as api:
        yield api


async def token(where: Where, audience: str) -> str:
    """Return a token by which a service knows who is signed in here.

    Raises:
        NotSignedIn: Nobody is.
    """
    session = require(where).session
    async with sign_in(where) as api:
        return (await api.token(context(), proof=session, audience=audience)).token


def kept(where: Where) -> Kept | None:
    """Return the session at a platform; None where nobody is signed in."""
    return _all().get(address(where))


def require(where: Where) -> Kept:
    """Return the session at a platform.

    Raises:
        NotSignedIn: Nobody is signed in.
    """
    found = kept(where)
    if found is None:
        raise NotSignedIn(f"nobody is signed in here; sign in with `{_login(where)}`")
    return found


def _login(where: Where) -> str:
    return (
        command_line("login", where)
        if isinstance(where, Path)
        else f"drystone login --platform {where}"
    )


def keep(where: Where, session: Kept | None) -> None:
    """Keep a session at a platform, for this user's eyes alone; None forgets it."""
    every = {key: one for key, one in _all().items() if key != address(where)}
    if session is not None:
        every[address(where)] = session
    make_private(place().parent)
    write_atomically(place(), msgspec.json.encode(every))


def _all() -> dict[str, Kept]:
    content = read_if_exists(place())
    try:
        return msgspec.json.decode(content or b"{}", type=dict[str, Kept])
    except (msgspec.MsgspecError, ValueError):  # whoever wrote it, nobody is signed in by it
        return {}
