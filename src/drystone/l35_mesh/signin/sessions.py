"""Who is signed in: one file for each session, named by a hash of the secret that the person's browser has.

A session lasts for some hours and can be ended at any moment by taking its file away. What the proxies accept is made from
it and lives for minutes, so what was ended is refused everywhere within that time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.ownership import make_private
from drystone.l35_mesh.signin.errors import SessionOver
from drystone.l35_mesh.signin.records import locked
from drystone.l35_mesh.signin.seals import fingerprint

MOST_PER_USER = 50
LONGEST_SECRET = 200


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person in one browser, or at one command line.

    Attributes:
        id: Public name of the session.
        user: Who.
        groups: What they are in, as the provider said when they signed in.
        issuer: Which provider said so.
        kind: Where they signed in.
        begun: When.
        until: When it ends by itself.
        browser: Recognises the browser: a session that turns up in another one is ended.
        hint: The provider's own token, for the sign-out there.
    """

    id: str
    user: str
    groups: tuple[str, ...] = ()
    issuer: str
    kind: Literal["browser", "command line", "provider"]
    begun: datetime
    until: datetime
    browser: str = ""
    hint: str = ""

    @override
    def __repr__(self) -> str:
        return f"Session({self.id!r}, {self.user!r}, {self.kind!r})"


class Sessions:
    """The sessions of one home.

    Args:
        folder: Where the sign-in keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sessions"

    def begin(
        self,
        user: str,
        *,
        groups: tuple[str, ...],
        issuer: str,
        kind: Literal["browser", "command line", "provider"],
        now: datetime,
        lifetime: timedelta,
        browser: str = "",
        hint: str = "",
    ) -> tuple[str, Session]:
        """Begin a session; its secret is new, whatever the browser had before.

        Returns:
            The secret, which is kept nowhere, and the session.
        """
        secret = secrets.token_urlsafe(32)
        name = fingerprint(secret)
        session = Session(
            id=name[:24],
            user=user,
            groups=groups,
            issuer=issuer,
            kind=kind,
            begun=now,
            until=now + lifetime,
            browser=fingerprint(browser) if browser else "",
            hint=hint,
        )
        make_private(self._folder.parent)
        with locked(self._folder):
            self._sweep(user, now)
            write_atomically(self._folder / f"{name}.json", msgspec.json.encode(session))
        return secret, session

    def find(self, secret: str, now: datetime, *, browser: str = "") -> Session:
        """Return the session of a secret.

        Args:
            secret: As the browser sent it.
            now: The time.
            browser: What the browser says it is.

        Raises:
            SessionOver: There is none, it has ended, or another browser has it, which ends it.
        """
        if not secret or len(secret) > LONGEST_SECRET:
            raise SessionOver
        path = self._folder / f"{fingerprint(secret)}.json"
        session = _read(path)
        if session is None or now >= session.until:
            raise SessionOver
        if session.browser and session.browser != fingerprint(browser):
            path.unlink(missing_ok=True)
            raise SessionOver
        return session

    def named(self, name: str, now: datetime) -> Session | None:
        """Return the session of this public name; None where it has ended.

        Args:
            name: As this module gave it; nobody else may choose it.
            now: The time.
        """
        found = (_read(path) for path in self._folder.glob(f"{name}*.json"))
        return next((one for one in found if one and one.id == name and now < one.until), None)

    def end(self, secret: str) -> None:
        """End the session of a secret. Idempotent."""
        if secret and len(secret) <= LONGEST_SECRET:
            (self._folder / f"{fingerprint(secret)}.json").unlink(missing_ok=True)

    def end_all(self, user: str) -> int:
        """End every session of somebody; return how many there were."""
        ended = 0
        for path, session in self._all():
            if session.user == user:
                path.unlink(missing_ok=True)
                ended += 1
        return ended

    def all(self, now: datetime) -> list[Session]:
        """Return the sessions that have not ended, newest first."""
        alive = [session for _, session in self._all() if now < session.until]
        return sorted(alive, key=lambda session: session.begun, reverse=True)

    def _all(self) -> Iterator[tuple[Path, Session]]:
        for path in self._folder.glob("*.json"):
            session = _read(path)
            if session is not None:
                yield path, session

    def _sweep(self, user: str, now: datetime) -> None:
        """Remove what has ended, and the oldest of somebody who has too many."""
        theirs = []
        for path, session in self._all():
            if now >= session.until:
                path.unlink(missing_ok=True)
            elif session.user == user:
                theirs.append((session.begun, path))
        for _, path in sorted(theirs)[: max(0, len(theirs) - MOST_PER_USER + 1)]:
            path.unlink(missing_ok=True)


def _read(path: Path) -> Session | None:
    """Return a session; a file that is damaged is none, and its owner signs in again."""
    content = read_if_exists(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Session)
    except (msgspec.MsgspecError, ValueError):
        return None
