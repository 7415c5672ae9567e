"""Who is in front of the page, as far as somebody has proven it."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import msgspec
from typing_extensions import override


class Person(msgspec.Struct, frozen=True):
    """Somebody who is signed in.

    Attributes:
        name: Who.
        session: Public name of the session.
        groups: What they are in, as their provider says.
    """

    name: str
    session: str
    groups: tuple[str, ...] = ()


class People(abc.ABC):
    """Knows people by what their browser sends.

    Attributes:
        address: Where somebody signs in who looks at the page by another name, without a slash at the end; empty where nobody can.
        host: The name by which the page answers those who are signed in, without a port; empty where there is none.
    """

    address: str
    host: str

    @abc.abstractmethod
    def proven(self, headers: Mapping[str, str]) -> Person | None:
        """Return who sent a request; None where nobody has proven it.

        Args:
            headers: Of the request, names in lower case. Nothing is believed of them but what is signed.
        """

    @abc.abstractmethod
    def mark(self, person: Person) -> str:
        """Return what a form of the page holds, so that no other page can send it for this session."""

    @abc.abstractmethod
    def is_marked(self, person: Person, mark: str) -> bool:
        """Tell whether a form was made for this session. It takes the same time whatever is wrong."""


class Nobody(People):
    """Nobody is known, so that nothing can be changed."""

    address: str = ""
    host: str = ""

    @override
    def proven(self, headers: Mapping[str, str]) -> Person | None:
        return None

    @override
    def mark(self, person: Person) -> str:
        return ""

    @override
    def is_marked(self, person: Person, mark: str) -> bool:
        return False
