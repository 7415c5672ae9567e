"""Text of others that a terminal shows and never obeys.

A service, a client or a descriptor may hold control sequences that repaint the screen of whoever reads about it, or
hide text from them. Everything that a terminal would act upon (C0 and C1 controls of ECMA-48, the overrides of the
Unicode bidirectional algorithm, line separators) is shown as an escape, except the tab.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def visible(text: str) -> str:
    r"""Return one line that is safe to show: what is unsafe appears as ``\xNN`` or ``\uNNNN``."""
    return _UNSAFE.sub(_escape, text)


def visible_json(document: str) -> str:
    r"""Return a JSON document that says the same and is safe to show.

    JSON itself escapes the C0 controls alone (RFC 8259, section 7); a terminal obeys others too. All of them can
    only stand in strings, apart from line breaks between the tokens, which stay.
    """
    lines = document.split("\n")
    return "\n".join(_UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", x) for x in lines)


def _escape(found: re.Match[str]) -> str:
    number = ord(found.group())
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
