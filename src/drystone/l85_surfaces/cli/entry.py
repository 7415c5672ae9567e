"""The first thing that runs: answers what needs no platform code at all, hands over the rest.

``drystone``, ``drystone --help`` and ``drystone --version`` are what a person types first and what tools
probe for, so they read a packaged text instead of loading a parser. A test holds the text equal to what the
parser says.

Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 the command line is wrong;
130 interrupted; 141 the reader of the output went away (128 + SIGPIPE).
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path

import drystone

HELP = Path(__file__).with_name("help.txt")
READER_GONE = 141


def main(arguments: list[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: What follows the program's name; that of this process when omitted.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without ✓ is no reason to fail
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return READER_GONE
    return code


def _run(arguments: list[str]) -> int:
    if arguments in ([], ["--help"], ["-h"], ["help"]):
        sys.stdout.write(HELP.read_text(encoding="utf-8"))
        return 0
    if arguments == ["--version"]:
        sys.stdout.write(f"drystone {drystone.__version__}\n")
        return 0
    from drystone.l85_surfaces.cli.application import run  # noqa: PLC0415 - loads the parser

    return run(arguments)


def _drop_output() -> None:
    """Let the interpreter's last flush go nowhere instead of failing loudly."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
