"""How a command line is carried out, and how a failure is told."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from drystone.l00_kernel.errors import PlatformError
from drystone.l85_surfaces.cli.catalogue import COMMANDS
from drystone.l85_surfaces.cli.command import Command, Group
from drystone.l85_surfaces.cli.errors import Interrupted, Misuse
from drystone.l85_surfaces.cli.parameters import Argument, bundles_of
from drystone.l85_surfaces.cli.parsing import END, parse
from drystone.l85_surfaces.cli.terminal import (
    PLAIN,
    Paint,
    Style,
    remark,
    shows_colours,
    write_json,
)

REFUSED, MISUSED, INTERRUPTED = 1, 2, 130
HELP = {"--help", "-h"}

One = TypeVar("One")


def run(arguments: list[str]) -> int:
    """Carry out one command line and tell a failure.

    Returns:
        The exit code; see :mod:`drystone.l85_surfaces.cli.entry`.
    """
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    end = arguments.index(END) if END in arguments else len(arguments)
    # A lone hyphen is standard input, and gets the name that messages use.
    own = ["<stdin>" if word == "-" else word for word in arguments[:end]]
    return tell_failures(lambda: _carry_out(own + arguments[end:]), json="--json" in own)


def tell_failures(work: Callable[[], int], *, json: bool) -> int:
    """Do something and tell a failure: to people on standard error, to machines, too, on standard output.

    Returns:
        The exit code.
    """
    try:
        return work()
    except PlatformError as e:
        _tell(e, json=json)
        if isinstance(e, Misuse):
            return MISUSED
        return INTERRUPTED if isinstance(e, Interrupted) else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _carry_out(words: list[str]) -> int:
    command, rest = _found(words)
    end = rest.index(END) if END in rest else len(rest)
    if isinstance(command, Group) or HELP & {*rest[:end]}:
        sys.stdout.write(page_of(command, paint=Paint(colour=shows_colours(sys.stdout))))
        return 0
    function, arguments = command.load(), command.arguments()
    try:
        given = parse(arguments, rest)
    except Misuse as e:
        raise Misuse(f"{e.message}\nsee drystone {command.name} --help") from e
    places = _by_place(arguments, given)
    result = function(*places, **_by_name(bundles_of(function), given))
    if isinstance(result, Coroutine):
        import asyncio  # noqa: PLC0415 - commands that ask nobody need none

        result = asyncio.run(result)
    return int(result or 0)


def _by_place(arguments: list[Argument], given: dict[str, Any]) -> list[Any]:
    """Take the arguments that are told by their place, in order."""
    found: list[Any] = []
    for argument in arguments:
        if argument.options:
            continue
        value = given.pop(argument.name, argument.default)
        found += value if argument.many else [value]
    return found


def _by_name(bundles: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Gather what several commands share."""
    made = {
        name: bundle(**{field: given.pop(field) for field in bundle._fields if field in given})
        for name, bundle in bundles.items()
    }
    return {**given, **made}


def _found(words: list[str]) -> tuple[Command | Group, list[str]]:
    """Return the command that a line begins with, or a group that is asked for help; and the words after it.

    Raises:
        Misuse: There is none.
    """
    top = {one.name: one for group in COMMANDS.values() for one in group}
    found, rest = _named(words[0], top, "drystone"), words[1:]
    if not isinstance(found, Group) or (rest and rest[0] in HELP):
        return found, rest
    inside = {one.name.partition(" ")[2]: one for one in found.commands}
    if found.otherwise and (not rest or rest[0] not in inside):
        return inside[found.otherwise], rest
    if not rest:
        return found, rest
    return _named(rest[0], inside, f"drystone {found.name}"), rest[1:]


def _named(word: str, known: Mapping[str, One], where: str) -> One:
    if found := known.get(word):
        return found
    if word.startswith("-"):
        raise Misuse(f"{word} comes after the command; see {where} --help")
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"see {where} --help"
    wanted = f"{where} {word}".removeprefix("drystone ")
    raise Misuse(f"there is no command '{wanted}'; {hint}")


def page_of(command: Command | Group, *, paint: Paint = PLAIN, width: int | None = None) -> str:
    """Return the help page of a command, or of a group of them.

    Args:
        command: Which.
        paint: How to colour.
        width: Columns; those of this terminal when None.
    """
    from drystone.l85_surfaces.cli import help_page  # noqa: PLC0415 - only for help

    columns = width or help_page.width_here()
    if isinstance(command, Group):
        rows = {one.name.partition(" ")[2]: about(one) for one in command.commands}
        return help_page.group(command.name, command.about, rows, paint=paint, width=columns)
    text = command.load().__doc__ or ""
    return help_page.page(
        command.name, text, command.arguments(), command.examples, paint=paint, width=columns
    )


def overview() -> str:
    """Return the page that lists the commands; what is packaged is a copy of it."""
    from drystone.l85_surfaces.cli import help_page  # noqa: PLC0415 - only for help

    return help_page.overview(
        {title: {c.name: about(c) for c in group} for title, group in COMMANDS.items()}
    )


def about(command: Command | Group) -> str:
    """Return in one line what a command is for."""
    if isinstance(command, Group):
        return command.about
    return (command.load().__doc__ or "").partition("\n")[0]


def _tell(e: PlatformError, *, json: bool) -> None:
    paint = Paint(colour=shows_colours(sys.stderr))
    sys.stdout.flush()
    remark(e.message if isinstance(e, Interrupted) else f"{paint('error:', Style.BAD)} {e.message}")
    if json:
        import msgspec  # noqa: PLC0415 - for machines alone

        from drystone.l00_kernel.contract.wire import to_problem  # noqa: PLC0415

        write_json(msgspec.json.encode(to_problem(e)))
