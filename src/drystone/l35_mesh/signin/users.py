"""People of the embedded provider: a file of the home, changed by ``drystone users``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace
from typing_extensions import override

from drystone.l35_mesh.signin.errors import NameUnfit, UserNotFound, UserThere
from drystone.l35_mesh.signin.records import Document

NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}")
GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,126}")
"""Of a group; without a comma, which separates them in the header that services get."""
MOST_GROUPS = 100


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the people.

    Attributes:
        name: By which they sign in.
        groups: What they are in.
        email: Their address, where they have one.
        changed: When the password last changed.
        password: Hash of the password.
    """

    name: str
    groups: tuple[str, ...] = ()
    email: str = ""
    changed: datetime
    password: str

    @override
    def __repr__(self) -> str:
        return f"User({self.name!r}, groups={self.groups!r})"


class _People(msgspec.Struct, frozen=True):
    users: dict[str, User] = {}


class Users:
    """The people whom the embedded provider knows.

    Args:
        folder: Where the sign-in keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self._document = Document(folder / "users.json", _People())

    def all(self) -> list[User]:
        """Return everybody, by name."""
        return sorted(self._document.read().users.values(), key=lambda user: user.name)

    def get(self, name: str) -> User | None:
        """Return one of them; None where there is none of this name."""
        return self._document.read().users.get(name)

    def add(
        self,
        name: str,
        password: str,
        *,
        groups: Sequence[str] = (),
        email: str = "",
        now: datetime,
    ) -> User:
        """Add somebody.

        Raises:
            NameUnfit: The name, a group or the address cannot be.
            PasswordUnfit: See :func:`~drystone.l35_mesh.signin.passwords.hashed`.
            UserThere: There is one of this name.
        """
        from drystone.l35_mesh.signin import passwords  # noqa: PLC0415 - loads cryptography

        if not NAME.fullmatch(name):
            raise NameUnfit(
                f"{name[:80]!r} cannot be a user's name: use lower-case letters, digits and . _ -,"
                " starting with a letter, at most 63"
            )
        _check(groups, email)
        user = User(
            name=name,
            groups=tuple(sorted(set(groups))),
            email=email,
            changed=now,
            password=passwords.hashed(password),
        )

        def change(people: _People) -> _People:
            if name in people.users:
                raise UserThere(
                    f"there is a user {name} already; `drystone users passwd {name}` changes the password"
                )
            return _People({**people.users, name: user})

        self._document.change(change)
        return user

    def set_password(self, name: str, password: str, *, now: datetime) -> User:
        """Change somebody's password.

        Raises:
            UserNotFound: There is nobody of this name.
            PasswordUnfit: See :func:`~drystone.l35_mesh.signin.passwords.hashed`.
        """
        from drystone.l35_mesh.signin import passwords  # noqa: PLC0415 - loads cryptography

        kept = passwords.hashed(password)
        return self._alter(name, lambda user: replace(user, password=kept, changed=now))

    def set_groups(self, name: str, groups: Sequence[str]) -> User:
        """Put somebody into these groups, and into no other.

        Raises:
            UserNotFound: There is nobody of this name.
            NameUnfit: A group cannot be called so.
        """
        _check(groups, "")
        return self._alter(name, lambda user: replace(user, groups=tuple(sorted(set(groups)))))

    def remove(self, name: str) -> None:
        """Remove somebody.

        Raises:
            UserNotFound: There is nobody of this name.
        """

        def change(people: _People) -> _People:
            _require(people, name)
            return _People({key: user for key, user in people.users.items() if key != name})

        self._document.change(change)

    def _alter(self, name: str, by: Callable[[User], User]) -> User:
        def change(people: _People) -> _People:
            return _People({**people.users, name: by(_require(people, name))})

        return self._document.change(change).users[name]


def _require(people: _People, name: str) -> User:
    if name not in people.users:
        raise UserNotFound(
            f"there is no user {name[:80]!r}; `drystone users list` shows who there is"
        )
    return people.users[name]


def _check(groups: Sequence[str], email: str) -> None:
    for group in groups:
        if not GROUP.fullmatch(group):
            raise NameUnfit(
                f"{group[:80]!r} cannot be a group: use letters, digits, blanks and . _ : / @ + -, at most 127"
            )
    if len(groups) > MOST_GROUPS:
        raise NameUnfit(f"a user is in at most {MOST_GROUPS} groups, not {len(groups)}")
    if email and not re.fullmatch(r"[^\s@<>,]{1,64}@[^\s@<>,]{1,190}", email):
        raise NameUnfit(f"{email[:80]!r} is no address of e-mail")
