"""Write a setting into a home's settings file and leave the rest as its owner wrote it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


def write_settings(file: Path, settings: Mapping[str, str | int]) -> None:
    """Set top-level keys of a TOML file; it is made if it does not exist."""
    if not settings:
        return
    text = file.read_text("utf-8") if file.exists() else ""
    for key, value in settings.items():
        text = with_setting(text, key, value)
    write_atomically(file, text.encode())


def with_setting(text: str, key: str, value: str | int) -> str:
    """Return the TOML text with one top-level key set.

    A line that sets the key is replaced; otherwise a line is added before the first table, because what
    follows a table's heading belongs to the table (TOML 1.0, "Table").
    """
    line = f"{key} = {json.dumps(value)}"
    table = _TABLE.search(text)
    end = table.start() if table else len(text)
    top, rest = text[:end], text[end:]
    old = re.compile(rf"^{re.escape(key)}\s*=.*$", re.MULTILINE)
    if old.search(top):
        return old.sub(lambda _: line, top, count=1) + rest
    if top and not top.endswith("\n"):
        top += "\n"
    return f"{top}{line}\n{rest}"
