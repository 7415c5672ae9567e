"""``drystone completion``."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from drystone.l85_surfaces.cli.application import application
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.terminal import Terminal


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Which shell.")],
    /,
    *,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Print a completion script for a shell."""
    out = Terminal(json=shared.json)
    script = application().generate_completion(shell=shell)
    out.line(script.rstrip("\n"))
    out.document({"shell": shell, "script": script})
