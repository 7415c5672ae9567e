"""A descriptor in the making, and what an import gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import render
from drystone.l00_kernel.yaml_text.reader import read_documents
from drystone.l00_kernel.yaml_text.subject import Dialect, Subject
from drystone.l25_deployer.descriptor.reading import read
from drystone.l25_deployer.exchange.errors import ImportRefused
from drystone.l25_deployer.exchange.remarks import Remark, Remarks
from drystone.l25_deployer.exchange.writing import dump

MOST_BYTES = 2 * 1024 * 1024
_MOST_VALUES = 100_000
_ABOUT_SECRETS = re.compile(
    r"passw|passphrase|secret|token|credential|private_?key|api_?key|access_?key|signing_?key"
    r"|encryption_?key|(?:^|_)(?:pass|pwd|passwd)$",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_ORDER = (
    *(
        "schema",
        "service",
        "description",
        "owner",
        "tier",
        "data",
        "tags",
        "links",
        "image",
        "process",
    ),
    *("static", "command", "port", "health", "deepcheck", "size", "scale", "stop", "workers"),
    *("sidecars", "env", "secrets", "resources", "dependencies", "network", "proxy", "schedules"),
    *("alarms", "deploy", "environments"),
)

Files = Callable[[str], bytes | None]
"""Gives the content of a file beside the source by its relative path; None when there is none that may be read."""


class Draft(msgspec.Struct, frozen=True):
    """The descriptor of one service.

    Attributes:
        service: Its name.
        text: The descriptor.
    """

    service: str
    text: str


class Imported(msgspec.Struct, frozen=True):
    """What an import gives.

    Attributes:
        drafts: Descriptors, in the order of the source.
        remarks: What has no counterpart, what was guessed, and what is left to do.
    """

    drafts: tuple[Draft, ...]
    remarks: tuple[Remark, ...]


class Making:
    """A descriptor in the making.

    Attributes:
        service: The service's name.
        keys: What is known so far.
    """

    def __init__(self, service: str, owner: str) -> None:
        self.service = service
        self.keys: dict[str, Any] = {"schema": 1, "service": service, "owner": owner}

    def put(self, value: object, *path: str) -> None:
        """Set a key; mappings on the way are made."""
        at = self.keys
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = value

    def add_secret(self, name: str) -> str:
        """Name a secret; return how it is referred to."""
        secrets = self.keys.setdefault("secrets", [])
        if name not in secrets:
            secrets.append(name)
        return f"${{secrets.{name}}}"

    def draft(self, remarks: Remarks, said: str) -> Draft:
        """Write it; a mistake that is left is told, with what to do."""
        ordered = {key: self.keys[key] for key in _ORDER if key in self.keys}
        text = dump(ordered, said)
        for problem in read(text, file=f"{self.service}/service.yaml").problems:
            remarks.todo(
                None,
                ("descriptor", self.service, str(problem.line)),
                f"the descriptor has a mistake: {problem.message}",
                problem.help or "write it by hand",
            )
        return Draft(self.service, text)


def document_of(content: bytes, file: str, what: str) -> tree.Mapping:
    """Read a foreign file.

    Raises:
        ImportRefused: It is no YAML, is too large, or is no mapping.
    """
    subject = Subject(
        name=what,
        begin="is this the right file?",
        too_large="import a part of it",
        most_bytes=MOST_BYTES,
        most_values=_MOST_VALUES,
    )
    found = read_documents(content, file, subject, Dialect(any_key=True))
    if found.problems or len(found.roots) != 1 or not isinstance(found.roots[0], tree.Mapping):
        shown = "\n\n".join(
            render(one, content.decode("utf-8", "replace")[:MOST_BYTES])
            for one in found.problems[:20]
        )
        why = f"\n\n{shown}" if shown else f"; a {what} is one mapping"
        raise ImportRefused(f"{file} is no {what} that can be read{why}", file=file)
    return found.roots[0]


def named(text: str, taken: Sequence[str] | Mapping[str, object] = ()) -> str:
    """Make a name that a service or a resource can have, as near as possible, that is not taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    if not plain[:1].isalpha():
        plain = f"s-{plain}"[:40].strip("-")
    found, number = plain, 2
    while found in taken:
        found = f"{plain[: 39 - len(str(number))]}-{number}"
        number += 1
    return found


def variable(text: str) -> str:
    """Make a name that a variable can have."""
    found = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return found if found[:1].isalpha() or found[:1] == "_" else f"_{found}"


def is_secret(name: str, value: str) -> bool:
    """Tell whether a variable holds a secret, by its name or by credentials in an address."""
    return bool(value) and bool(_ABOUT_SECRETS.search(name) or _CREDENTIALS.search(value))


def escaped(text: str) -> str:
    """Write a text of others, so that nothing in it is a reference."""
    return text.replace("${", "$${")
