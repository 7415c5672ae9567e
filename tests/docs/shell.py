"""A shell in which the commands of a page are run, and how what they print is compared."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from docs.pages import ROOT, Block, Page
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, remains, short_home, stop

LIMIT = timedelta(seconds=60)
MARK = "\x1e"
PORT = "8400"
"""The port in the documentation; a free one takes its place."""
SECURE = "8443"
"""That of HTTPS, which lies so many above the other."""

_MEASURED = (
    (re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d"), "moment"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "digest"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:s|ms|m|h|MB)\b"), "amount"),
    (re.compile(r"\b(?!8400\b)\d{3,}\b"), "number"),
    (re.compile(r"\s+"), " "),
)


def plain(line: str) -> str:
    """Take out of a line what is different each time: moments, durations, sizes, long numbers, digests, spaces."""
    for pattern, word in _MEASURED:
        line = pattern.sub(word, line)
    return line.strip()


def missing(expected: list[str], printed: str) -> list[str]:
    """Return the expected lines that do not stand in what was printed, in their order.

    A line is there if it is part of a printed one once :func:`plain` has been applied to both; ``…`` in it stands for
    anything. Printed lines between expected ones do not matter.
    """
    left = iter([plain(line) for line in printed.splitlines()])
    return [line for line in expected if not any(re.search(pattern(line), one) for one in left)]


def pattern(line: str) -> str:
    """Return the regular expression of an expected line."""
    return ".*".join(re.escape(plain(part)) for part in line.split("…"))


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Split a block into commands, each with the lines that it shall print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def target(name: str) -> str:
    """Return what ``make NAME`` runs, without what it needs first."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(rf"^{re.escape(name)}:.*\n\t@(.+)$", makefile, re.MULTILINE)
    assert recipe, f"the Makefile has no target {name}"
    return recipe[1].replace(".venv/bin/", "")


class Shell:
    """One bash, which keeps its folder and its variables from command to command.

    Args:
        process: The bash.
        port: What stands in for the port of the documentation.
    """

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        above = int(SECURE) - int(PORT)
        self._ports = ((f":{PORT}", f":{port}"), (f":{SECURE}", f":{port + above}"))

    async def run(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed."""
        if command.startswith("make "):
            command = target(command.removeprefix("make "))
        for written, real in self._ports:
            command = command.replace(written, real)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        script = f"{{ {command}\n}} </dev/null 2>&1; printf '{MARK}%s{MARK}' $?\n"
        self._process.stdin.write(script.encode())
        async with asyncio.timeout(LIMIT.total_seconds()):
            printed = await self._process.stdout.readuntil(MARK.encode())
            code = await self._process.stdout.readuntil(MARK.encode())
        text = printed.decode().removesuffix(MARK)
        for written, real in self._ports:
            text = text.replace(real, written)
        return int(code.decode().removesuffix(MARK)), text

    async def write(self, block: Block) -> None:
        """Write a block that is a file into the folder in which the shell is."""
        _, folder = await self.run("pwd")
        file = Path(folder.strip()) / block.title
        await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(file.write_text, block.text)


class Place(msgspec.Struct, frozen=True):
    """A home of its own, and the port that stands in for the one of the documentation."""

    platform: CommandLine
    port: int


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """Make a home in which nothing runs yet; what runs at the end is stopped, and the home removed."""
    home = await asyncio.to_thread(short_home, "docs")
    port = free_port()
    platform = CommandLine(home, {"DRYSTONE_PORT": str(port)})
    try:
        yield Place(platform, port)
    finally:
        await stop(platform)
        left = await asyncio.to_thread(remains, home)
        await asyncio.to_thread(shutil.rmtree, home)
    assert left == []


@asynccontextmanager
async def shell(folder: Path, where: Place) -> AsyncIterator[Shell]:
    """Open a shell in a folder with the examples."""
    await asyncio.to_thread(shutil.copytree, ROOT / "examples", folder / "examples")
    env = {
        **os.environ,
        "DRYSTONE_HOME": str(where.platform.home),
        "DRYSTONE_PORT": str(where.port),
        "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "100",  # as wide as pages show it, whatever ran before
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "--norc", stdin=PIPE, stdout=PIPE, stderr=STDOUT, cwd=folder, env=env
    )
    try:
        yield Shell(process, where.port)
    finally:
        process.kill()
        await process.communicate()


async def play(page: Page, shell: Shell) -> list[str]:
    """Do what a page says, and return how what happened is different."""
    found = []
    for block in page.blocks:
        if block.not_run:
            continue
        if block.title:
            await shell.write(block)
        elif block.language == "console":
            steps = commands(block)
            for number, (command, expected) in enumerate(steps, 1):
                code, printed = await shell.run(command)
                wanted = block.exit_code if number == len(steps) else 0
                lacking = missing(expected, printed)
                if code != wanted or lacking:
                    words = "\n".join([f"expected, with exit code {wanted}:", *lacking])
                    found.append(
                        f"{page.path}:{block.line}: {command}\n{words}\n"
                        f"printed, with exit code {code}:\n{printed}"
                    )
    return found
