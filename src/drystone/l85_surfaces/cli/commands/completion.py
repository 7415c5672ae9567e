"""``drystone completion``."""

from __future__ import annotations

from typing import Annotated, Literal

from drystone.l85_surfaces.cli.application import about
from drystone.l85_surfaces.cli.catalogue import COMMANDS
from drystone.l85_surfaces.cli.command import Command, Group
from drystone.l85_surfaces.cli.completions import Known, script
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Argument, Parameter
from drystone.l85_surfaces.cli.terminal import Terminal


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Which shell.")],
    /,
    *,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Print a completion script for a shell."""
    out = Terminal(json=shared.json)
    text = script(shell, [_known(one) for group in COMMANDS.values() for one in group])
    out.line(text.rstrip("\n"))
    out.document({"shell": shell, "script": text})


def _known(one: Command | Group) -> Known:
    if isinstance(one, Command):
        return Known(one.name, about(one), one.arguments())
    # What one of its commands takes is offered for all: a script looks at the first word alone.
    words = tuple(command.name.partition(" ")[2] for command in one.commands)
    first = Argument("command", (), str, False, words, None, True, Parameter())
    every = {a.name: a for c in one.commands for a in c.arguments() if a.options or not a.choices}
    return Known(one.name, one.about, [first, *every.values()])
