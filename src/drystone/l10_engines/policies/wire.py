"""What the evaluator and its process say to each other: JSON documents, each with its length before it."""

from __future__ import annotations

import struct

import msgspec

LENGTH = struct.Struct(">I")
MOST = 64 << 20

TOO_LARGE = 3
"""How the process ends when it uses more memory than it may."""


class Loaded(msgspec.Struct, frozen=True):
    """A policy as the process is given it.

    Attributes:
        name: Of the policy.
        package: The last part of its package.
        text: The Rego.
        rules: Those by which it answers.
    """

    name: str
    package: str
    text: str
    rules: tuple[str, ...]


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Compile these, and keep them under this name in place of the set that was asked for longest ago."""

    set: str
    policies: tuple[Loaded, ...]


class Judge(msgspec.Struct, frozen=True, tag="judge"):
    """Evaluate policies of a set over one document, and say what each finds as soon as it has."""

    set: str
    names: tuple[str, ...]
    document: msgspec.Raw


class Compiled(msgspec.Struct, frozen=True, tag="compiled"):
    """What compiling found.

    Attributes:
        problems: By policy, line (0 where it is not known) and sentence of each mistake.
    """

    problems: dict[str, list[tuple[int, str]]]


class Found(msgspec.Struct, frozen=True, tag="found"):
    """What one policy answers.

    Attributes:
        rules: By rule, what it holds.
        problem: Why it has none; empty when it has.
    """

    name: str
    rules: dict[str, msgspec.Raw] = {}
    problem: str = ""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Every policy that was asked has answered.

    Attributes:
        is_known: Whether the set was loaded; nothing was evaluated when it was not.
    """

    is_known: bool = True


def framed(message: msgspec.Struct) -> bytes:
    """Write one message."""
    body = msgspec.json.encode(message)
    return LENGTH.pack(len(body)) + body
