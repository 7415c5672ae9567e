"""Who is signed in at this command line: the sessions of its user, by the address of the platform."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l85_surfaces.cli.errors import NotSignedIn
from drystone.l85_surfaces.cli.reach import command_line, context, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drystone.l35_mesh.signin.api import SignInApi


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


def address(folder: Path) -> str:
    """Return where the sign-in of a platform answers command lines."""
    return f"http://localhost:{settings_of(folder).port}/signin"


@asynccontextmanager
async def sign_in(folder: Path) -> AsyncIterator[SignInApi]:
    """Connect to the sign-in of a platform, by its edge."""
    from drystone.l00_kernel.contract import connect  # noqa: PLC0415 - loads the HTTP client
    from drystone.l35_mesh.signin.api import SignInApi  # noqa: PLC0415

    async with connect(SignInApi, base_url=address(folder)) as api:
        yield api


async def token(folder: Path, audience: str) -> str:
    """Return a token by which a service knows who is signed in here.

    Raises:
        NotSignedIn: Nobody is.
    """
    session = require(folder).session
    async with sign_in(folder) as api:
        return (await api.token(context(), proof=session, audience=audience)).token


def kept(folder: Path) -> Kept | None:
    """Return the session at a platform; None where nobody is signed in."""
    return _all().get(address(folder))


def require(folder: Path) -> Kept:
    """Return the session at a platform.

    Raises:
        NotSignedIn: Nobody is signed in.
    """
    found = kept(folder)
    if found is None:
        raise NotSignedIn(
            f"nobody is signed in here; sign in with `{command_line('login', folder)}`"
        )
    return found


def keep(folder: Path, session: Kept | None) -> None:
    """Keep a session at a platform, for this user's eyes alone; None forgets it."""
    every = {key: one for key, one in _all().items() if key != address(folder)}
    if session is not None:
        every[address(folder)] = session
    make_private(place().parent)
    write_atomically(place(), msgspec.json.encode(every))


def _all() -> dict[str, Kept]:
    content = read_if_exists(place())
    try:
        return msgspec.json.decode(content or b"{}", type=dict[str, Kept])
    except (msgspec.MsgspecError, ValueError):  # whoever wrote it, nobody is signed in by it
        return {}
