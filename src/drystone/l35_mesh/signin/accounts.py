"""Accounts of the embedded provider and tokens of builds, for whoever owns the home; works whether the platform runs or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from drystone.l35_mesh.signin.builds import BuildToken, BuildTokens
from drystone.l35_mesh.signin.provider.grants import Refreshing
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.sessions import Sessions
from drystone.l35_mesh.signin.users import User, Users

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home

__all__ = ["Account", "Accounts", "BuildToken"]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One of the people, as they are shown.

    Attributes:
        name: By which they sign in.
        groups: What they are in.
        email: Their address; empty where they have none.
        sessions: In how many browsers and command lines they are signed in.
    """

    name: str
    groups: tuple[str, ...]
    email: str
    sessions: int


class Accounts:
    """Changes accounts and tokens.

    Args:
        home: Whose.
        clock: The time.
    """

    def __init__(self, home: Home, clock: Clock) -> None:
        folder = folder_of(home)
        self._users = Users(folder)
        self._sessions = Sessions(folder)
        self._refreshing = Refreshing(folder)
        self._tokens = BuildTokens(folder)
        self._clock = clock

    def users(self) -> list[Account]:
        """Return everybody, by name."""
        signed_in = [
            one.user for one in self._sessions.all(self._clock.now()) if one.kind != "provider"
        ]
        return [self._shown(user, signed_in.count(user.name)) for user in self._users.all()]

    def add(
        self, name: str, password: str, *, groups: Sequence[str] = (), email: str = ""
    ) -> Account:
        """Add somebody.

        Raises:
            NameUnfit: The name, a group or the address cannot be.
            PasswordUnfit: The password is too short or too long.
            UserThere: There is one of this name.
        """
        user = self._users.add(name, password, groups=groups, email=email, now=self._clock.now())
        return self._shown(user, 0)

    def set_password(self, name: str, password: str) -> int:
        """Change somebody's password, and sign them out everywhere; return in how many places.

        Raises:
            UserNotFound: There is nobody of this name.
            PasswordUnfit: The password is too short or too long.
        """
        self._users.set_password(name, password, now=self._clock.now())
        return self._sign_out(name)

    def set_groups(self, name: str, groups: Sequence[str]) -> int:
        """Put somebody into these groups alone, and sign them out everywhere; return in how many places.

        Raises:
            UserNotFound: There is nobody of this name.
            NameUnfit: A group cannot be called so.
        """
        self._users.set_groups(name, groups)
        return self._sign_out(name)

    def remove(self, name: str) -> int:
        """Remove somebody, and sign them out everywhere; return in how many places.

        Raises:
            UserNotFound: There is nobody of this name.
        """
        self._users.remove(name)
        return self._sign_out(name)

    def issue(self, build: str, lifetime: timedelta) -> tuple[str, BuildToken]:
        """Issue a token to a build; it is shown once.

        Raises:
            NameUnfit: The build's name or the lifetime cannot be.
        """
        return self._tokens.issue(build, lifetime, self._clock.now())

    def tokens(self) -> list[BuildToken]:
        """Return the tokens that have not ended."""
        return self._tokens.all(self._clock.now())

    def revoke(self, id_: str) -> BuildToken:
        """Revoke a token.

        Raises:
            BuildTokenNotFound: There is none of this id.
        """
        return self._tokens.revoke(id_)

    def _sign_out(self, name: str) -> int:
        self._refreshing.end_all(name)
        return self._sessions.end_all(name)

    @staticmethod
    def _shown(user: User, sessions: int) -> Account:
        return Account(name=user.name, groups=user.groups, email=user.email, sessions=sessions)
