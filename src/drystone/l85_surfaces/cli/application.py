"""The parser: every command with its place, and how a failure is told."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from cyclopts import App, CycloptsError, Group, UnknownCommandError
from cyclopts.exceptions import MissingArgumentError, UnknownOptionError, UnusedCliTokensError

from drystone.l00_kernel.contract.wire import to_problem
from drystone.l00_kernel.errors import PlatformError
from drystone.l85_surfaces.cli.errors import Interrupted, Misuse
from drystone.l85_surfaces.cli.help_page import HelpPage
from drystone.l85_surfaces.cli.terminal import Paint, Style, remark, shows_colours, write_json

REFUSED, MISUSED, INTERRUPTED = 1, 2, 130


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


def application() -> App:
    """Build the parser; commands load when they are given."""
    app = App(
        name="drystone",
        help="A cloud platform that can always be rebuilt from the ground.",
        help_epilogue="Run drystone COMMAND --help for the options and examples of a command.",
        version_flags=[],
        help_flags=["--help", "-h"],
        help_format="plaintext",
        help_formatter=HelpPage(),
        suppress_keyboard_interrupt=False,
        group_arguments=Group("Arguments", sort_key=0),
        group_parameters=Group("Options", sort_key=1),
    )
    app["--help"].show = False
    for place, (title, commands) in enumerate(COMMANDS.items(), 2):
        group = Group(title, sort_key=place)
        for rank, command in enumerate(commands):
            app.command(
                f"drystone.l85_surfaces.cli.commands.{command.where}",
                name=command.name,
                group=group,
                sort_key=rank,
                help_epilogue="\n".join(["Examples:", *(f"  {line}" for line in command.examples)]),
            )
    return app


def run(arguments: list[str]) -> int:
    """Carry out one command line and tell a failure.

    Returns:
        The exit code; see :mod:`drystone.l85_surfaces.cli.entry`.
    """
    if arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    # The parser takes a lone hyphen for an option, so it gets the name that messages use.
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


def _carry_out(arguments: list[str]) -> int:
    app = application()
    try:
        result = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except CycloptsError as e:
        raise Misuse(_in_words(e, arguments)) from e
    return int(result or 0)


def _in_words(e: CycloptsError, arguments: list[str]) -> str:
    """Tell what is wrong with a command line and what to type instead."""
    names = [command.name for group in COMMANDS.values() for command in group]
    if isinstance(e, UnknownCommandError) and not e.command_chain:
        token = arguments[0]
        if token.startswith("-"):
            return f"{token} comes after the command; see drystone --help"
        near = difflib.get_close_matches(token, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "see drystone --help"
        return f"there is no command '{token}'; {hint}"
    command = " ".join(["drystone", *(e.command_chain or ()), "--help"])
    return f"{_wrong(e)}\nsee {command}"


def _wrong(e: CycloptsError) -> str:
    if isinstance(e, UnusedCliTokensError) and e.unused_tokens:
        return f"'{e.unused_tokens[0]}' is one word too many"
    if isinstance(e, MissingArgumentError) and e.argument:
        name = e.keyword or e.argument.name
        return f"{name} needs a value" if name.startswith("-") else f"{name} is missing"
    e.verbose = False
    text = str(e).strip().rstrip(".")
    if isinstance(e, UnknownOptionError):
        text = text.replace(". Did you mean ", "; did you mean ")
    return text[:1].lower() + text[1:]


def _tell(e: PlatformError, *, json: bool) -> None:
    paint = Paint(colour=shows_colours(sys.stderr))
    sys.stdout.flush()
    remark(e.message if isinstance(e, Interrupted) else f"{paint('error:', Style.BAD)} {e.message}")
    if json:
        write_json(msgspec.json.encode(to_problem(e)))
