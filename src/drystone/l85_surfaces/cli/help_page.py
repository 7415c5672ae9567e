"""How a help page looks: names in one column, what they mean in the next, 80 columns wide."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions, RenderableType

WIDTH = 80
_LARGEST_NAME = 26
_COMMANDS = 10
"""Width of the column of commands, the same in every list of an overview."""


class HelpPage:
    """Writes one help page, piece by piece (cyclopts' HelpFormatter protocol)."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Write one titled list of arguments, options or commands."""
        entries = [(_names(entry), _meaning(entry, console)) for entry in panel.entries]
        if not entries:
            return
        _write(console, "")
        _write(console, f"{_plain(panel.title, console)}:", style="bold")
        longest = max((len(n) for n, _ in entries if len(n) <= _LARGEST_NAME), default=0)
        column = 4 + max(longest, _COMMANDS if panel.format == "command" else 0)
        for names, meaning in entries:
            wrapped = textwrap.wrap(meaning, max(20, _width() - column)) or [""]
            first = f"  {names}".ljust(column)
            if len(first) > column:
                _write(console, first)
            else:
                _write(console, first + wrapped.pop(0))
            for line in wrapped:
                _write(console, " " * column + line)

    def render_usage(
        self, console: Console, options: ConsoleOptions, usage: RenderableType
    ) -> None:
        """Write the line that shows the order of the words."""
        _write(console, f"Usage: {_plain(usage, console).strip().removeprefix('Usage: ')}")

    def render_description(
        self, console: Console, options: ConsoleOptions, description: RenderableType
    ) -> None:
        """Write what the command does, wrapped; paragraphs stay paragraphs."""
        for paragraph in _plain(description, console).strip().split("\n\n"):
            _write(console, "")
            for line in textwrap.wrap(" ".join(paragraph.split()), _width()):
                _write(console, line)


def _names(entry: HelpEntry) -> str:
    return ", ".join(entry.display_labels_with_metavar)


def _meaning(entry: HelpEntry, console: Console) -> str:
    meaning = " ".join(_plain(entry.description, console).split())
    if entry.choices:
        meaning, default, rest = meaning.partition(" [default:")
        meaning += f" One of {', '.join(entry.choices)}.{default}{rest}"
    if entry.default is not None:
        meaning += f" [default: {entry.default}]"
    if entry.required:
        meaning += " [required]"
    return meaning.strip()


def _plain(text: RenderableType | None, console: Console) -> str:
    if text is None:
        return ""
    from rich.text import Text  # noqa: PLC0415 - only help pages need it

    if isinstance(text, str):
        return text
    if isinstance(text, Text):
        return text.plain
    with console.capture() as capture:
        console.print(text, end="", soft_wrap=True)
    return Text.from_ansi(capture.get()).plain


def _width() -> int:
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns)


def _write(console: Console, line: str, *, style: str | None = None) -> None:
    from rich.text import Text  # noqa: PLC0415

    console.print(Text(line, style=style or ""), soft_wrap=True)
