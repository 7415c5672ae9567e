"""What cannot be undone is confirmed by typing a name: on a terminal when asked, or with ``--yes`` beforehand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.errors import Misuse, NotConfirmed
from drystone.l85_surfaces.cli.terminal import is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable


def _typed(name: str) -> str:
    """Let the person type a name, and return what was typed.

    Raises:
        Misuse: Nobody can be asked.
    """
    if not is_terminal(sys.stdin):
        raise Misuse(f"nobody can be asked here: confirm with --yes {name}")
    print(f"Type {name} to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def require_confirmed(
    name: str, said: str | None, *, otherwise: str, tell: Callable[[], None] | None = None
) -> str:
    """Go on only when somebody gave the name of what is lost, and return it.

    Args:
        name: The name.
        said: What was given with ``--yes``; None to ask.
        otherwise: What becomes of it when another name is given, such as ``orders stays``.
        tell: Shows what is going to happen, before somebody is asked.

    Raises:
        Misuse: Nobody can be asked.
        NotConfirmed: It is another name.
    """
    if said is None:
        if tell is not None:
            tell()
        said = _typed(name)
    if said != name:
        raise NotConfirmed(f"{otherwise}: '{said}' is not its name, {name}; nothing was changed")
    return said
