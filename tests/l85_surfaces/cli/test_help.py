"""Help pages, and the reference that is made of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drystone.l85_surfaces.cli import entry
from drystone.l85_surfaces.cli.application import overview, page_of
from drystone.l85_surfaces.cli.catalogue import COMMANDS
from drystone.l85_surfaces.cli.command import Command, Group

REFERENCE = Path(__file__).parents[3] / "docs/reference/cli.md"
Golden = Callable[[Path, str], None]

INTRODUCTION = """\
# The command line

<!-- Made from the commands: pytest tests/l85_surfaces --update -->

Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 the command line is wrong;
130 interrupted; 141 the reader of the output went away.

With `--json`, standard output carries JSON alone: one document, or one object per line where the answer is a
stream. A failure is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem document, in a stream the
last line. Standard error carries what a person should read, in both cases. Colours and live progress appear
only on a terminal; `NO_COLOR` turns the colours off.
"""


def commands() -> Iterator[Command]:
    """Name every command."""
    for one in (one for group in COMMANDS.values() for one in group):
        yield from one.commands if isinstance(one, Group) else [one]


def page(command: Command | Group) -> str:
    """Return a help page without colours, 80 columns wide."""
    return page_of(command, width=80)


def test_the_packaged_help_is_what_the_parser_says(golden: Golden) -> None:
    golden(entry.HELP, overview())


def test_the_reference_holds_every_help_page(golden: Golden) -> None:
    parts = [INTRODUCTION, f"```text\n{overview()}```\n"]
    for title, commands in COMMANDS.items():
        parts.append(f"## {title}\n")
        every = [c for one in commands for c in (one, *getattr(one, "commands", ()))]
        parts += [f"### drystone {c.name}\n\n```text\n{page(c)}```\n" for c in every]

    golden(REFERENCE, "\n".join(parts))


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_overview_comes_from_the_package(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(words) == 0
    assert capsys.readouterr().out == entry.HELP.read_text("utf-8")


def test_help_of_a_command_has_two_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["help", "deploy"]) == 0
    one = capsys.readouterr().out
    assert entry.main(["deploy", "--help"]) == 0
    assert capsys.readouterr().out == one != ""


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_every_help_page_fits_80_columns_and_ends_with_examples(command: Command) -> None:
    text = page(command)

    assert max(map(len, text.splitlines())) <= 80
    assert all(f"  {example}\n" in text for example in command.examples)
    assert "--home" in text
    assert "--json" in text


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["version"]], ids=" ".join)
def test_what_asks_no_platform_loads_no_libraries(words: list[str]) -> None:
    program = (
        "import sys; from drystone.l85_surfaces.cli.entry import main; "
        f"assert main({words!r}) == 0; "
        "heavy = {'inspect', 'rich', 'msgspec', 'asyncio', 'httpx2', 'yaml'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_a_command_on_a_pipe_loads_neither_rich_nor_the_server() -> None:
    program = (
        "import sys; from drystone.l85_surfaces.cli.entry import main; "
        "main(['services', '--home', '/nonexistent']); main(['down', '--home', '/nonexistent']); "
        "heavy = {'rich', 'httpx2', 'starlette', 'uvicorn', 'yaml', 'grpc', 'boto3'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["depoly"], "there is no command 'depoly'; did you mean 'deploy'?"),
        (["xyzzy"], "there is no command 'xyzzy'; see drystone --help"),
        (["--home", ".", "services"], "--home comes after the command"),
        (["services", "--jsn"], "unknown option: --jsn; did you mean --json?"),
        (["show"], "SERVICE is missing\nsee drystone show --help"),
        (["show", "a", "b"], "'b' is one word too many"),
        (["logs", "a", "-n"], "-n needs a value"),
        (["logs", "a", "-n", "many"], "-n must be a whole number, not 'many'"),
        (["history", "a", "-n", "0"], "-n must be at least 1, not 0"),
        (["up", "--port", "70000"], "--port must be at most 65535, not 70000"),
        (["up", "--runtime", "podmn"], "did you mean 'podman'?"),
        (["exec", "orders"], "COMMAND is missing"),
        (["logs", "a", "-x"], "unknown option: -x"),
        (["logs", "a", "--env", "-f"], "--env needs a value"),
        (["logs", "a", "-e", "x", "--env", "y"], "--env is given twice"),
        (["logs", "a", "--json=yes"], "--json takes no value"),
        (["completion", "csh"], "SHELL cannot be 'csh'; did you mean 'zsh'?"),
    ],
)
def test_a_wrong_command_line_exits_with_2_and_says_what_to_type(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(words) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert says in captured.err


def test_misuse_is_a_problem_document_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["show", "--json"]) == 2
    assert '"type":"cli.Misuse"' in capsys.readouterr().out


def test_json_after_the_double_dash_belongs_to_the_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert entry.main(["exec", "orders", "--home", str(tmp_path), "--", "env", "--json"]) == 1
    assert capsys.readouterr().out == ""
