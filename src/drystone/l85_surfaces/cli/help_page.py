"""How a help page looks: names in one column, what they mean in the next, 80 columns wide."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drystone.l85_surfaces.cli.parameters import Argument

WIDTH = 80
_LARGEST_NAME = 26
_COMMANDS = 10
"""Width of the column of commands, the same in every list of an overview."""

ABOUT = "A cloud platform that can always be rebuilt from the ground."
EPILOGUE = "Run drystone COMMAND --help for the options and examples of a command."


def overview(groups: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page that lists the commands.

    Args:
        groups: By title, what each command is for.
    """
    lines = ["Usage: drystone COMMAND", "", ABOUT]
    for title, commands in groups.items():
        lines += _titled(title, list(commands.items()), PLAIN, WIDTH, least=_COMMANDS)
    return "\n".join([*lines, "", EPILOGUE, ""])


def page(
    name: str,
    text: str,
    arguments: Sequence[Argument],
    examples: Sequence[str],
    *,
    paint: Paint = PLAIN,
    width: int = WIDTH,
) -> str:
    """Return the page of one command.

    Args:
        name: The command.
        text: What it does; paragraphs stay paragraphs.
        arguments: What it takes.
        examples: Command lines.
        paint: How to colour.
        width: Columns.
    """
    places = [argument for argument in arguments if not argument.options]
    options = [argument for argument in arguments if argument.options]
    lines = [" ".join([f"Usage: drystone {name} [OPTIONS]", *map(_place, places)])]
    for paragraph in textwrap.dedent(text).strip().split("\n\n"):
        lines += ["", *textwrap.wrap(" ".join(paragraph.split()), width)]
    for title, shown in (("Arguments", places), ("Options", options)):
        rows = [(_names(argument), _meaning(argument)) for argument in shown]
        lines += _titled(title, rows, paint, width)
    return "\n".join([*lines, "", "Examples:", *(f"  {line}" for line in examples), ""])


def group(
    name: str, text: str, commands: Mapping[str, str], *, paint: Paint = PLAIN, width: int = WIDTH
) -> str:
    """Return the page of a word that several commands begin with.

    Args:
        name: The word.
        text: What they are about.
        commands: What each is for.
        paint: How to colour.
        width: Columns.
    """
    lines = [f"Usage: drystone {name} COMMAND", "", *textwrap.wrap(text, width)]
    lines += _titled("Commands", list(commands.items()), paint, width, least=_COMMANDS)
    last = f"Run drystone {name} COMMAND --help for the options and examples of a command."
    return "\n".join([*lines, "", last, ""])


def width_here() -> int:
    """Return how wide a page may be on this terminal."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


def _titled(
    title: str, rows: list[tuple[str, str]], paint: Paint, width: int, *, least: int = 0
) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield paint(f"{title}:", Style.NAME)
    longest = max((len(names) for names, _ in rows if len(names) <= _LARGEST_NAME), default=0)
    column = 4 + max(longest, least)
    for names, meaning in rows:
        wrapped = textwrap.wrap(meaning, max(20, width - column)) or [""]
        first = f"  {names}".ljust(column)
        yield first if len(first) > column else first + wrapped.pop(0)
        yield from (" " * column + line for line in wrapped)


def _place(argument: Argument) -> str:
    name = argument.shown + ("..." if argument.many else "")
    return name if argument.required else f"[{name}]"


def _names(argument: Argument) -> str:
    if not argument.options:
        return argument.shown
    said = argument.said
    names = ", ".join([*argument.options, *([said.negative] if said.negative else [])])
    if argument.is_flag:
        return names
    usual = "CHOICE" if argument.choices else "INT" if argument.type is int else "STR"
    return f"{names} {said.metavar or usual}{'...' if argument.many else ''}"


def _meaning(argument: Argument) -> str:
    meaning = " ".join(argument.said.help.split())
    if argument.choices:
        meaning, default, rest = meaning.partition(" [default:")
        meaning += f" One of {', '.join(argument.choices)}.{default}{rest}"
    default = argument.default
    if argument.said.show_default and default not in (None, False, ()):
        meaning += f" [default: {default}]"
    return meaning + (" [required]" if argument.required else "")
