"""Put values into the places that a compiled template leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.stacks.model import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drystone.l25_deployer.stacks.model import Command, Template


class ValueUnknown(Invalid):
    """A reference has no value here and now."""


def fill(template: Template, values: Mapping[tuple[str, str, str], str]) -> str:
    """Join the parts of a template.

    Raises:
        ValueUnknown: It refers to something that has no value; the message names it, never a value.
    """
    return "".join(part if isinstance(part, str) else _value(part, values) for part in template)


def fill_command(command: Command, values: Mapping[tuple[str, str, str], str]) -> tuple[str, ...]:
    """Fill every word of a command; words stay words, whatever their values hold.

    Raises:
        ValueUnknown: See :func:`fill`.
    """
    return tuple(fill(word, values) for word in command)


def _value(reference: Reference, values: Mapping[tuple[str, str, str], str]) -> str:
    try:
        return values[reference.space, reference.name, reference.key]
    except KeyError:
        name = ".".join(filter(None, (reference.space, reference.name, reference.key)))
        raise ValueUnknown(f"${{{name}}} has no value; {_advice(reference)}", name=name) from None


def _advice(reference: Reference) -> str:
    match reference.space:
        case "secrets" | "config" | "sidecars":
            return f"{reference.space} are accepted in a descriptor but not acted on yet"
        case "dependencies":
            return f"deploy '{reference.name}' first"
        case "port":
            return "only a group that serves has a port"
        case _:
            return "check the name against the descriptor's resources"
