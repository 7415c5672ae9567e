"""Writing texts so that every reader of YAML, of version 1.1 too, reads the same."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"(?:--?)?[A-Za-z_/](?:[\w./ @%+-]*[\w./%+-])?", re.ASCII)
_TAKEN = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n"])
"""Words that stand for something else in one version or another."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def write_text(text: str) -> str:
    """Write a text as a scalar: as it is where that is safe, between quotes otherwise."""
    if _PLAIN.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    return f'"{"".join(map(_character, text))}"'


def _character(one: str) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable():
        return one
    code = ord(one)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
