"""Options that several commands share, and where the platform's home is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.parameters import Parameter

VARIABLE = "DRYSTONE_HOME"
ELSEWHERE = "DRYSTONE_PLATFORM"
"""Variable with the address of a platform elsewhere."""


HomeFolder = Annotated[
    str | None,
    Parameter(
        name=("--home",),
        metavar="DIR",
        show_default=False,
        help="Home directory of the platform. [default: DRYSTONE_HOME, else ~/.drystone, or "
        "/var/lib/drystone for root]",
    ),
]
Json = Annotated[bool, Parameter(name=("--json",), show_default=False, help="JSON for machines.")]


class Shared(NamedTuple):
    """Options of every command."""

    home: HomeFolder = None
    json: Json = False

    @property
    def folder(self) -> Path:
        """The absolute path of the home, whether it exists or not.

        Raises:
            Misuse: The option is empty, as an unset variable of a script would leave it; or the variable of a platform
                elsewhere is set, which this command does not reach.
        """
        if self.home is None and os.environ.get(ELSEWHERE):
            raise Misuse(
                f"{ELSEWHERE} is set, and this command works on a platform of this machine alone: name one with --home, or unset"
                " the variable"
            )
        return _folder(self.home)


class Anywhere(NamedTuple):
    """Options of every command that reaches an orchestrator, on this machine or elsewhere."""

    home: HomeFolder = None
    json: Json = False
    platform: Annotated[
        str | None,
        Parameter(
            name=("--platform",),
            metavar="URL",
            show_default=False,
            help="A platform elsewhere, by the address of its orchestrator; with a token in DRYSTONE_TOKEN. [default:"
            " DRYSTONE_PLATFORM, else the one of this machine]",
        ),
    ] = None

    @property
    def url(self) -> str | None:
        """The address of a platform elsewhere; None for the one of a home. An option is stronger than a variable.

        Raises:
            Misuse: Both are named, or a token would travel where everybody can read it.
        """
        if self.home is not None and self.platform is not None:
            raise Misuse("--home is a platform of this machine, --platform one elsewhere: name one")
        given = self.platform
        if given is None and self.home is None:
            given = os.environ.get(ELSEWHERE) or None
        return None if given is None else _address(given)

    @property
    def here(self) -> Shared:
        """The same options for a command of this machine alone."""
        return Shared(self.home, self.json)

    @property
    def place(self) -> Path | str:
        """The home, or the address of a platform elsewhere."""
        return self.url or self.folder

    @property
    def folder(self) -> Path:
        """The absolute path of the home, whether it exists or not.

        Raises:
            Misuse: The option is empty, or a platform elsewhere is named, where this cannot be done.
        """
        if self.url is not None:
            raise Misuse("this works on a platform of this machine alone, not on one elsewhere")
        return _folder(self.home)


NOTHING_SAID = Shared()
"""What a command gets when neither option is given."""

NOWHERE_SAID = Anywhere()
"""The same, for one that reaches platforms elsewhere."""


def _address(given: str) -> str:
    """Return an address to which a token may be sent.

    Raises:
        Misuse: It is none.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415 - for platforms elsewhere alone

    try:
        url = urlsplit(given)
        host, _ = url.hostname or "", url.port
    except ValueError:
        host, url = "", urlsplit("")
    is_near = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
    is_private = url.scheme == "https" or (url.scheme == "http" and is_near)
    if not host or not is_private or "@" in url.netloc or url.query or url.fragment:
        raise Misuse(
            f"'{given}' is no address of a platform: https://HOST[:PORT], without a user or a query; http is for names of this"
            " machine alone, since everybody on the way could read the token"
        )
    return given.rstrip("/")


def _folder(home: str | None) -> Path:
    if home is None:
        return default_home()
    if not home:
        raise Misuse("--home is empty; name a directory")
    return Path(home).expanduser().absolute()


def default_home() -> Path:
    """Return the home where commands work that name none: ``DRYSTONE_HOME``, or that of the user who asks.

    Root's platform lives in /var/lib: PostgreSQL runs as another user, which may not enter /root.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/drystone")
    return Path("~/.drystone").expanduser()


Environment = Annotated[
    str | None,
    Parameter(
        name=("--env", "-e"),
        show_default=False,
        help="Environment. [default: the home's default_environment, else dev]",
    ),
]
OneEnvironment = Annotated[
    str | None,
    Parameter(name=("--env", "-e"), help="Only this environment; all of them when omitted."),
]
Service = Annotated[str, Parameter(help="Name of the service.")]
Descriptor = Annotated[str, Parameter(help="The service's descriptor; - reads standard input.")]
DeleteData = Annotated[
    list[str] | None,
    Parameter(
        name=("--delete-data",),
        show_default=False,
        help="Name of a resource whose data may be deleted; may be given again.",
    ),
]
NoFinalBackup = Annotated[
    bool,
    Parameter(
        name=("--no-final-backup",),
        show_default=False,
        help="Keep no last backup of the data that is deleted.",
    ),
]
Version = Annotated[
    str | None, Parameter(help="Name of the release. [default: a number that counts up]")
]
Wait = Annotated[
    bool,
    Parameter(
        negative="--no-wait",
        show_default=False,
        help="Wait for another operation on the service (the default), or refuse.",
    ),
]
Message = Annotated[
    str,
    Parameter(
        name=("--message", "-m"),
        show_default=False,
        help="What for; it stands in the record of the orchestrator.",
    ),
]
