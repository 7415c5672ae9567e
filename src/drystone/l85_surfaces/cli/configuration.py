"""Write a setting into a home's settings file and leave the rest as its owner wrote it."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import write_atomically
from drystone.l85_surfaces.cli.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


def write_settings(file: Path, settings: Mapping[str, str | int]) -> None:
    """Set top-level keys of a TOML file; it is made if it does not exist.

    Raises:
        Misuse: The file is written in a way that only its owner can change safely.
    """
    if not settings:
        return
    text = file.read_text("utf-8") if file.exists() else ""
    for key, value in settings.items():
        try:
            text = with_setting(text, key, value)
        except ValueError as e:
            raise Misuse(
                f"{file} cannot be changed from here: write `{key} = …` there yourself"
            ) from e
    write_atomically(file, text.encode())


def with_setting(text: str, key: str, value: str | int) -> str:
    """Return the TOML text with one top-level key set and nothing else changed.

    A line that sets the key is replaced; otherwise a line is added before the first table, because what
    follows a table's heading belongs to the table (TOML 1.0, "Table").

    Raises:
        ValueError: The text is no TOML, or sets the key in a way that takes more than a line.
    """
    before = tomllib.loads(text)
    table = _TABLE.search(text)
    end = table.start() if table else len(text)
    top, rest = text[:end], text[end:]
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    old = re.compile(rf"^{re.escape(key)}[ \t]*=.*$", re.MULTILINE)
    if old.search(top):
        changed = old.sub(lambda _: line, top, count=1) + rest
    else:
        separator = "" if not top or top.endswith("\n") else "\n"
        changed = f"{top}{separator}{line}\n{rest}"
    if tomllib.loads(changed) != {**before, key: value}:
        raise ValueError(f"{key} cannot be set by changing one line")
    return changed
