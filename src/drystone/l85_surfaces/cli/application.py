"""Every command with its place, how a command line is carried out and how a failure is told."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from drystone.l00_kernel.errors import PlatformError
from drystone.l85_surfaces.cli.errors import Interrupted, Misuse
from drystone.l85_surfaces.cli.options import Shared
from drystone.l85_surfaces.cli.parameters import Argument, arguments_of
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
        return arguments_of(self.load(), Shared)


COMMANDS: dict[str, tuple[Command, ...]] = {
    "The platform": (
        Command(
            "up",
            "up:up",
            ("drystone up", "drystone up --detach --port 8500 --home ./platform"),
        ),
        Command("down", "down:down", ("drystone down",)),
        Command(
            "status",
            "status:status",
            ("drystone status", "drystone status --json | jq .ready"),
        ),
    ),
    "Change a service": (
        Command(
            "validate",
            "validate:validate",
            ("drystone validate service.yaml", "drystone validate services/*.yaml"),
        ),
        Command(
            "plan",
            "plan:plan",
            ("drystone plan service.yaml", "drystone plan service.yaml --env prod"),
        ),
        Command(
            "deploy",
            "deploy:deploy",
            (
                "drystone deploy service.yaml",
                "drystone deploy service.yaml --env prod --version 1.2",
            ),
        ),
        Command(
            "rollback",
            "rollback:rollback",
            ("drystone rollback orders", "drystone rollback orders --env prod"),
        ),
        Command(
            "abort",
            "abort:abort",
            ("drystone abort orders",),
        ),
        Command(
            "destroy",
            "destroy:destroy",
            (
                "drystone destroy orders --env dev",
                "drystone destroy orders --yes orders --delete-data db",
            ),
        ),
    ),
    "Look at services": (
        Command(
            "services",
            "services:services",
            ("drystone services", "drystone services --env prod --json"),
        ),
        Command(
            "show",
            "services:show",
            ("drystone show orders", "drystone show orders --env prod"),
        ),
        Command(
            "history",
            "services:history",
            ("drystone history orders", "drystone history orders -n 5"),
        ),
        Command(
            "logs",
            "logs:logs",
            ("drystone logs orders", "drystone logs orders -f -n 20 --group web"),
        ),
        Command(
            "exec",
            "execute:execute",
            ("drystone exec orders -- python -m orders.report", "drystone exec orders -- env"),
        ),
    ),
    "Tools": (
        Command(
            "descriptor",
            "descriptor:descriptor",
            ("drystone descriptor schema > service.schema.json",),
        ),
        Command(
            "completion",
            "completion:completion",
            (
                "source <(drystone completion bash)",
                "drystone completion fish > ~/.config/fish/completions/drystone.fish",
            ),
        ),
        Command(
            "version",
            "version:version",
            ("drystone version", "drystone version --json"),
        ),
    ),
}


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
    command = _command(words[0])
    end = words.index(END) if END in words else len(words)
    if HELP & {*words[1:end]}:
        sys.stdout.write(page_of(command, paint=Paint(colour=shows_colours(sys.stdout))))
        return 0
    function, arguments = command.load(), command.arguments()
    try:
        given = parse(arguments, words[1:])
    except Misuse as e:
        raise Misuse(f"{e.message}\nsee drystone {command.name} --help") from e
    result = function(*_by_place(arguments, given), **_by_name(given))
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


def _by_name(given: dict[str, Any]) -> dict[str, Any]:
    """Gather what several commands share."""
    shared = {name: given.pop(name) for name in Shared._fields if name in given}
    return {**given, "shared": Shared(**shared)}


def _command(word: str) -> Command:
    """Return a command by its name.

    Raises:
        Misuse: There is none.
    """
    commands = {command.name: command for group in COMMANDS.values() for command in group}
    if command := commands.get(word):
        return command
    if word.startswith("-"):
        raise Misuse(f"{word} comes after the command; see drystone --help")
    near = difflib.get_close_matches(word, commands, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "see drystone --help"
    raise Misuse(f"there is no command '{word}'; {hint}")


def page_of(command: Command, *, paint: Paint = PLAIN, width: int | None = None) -> str:
    """Return the help page of a command.

    Args:
        command: Which.
        paint: How to colour.
        width: Columns; those of this terminal when None.
    """
    from drystone.l85_surfaces.cli.help_page import page, width_here  # noqa: PLC0415 - only for help

    text = command.load().__doc__ or ""
    columns = width or width_here()
    return page(
        command.name, text, command.arguments(), command.examples, paint=paint, width=columns
    )


def overview() -> str:
    """Return the page that lists the commands; what is packaged is a copy of it."""
    from drystone.l85_surfaces.cli import help_page  # noqa: PLC0415 - only for help

    return help_page.overview(
        {title: {c.name: about(c) for c in group} for title, group in COMMANDS.items()}
    )


def about(command: Command) -> str:
    """Return in one line what a command is for."""
    return (command.load().__doc__ or "").partition("\n")[0]


def _tell(e: PlatformError, *, json: bool) -> None:
    paint = Paint(colour=shows_colours(sys.stderr))
    sys.stdout.flush()
    remark(e.message if isinstance(e, Interrupted) else f"{paint('error:', Style.BAD)} {e.message}")
    if json:
        import msgspec  # noqa: PLC0415 - for machines alone

        from drystone.l00_kernel.contract.wire import to_problem  # noqa: PLC0415

        write_json(msgspec.json.encode(to_problem(e)))
