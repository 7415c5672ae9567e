"""Options that several commands share, and where the platform's home is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.parameters import Parameter

VARIABLE = "DRYSTONE_HOME"


class Shared(NamedTuple):
    """Options of every command."""

    home: Annotated[
        str | None,
        Parameter(
            name=("--home",),
            metavar="DIR",
            show_default=False,
            help="Home directory of the platform. [default: DRYSTONE_HOME, else ~/.drystone, or "
            "/var/lib/drystone for root]",
        ),
    ] = None
    json: Annotated[
        bool, Parameter(name=("--json",), show_default=False, help="JSON for machines.")
    ] = False

    @property
    def folder(self) -> Path:
        """The absolute path of the home, whether it exists or not.

        Raises:
            Misuse: The option is empty, as an unset variable of a script would leave it.
        """
        if self.home is None:
            return default_home()
        if not self.home:
            raise Misuse("--home is empty; name a directory")
        return Path(self.home).expanduser().absolute()


NOTHING_SAID = Shared()
"""What a command gets when neither option is given."""


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
