"""How each dependency is served: real, mocked, proxied or absent. Pure rules over what the workspace says.

A service whose descriptor is in the workspace is real. Of the others, one with an OpenAPI document is mocked; a soft one without is
absent; a hard one without is refused. ``sandbox.yaml`` overrides that, and ``--with`` overrides both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from drystone.l85_surfaces.sandbox.errors import NotServed, WishUnfit
from drystone.l85_surfaces.sandbox.workspace import LOCAL, Member, Need, Workspace

Way: TypeAlias = Literal["real", "mock", "proxy", "absent"]
WAYS = "real, mock, mock:FILE, proxy:URL or absent"
_NAME = re.compile("[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Wish(msgspec.Struct, frozen=True):
    """How somebody wants a dependency served.

    Attributes:
        way: How.
        to: The document of a mock, empty for the one that lies where it is looked for; or the address behind a proxy.
        delay: Seconds before each answer of a mock.
        errors: Share of the requests that a mock lets fail, from 0 to 1.
    """

    way: Way
    to: str = ""
    delay: float = 0.0
    errors: float = 0.0


class Choice(msgspec.Struct, frozen=True):
    """How one dependency, or one service of the workspace, is served.

    Attributes:
        name: Which.
        way: How.
        to: The document, or the address.
        why: Who decided that, for people.
        is_hard: Whether somebody cannot work without it.
        needed_by: Who needs it.
        environments: Where it is looked for.
        delay: As in :class:`Wish`.
        errors: As in :class:`Wish`.
    """

    name: str
    way: Way
    to: str = ""
    why: str = ""
    is_hard: bool = False
    needed_by: tuple[str, ...] = ()
    environments: tuple[str, ...] = (LOCAL,)
    delay: float = 0.0
    errors: float = 0.0


def wish_of(text: str) -> tuple[str, Wish]:
    """Read ``NAME=real``, ``NAME=mock``, ``NAME=mock:FILE``, ``NAME=proxy:URL`` or ``NAME=absent``.

    Raises:
        WishUnfit: It is none of these.
    """
    name, equals, rest = text.partition("=")
    way, _, to = rest.partition(":")
    if not equals or not _NAME.fullmatch(name):
        raise WishUnfit(f"--with {text!r}: write NAME=WAY, where WAY is {WAYS}")
    match way:
        case "real" | "absent" if not to:
            return name, Wish(way)
        case "mock":
            return name, Wish(way, to)
        case "proxy":
            return name, Wish(way, address(to, name))
        case _:
            raise WishUnfit(f"--with {text!r}: {name} can be {WAYS}")


def address(text: str, name: str) -> str:
    """Return the address behind a proxy.

    Raises:
        WishUnfit: It is not the address of a host with ``http`` or ``https``.
    """
    if not _is_address(text):
        raise WishUnfit(
            f"{name}: {text[:200]!r} is no address to pass requests on to; write http://HOST:PORT or https://HOST"
        )
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # the port is no number
        return False
    return bool(is_web) and not (parts.username or parts.path.strip("/") or parts.query)


def choose(
    workspace: Workspace,
    wishes: Mapping[str, Wish],
    document_of: Callable[[str, Sequence[Member]], Path | None],
) -> tuple[Choice, ...]:
    """Decide how every service of a workspace, and everything that they need, is served.

    Args:
        workspace: The services.
        wishes: What was said of some of them.
        document_of: Finds the OpenAPI document of a service; those who need it are told.

    Raises:
        WishUnfit: A wish is about something that nobody knows, or cannot be fulfilled.
        NotServed: Hard dependencies are served by nothing; the message names all of them.
    """
    needs = _needs(workspace, wishes)
    known = needs.keys() | workspace.members.keys()
    for name in wishes.keys() - known:
        raise WishUnfit(
            f"nothing here is called {name!r} or needs it; there are {', '.join(sorted(known))}"
        )
    chosen, refused = list[Choice](), list[str]()
    for name in sorted(known):
        by = needs.get(name, [])
        one = _one(name, workspace, wishes.get(name), by, document_of)
        if one.way == "absent" and one.is_hard:
            refused.append(_refusal(name, by, is_wish=name in wishes))
        chosen.append(one)
    if refused:
        raise NotServed("\n".join(refused))
    return tuple(chosen)


def _needs(
    workspace: Workspace, wishes: Mapping[str, Wish]
) -> dict[str, list[tuple[Member, Need]]]:
    """Return who needs what, of those services that are run for real."""
    found: dict[str, list[tuple[Member, Need]]] = {}
    for name, one in workspace.members.items():
        if name not in wishes or wishes[name].way == "real":
            for need in one.needs:
                found.setdefault(need.name, []).append((one, need))
    return found


def _one(
    name: str,
    workspace: Workspace,
    wish: Wish | None,
    by: Sequence[tuple[Member, Need]],
    document_of: Callable[[str, Sequence[Member]], Path | None],
) -> Choice:
    member = workspace.members.get(name)
    near = [one for one, _ in by] + ([member] if member else [])
    way: Way
    to, why = (wish.to, "as you said") if wish else ("", "")
    if wish is not None:
        way = wish.way
        if way == "real" and member is None:
            raise WishUnfit(
                f"{name} cannot be real: its service.yaml is not in the workspace; name its folder too"
            )
        if way == "mock":
            to = str(_document(name, wish, workspace, near, document_of))
    elif member is not None:
        way, to, why = "real", "", "its service.yaml is in the workspace"
    elif found := document_of(name, near):
        way, to, why = "mock", str(found), f"{found.name} describes it"
    else:
        way, why = "absent", "nothing describes it"
    return Choice(
        name=name,
        way=way,
        to=str(member.file) if way == "real" and member else to,
        why=why,
        is_hard=any(need.is_hard for _, need in by),
        needed_by=tuple(one.name for one, _ in by),
        environments=tuple(
            dict.fromkeys([*([LOCAL] if member or not by else []), *(n.environment for _, n in by)])
        ),
        delay=wish.delay if wish else 0.0,
        errors=wish.errors if wish else 0.0,
    )


def _document(
    name: str,
    wish: Wish,
    workspace: Workspace,
    near: Sequence[Member],
    document_of: Callable[[str, Sequence[Member]], Path | None],
) -> Path:
    found = (workspace.base / wish.to) if wish.to else document_of(name, near)
    if found is None:
        raise WishUnfit(
            f"{name} cannot be mocked: no OpenAPI document of it was found; put it at"
            f" {workspace.base / 'mocks' / name}.yaml, or say --with {name}=mock:FILE"
        )
    return found


def _refusal(name: str, by: Sequence[tuple[Member, Need]], *, is_wish: bool) -> str:
    who = ", ".join(one.name for one, need in by if need.is_hard)
    if is_wish:
        return f"{name} cannot be absent: {who} cannot work without it (hard)"
    return (
        f"{name} is not served: {who} cannot work without it (hard). Put its OpenAPI document at mocks/{name}.yaml, name"
        f" the folder of its service.yaml too, or say --with {name}=proxy:URL"
    )
