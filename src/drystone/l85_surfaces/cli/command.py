"""What a command of the command line is, and a group of several about one thing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from drystone.l85_surfaces.cli.parameters import Argument, arguments_of


class Command(NamedTuple):
    """One command of the command line.

    Attributes:
        name: What the user types.
        where: Module (below ``commands``) and function that carry it out.
        examples: Command lines that work as they stand, for its help.
    """

    name: str
    where: str
    examples: tuple[str, ...]

    def load(self) -> Callable[..., Any]:
        """Return the function that carries it out."""
        module, _, name = self.where.partition(":")
        loaded = importlib.import_module(f"drystone.l85_surfaces.cli.commands.{module}")
        function: Callable[..., Any] = getattr(loaded, name)
        return function

    def arguments(self) -> list[Argument]:
        """Return what it takes."""
        return arguments_of(self.load())


class Group(NamedTuple):
    """Several commands about one thing, behind one word.

    Attributes:
        name: The word.
        about: What they are about, in one line.
        commands: Their names begin with the word.
        otherwise: Second word of the one that is meant where none of them is named; help when empty.
    """

    name: str
    about: str
    commands: tuple[Command, ...]
    otherwise: str = ""
