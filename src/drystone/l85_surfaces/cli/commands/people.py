"""``drystone login``, ``logout``, ``whoami`` and ``users``."""

from __future__ import annotations

import asyncio
import getpass
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l85_surfaces.cli import signed_in
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, NOWHERE_SAID, Anywhere, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal, remark
from drystone.l85_surfaces.cli.views import people as views

if TYPE_CHECKING:
    from drystone.l35_mesh.signin.accounts import Accounts
    from drystone.l35_mesh.signin.api import DeviceAsked, SignedIn, SignInApi

User = Annotated[str, Parameter(help="Name of the user.")]
Groups = Annotated[
    list[str] | None,
    Parameter(name=("--group", "-g"), show_default=False, help="A group; may be given again."),
]
PasswordIn = Annotated[
    bool,
    Parameter(name=("--password-stdin",), help="Read the password from standard input."),
]


async def login(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """Sign in: a page shows the code that stands here, and whoever confirms it there is signed in here.

    The session is kept in ~/.config/drystone, for this user's eyes alone, and ends after some hours.
    """
    from drystone.l35_mesh.signin.errors import SignInRefused  # noqa: PLC0415 - loads the contract

    out = Terminal(json=shared.json)
    async with signed_in.sign_in(shared.place) as api:
        asked = await api.begin_device(context())
        remark(f"Open {asked.complete}\nand go on if it shows the code {asked.code}.")
        found = await _answer(api, asked)
    if found is None:
        raise SignInRefused("Nobody has confirmed the code in time; try again.")
    signed_in.keep(shared.place, signed_in.Kept(found.session, found.user))
    out.document({"user": found.user, "groups": found.groups, "until": found.until})
    out.line(f"signed in as {found.user}")


async def _answer(api: SignInApi, asked: DeviceAsked) -> SignedIn | None:
    """Ask until somebody has decided; None when it is too late."""
    from drystone.l35_mesh.signin.errors import StillWaiting  # noqa: PLC0415

    while datetime.now(UTC) < asked.until:
        try:
            return await api.answer_device(context(), handle=asked.handle)
        except StillWaiting:
            await asyncio.sleep(asked.interval)
    return None


async def logout(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """Sign out: the session ends, and is worth nothing to whoever has a copy."""
    out = Terminal(json=shared.json)
    found = signed_in.kept(shared.place)
    if found is not None:
        async with signed_in.sign_in(shared.place) as api:
            await api.end(context(), session=found.session)
        signed_in.keep(shared.place, None)
    out.document({"user": None if found is None else found.user})
    out.line("nobody was signed in" if found is None else f"{found.user} is signed out")


async def whoami(*, shared: Anywhere = NOWHERE_SAID) -> None:
    """Tell who is signed in here, and until when."""
    out = Terminal(json=shared.json)
    found = signed_in.require(shared.place)
    async with signed_in.sign_in(shared.place) as api:
        who = await api.who(context(), session=found.session)
    out.document(who)
    out.lines(views.who(who))


def list_users(*, shared: Shared = NOTHING_SAID) -> None:
    """List the people whom this platform knows by itself."""
    out = Terminal(json=shared.json)
    found = _accounts(shared).users()
    out.document(found)
    if found:
        out.lines(views.users(found, paint=out.paint))
    else:
        out.line("no users; add one with `drystone users add NAME`")


def add(
    user: User,
    /,
    *,
    group: Groups = None,
    email: Annotated[
        str | None, Parameter(name=("--email",), show_default=False, help="Their address.")
    ] = None,
    password_stdin: PasswordIn = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Add somebody who may sign in."""
    out = Terminal(json=shared.json)
    accounts = _accounts(shared)
    made = accounts.add(
        user, _password(user, given=password_stdin), groups=group or (), email=email or ""
    )
    out.document(made)
    out.line(f"{made.name} can sign in")


def remove(user: User, /, *, shared: Shared = NOTHING_SAID) -> None:
    """Remove somebody, and sign them out: services refuse them within ten minutes."""
    out = Terminal(json=shared.json)
    ended = _accounts(shared).remove(user)
    out.document({"user": user, "sessions_ended": ended})
    out.line(f"{user} is removed")


def passwd(
    user: User, /, *, password_stdin: PasswordIn = False, shared: Shared = NOTHING_SAID
) -> None:
    """Change somebody's password, and sign them out everywhere."""
    out = Terminal(json=shared.json)
    accounts = _accounts(shared)
    ended = accounts.set_password(user, _password(user, given=password_stdin))
    out.document({"user": user, "sessions_ended": ended})
    out.line(f"{user} has a new password, and signs in again everywhere")


def groups(user: User, /, *, group: Groups = None, shared: Shared = NOTHING_SAID) -> None:
    """Put somebody into these groups, and into no other; they sign in again."""
    out = Terminal(json=shared.json)
    ended = _accounts(shared).set_groups(user, group or ())
    out.document({"user": user, "groups": group or [], "sessions_ended": ended})
    out.line(f"{user} is in {', '.join(group) if group else 'no group'}")


def _accounts(shared: Shared) -> Accounts:
    from drystone.l35_mesh.signin.accounts import Accounts  # noqa: PLC0415 - loads what it needs

    return Accounts(Home.open(shared.folder), SystemClock())


def _password(user: str, *, given: bool) -> str:
    """Ask for a password, twice; or read it from standard input, to the end of the line.

    Raises:
        Misuse: Nobody can be asked, or the two differ.
    """
    if given:
        return sys.stdin.readline(1024).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Misuse("there is no terminal to ask for the password; give --password-stdin")
    first = getpass.getpass(f"Password of {user}: ")
    if getpass.getpass("Once more: ") != first:
        raise Misuse("the two passwords differ")
    return first
