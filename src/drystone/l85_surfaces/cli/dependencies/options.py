"""Options that the commands about dependencies share."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, NamedTuple

from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.parameters import Parameter

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)?")

SurveyPlace = Annotated[
    str | None,
    Parameter(
        help="A survey (YAML, CSV or JSON), or a folder of surveys; - reads standard input; the live platform when "
        "omitted.",
    ),
]


class Source(NamedTuple):
    """Where the model comes from."""

    model: Annotated[
        str | None,
        Parameter(
            name=("--model", "-m"),
            metavar="FILE",
            help="The same as SURVEY.",
        ),
    ] = None
    platform: Annotated[
        bool,
        Parameter(
            name=("--platform",),
            show_default=False,
            help="The platform's own descriptors; nothing has to run.",
        ),
    ] = False
    edges: Annotated[
        str | None,
        Parameter(name=("--edges",), metavar="FILE", help="Lines of `u v [cost]`, all hard."),
    ] = None


LIVE = Source()
"""What a command gets when it is not told where the model is: the live platform."""

Everything = Annotated[
    bool,
    Parameter(name=("--all",), show_default=False, help="Whole lists, however long they are."),
]
Names = Annotated[str, Parameter(required=True, help="Names of components.")]
TimeLimit = Annotated[
    str,
    Parameter(
        name=("--time-limit", "-t"),
        metavar="TIME",
        help="When to end with the best answer so far: seconds, or 500ms, 90s, 5m.",
    ),
]
Seed = Annotated[int, Parameter(metavar="INT", help="Equal seeds make equal searches.")]
RulesFile = Annotated[
    str | None,
    Parameter(
        name=("--rules",), metavar="FILE", help="What is checked and how bad it is; else all."
    ),
]


def time_of(said: str, option: str = "--time-limit") -> timedelta:
    """Read a duration that was given on the command line.

    Raises:
        Misuse: It is none, or nothing.
    """
    found = _TIME.fullmatch(said)
    length = float(found[1]) * _UNITS[found[2] or ""] if found else 0.0
    if not 0 < length <= 1e7:
        raise Misuse(f"{option} cannot be '{said}'; write seconds, or a duration such as 90s or 5m")
    return timedelta(seconds=length)
