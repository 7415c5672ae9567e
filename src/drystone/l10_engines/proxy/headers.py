"""Headers that a proxy sets on what it passes on and answers."""

from __future__ import annotations

from drystone.l10_engines.proxy.messages import Config, Shared


def set_header(name: str, value: str) -> Config:
    """Return a ``HeaderValueOption`` that puts this header in the place of all of its name.

    Args:
        name: In small letters.
        value: ``%COMMAND%`` operators in it are filled in.
    """
    return Shared(
        {
            "header": {"key": name, "value": value},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    )
