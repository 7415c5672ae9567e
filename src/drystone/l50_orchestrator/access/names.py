"""Which names there can be. ASCII alone: a name that looks like another one is another one's."""

from __future__ import annotations

import re
import unicodedata

from drystone.l00_kernel.visible import visible
from drystone.l50_orchestrator.access.errors import NameUnfit

_PERSON = re.compile(r"[a-z][a-z0-9._-]{0,62}")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_RESERVED = frozenset({"all", "anonymous", "platform", "unknown"})

_FORMS = {
    "person": (_PERSON, "small letters, digits and . _ -, at most 63, and begins with a letter"),
    "team": (_NAME, "small letters, digits and -, at most 40, and begins with a letter"),
    "service": (_NAME, "small letters, digits and -, at most 40, and begins with a letter"),
    "environment": (_NAME, "small letters, digits and -, at most 40, and begins with a letter"),
}


def checked(what: str, name: str) -> str:
    """Return a name that can be one.

    Args:
        what: ``person``, ``team``, ``service`` or ``environment``.
        name: As somebody wrote it.

    Raises:
        NameUnfit: It cannot; the message names the first letter that may not be.
    """
    form, words = _FORMS[what]
    foreign = next((c for c in name if not c.isascii()), None)
    if foreign is not None:
        raise NameUnfit(
            f"{visible(name[:80])!r} cannot be the name of a {what}: {_called(foreign)} is no letter of ASCII, and looks like one"
            " or like nothing"
        )
    if not form.fullmatch(name):
        raise NameUnfit(f"{visible(name[:80])!r} cannot be the name of a {what}: it has {words}")
    if name in _RESERVED and what in {"person", "team"}:
        raise NameUnfit(f"{name} means something else already; choose another name")
    return name


def _called(letter: str) -> str:
    return f"U+{ord(letter):04X} ({unicodedata.name(letter, 'no name').lower()})"
