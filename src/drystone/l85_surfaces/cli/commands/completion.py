"""``drystone completion``."""

from __future__ import annotations

from typing import Annotated, Literal

from drystone.l85_surfaces.cli.application import COMMANDS, about
from drystone.l85_surfaces.cli.completions import Known, script
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Which shell.")],
    /,
    *,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Print a completion script for a shell."""
    out = Terminal(json=shared.json)
    known = [Known(c.name, about(c), c.arguments()) for group in COMMANDS.values() for c in group]
    text = script(shell, known)
    out.line(text.rstrip("\n"))
    out.document({"shell": shell, "script": text})
