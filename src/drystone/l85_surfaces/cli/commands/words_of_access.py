"""Words of the orchestrator's permissions, as they are typed."""

from __future__ import annotations

from drystone.l50_orchestrator.access.domain import Role
from drystone.l50_orchestrator.ports import Action
from drystone.l85_surfaces.cli.errors import Misuse


def action_called(word: str) -> Action:
    """Return an action by its word.

    Raises:
        Misuse: There is none; the message lists them.
    """
    try:
        return Action(word)
    except ValueError:
        known = ", ".join(one.value for one in Action)
        raise Misuse(f"{word!r} is no action; there are: {known}") from None


def role_called(word: str) -> Role:
    """Return a role by its word.

    Raises:
        Misuse: There is none; the message lists them.
    """
    try:
        return Role(word)
    except ValueError:
        known = ", ".join(one.value for one in Role)
        raise Misuse(f"{word!r} is no role; there are: {known}") from None
