"""Names of hosts inside configuration: variables, arguments, files.

A value may hold a secret, so nothing but a name that is known leaves this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL}){{0,10}}"
_PLACED = re.compile(
    rf"(?:(?://|@)(?P<behind>{_NAME})(?![\w@.-]|:[^/\s]*@))|(?:(?<![\w@.:/-])(?P<before>{_NAME}):\d{{1,5}}(?!\w))",
    re.IGNORECASE,
)
_WHOLE = re.compile(rf"{_NAME}\.?", re.IGNORECASE)
_WORD = re.compile(rf"(?<![\w.@/-]){_NAME}(?![\w@-])", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*:?-([^${}]*)\}")
_ABOUT_HOSTS = (
    *("host", "addr", "url", "uri", "dsn", "server", "service", "endpoint", "broker", "upstream"),
    *("backend", "proxy", "peer", "node", "seed", "connect", "target", "bootstrap"),
)
_ABOUT_NAMES = ("name", "user", "username", "db", "database", "table", "schema", "label", "id")
_ABOUT_SECRETS = ("pass", "secret", "token", "key", "credential", "pwd", "auth")
MOST_TEXT = 1_000_000
"""Longer texts are no configuration."""


def placed(value: str) -> Iterator[str]:
    """Return what stands in a value where a host stands: behind ``//`` or ``@``, or before ``:5432``."""
    for found in _PLACED.finditer(_plain(value)):
        yield (found["behind"] or found["before"]).lower()


def whole(value: str) -> Iterator[str]:
    """Return the parts of a value, divided by commas, semicolons or spaces, that could be names of hosts."""
    for part in re.split(r"[,;\s]+", _plain(value)):
        if _WHOLE.fullmatch(part):
            yield part.rstrip(".").lower()


def mentioned(value: str) -> Iterator[str]:
    """Return every word of a command that could be the name of a host."""
    for found in _WORD.finditer(_plain(value)):
        yield found[0].lower()


def registry_of(image: str) -> str:
    """Return the host that an image comes from, without its port; empty when the image names none."""
    host, slash, _ = image.strip().lower().partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    name = host.partition(":")[0]
    return name if is_host and _WHOLE.fullmatch(name) else ""


def is_about_hosts(name: str) -> bool:
    """Whether a variable or option is called as those are that hold a host: ``DB_HOST``, ``--upstream``."""
    plain = name.lower()
    if plain.replace("-", "_").rpartition("_")[2] in _ABOUT_NAMES:
        return False
    return any(word in plain for word in _ABOUT_HOSTS)


def is_about_secrets(name: str) -> bool:
    """Whether a variable or option is called as those are that hold a secret; of its value not even a guess is told."""
    return any(word in name.lower() for word in _ABOUT_SECRETS)


def _plain(value: str) -> str:
    """Put defaults in place of variables: ``${HOST:-db}`` is ``db``."""
    return _VARIABLE.sub(r"\1", value[:MOST_TEXT])
