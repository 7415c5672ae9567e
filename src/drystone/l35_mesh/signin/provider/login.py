"""Whether somebody is who they say: a name and a password, tried slowly and not often."""

from __future__ import annotations

import asyncio
import functools

from drystone.l35_mesh.signin import passwords
from drystone.l35_mesh.signin.attempts import Attempts
from drystone.l35_mesh.signin.errors import SignInRefused
from drystone.l35_mesh.signin.users import User, Users

AT_ONCE = 2
"""Passwords that are checked at the same time: each takes 64 MiB and a tenth of a second."""

MOST_WAITING = 64
"""Who comes beyond that is sent away."""


class Login:
    """Checks passwords.

    Args:
        users: Whom there is.
        attempts: Counts failures.
    """

    def __init__(self, users: Users, attempts: Attempts) -> None:
        self._users = users
        self._attempts = attempts
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def check(self, name: str, password: str, client: str) -> User:
        """Return who has this name and password.

        An unknown name is answered in the same words and after the same work as a wrong password.

        Raises:
            SignInRefused: Nobody has.
            TooManyAttempts: Too many were wrong.
        """
        self._attempts.require(name, client)
        if self._waiting >= MOST_WAITING:
            raise SignInRefused("Too many people sign in at this moment; try again.")
        self._waiting += 1
        try:
            async with self._places:
                self._attempts.require(name, client)  # others may have failed while this one waited
                user = self._users.get(name)
                # Made for everybody: the first unknown name of a process would take longer than others.
                spare = await asyncio.to_thread(_nobody)
                kept = spare if user is None else user.password
                is_right = await asyncio.to_thread(passwords.matches, password, kept)
        finally:
            self._waiting -= 1
        if user is None or not is_right:
            self._attempts.failed(name, client)
            raise SignInRefused("The name or the password is wrong.")
        self._attempts.succeeded(name, client)
        return user


@functools.cache
def _nobody() -> str:
    return passwords.nobodys()
