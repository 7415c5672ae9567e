"""What an unquoted scalar stands for."""

from __future__ import annotations

import re

_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_BOOLEAN = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}(?:[eE][-+]?[0-9]{1,2})?")


def resolve(text: str) -> str | int | float | bool | None:
    """Give an unquoted scalar its value by the core schema of YAML 1.2, without octal and hexadecimal numbers."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if text[0] in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text
