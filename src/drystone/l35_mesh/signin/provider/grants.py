"""What the provider has promised: codes, devices that wait, and refresh tokens.

Codes and waiting devices live for minutes and in memory: after a restart somebody signs in once more. Refresh tokens live
for days and in a file, as hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from drystone.l20_trust.keys.compact_form import encode
from drystone.l35_mesh.signin.provider.words import (
    CODE_LIVES,
    DEVICE_LIVES,
    REFRESH_LIVES,
    Refused,
)
from drystone.l35_mesh.signin.records import Document
from drystone.l35_mesh.signin.seals import fingerprint

MOST = 10_000
"""Codes, devices and refresh tokens each; the oldest make room."""

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""Of codes that people type: no vowels, so that they make no words (RFC 8628 section 6.1)."""

T = TypeVar("T")


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for.

    Attributes:
        client: Who asked.
        redirect: Where the answer went.
        challenge: Of PKCE.
        nonce: The client's.
        user: Who signed in.
        scope: What was asked for.
        at: When they signed in.
        until: When the code ends.
    """

    client: str
    redirect: str
    challenge: str
    nonce: str
    user: str
    scope: str
    at: datetime
    until: datetime


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A device that waits for somebody.

    Attributes:
        client: Who asked.
        scope: What was asked for.
        shown: The code that people type.
        until: When it is too late.
        user: Who has confirmed it; empty before.
        refused: Whether somebody said no.
    """

    client: str
    scope: str
    shown: str
    until: datetime
    user: str = ""
    refused: bool = False


class Refreshable(msgspec.Struct, frozen=True, kw_only=True):
    """A line of refresh tokens, of which the newest alone is good.

    Attributes:
        current: Hash of the newest.
        client: Whose.
        user: For whom.
        scope: What was asked for.
        at: When they signed in.
        until: When it ends.
    """

    current: str
    client: str
    user: str
    scope: str
    at: datetime
    until: datetime


class _Lines(msgspec.Struct, frozen=True):
    lines: dict[str, Refreshable] = {}


class Shelf(Generic[T]):
    """Values by secrets, at most so many."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, T] = OrderedDict()

    def put(self, secret: str, value: T) -> None:
        """Keep a value."""
        self._values[fingerprint(secret)] = value
        while len(self._values) > MOST:
            self._values.popitem(last=False)

    def get(self, secret: str) -> T | None:
        """Return a value."""
        return self._values.get(fingerprint(secret))

    def take(self, secret: str) -> T | None:
        """Return a value, once."""
        return self._values.pop(fingerprint(secret), None)


class Codes:
    """Codes that a client exchanges for tokens, once each."""

    def __init__(self) -> None:
        self._given: Shelf[Granted] = Shelf()

    def give(self, granted: Granted) -> str:
        """Return a new code."""
        code = secrets.token_urlsafe(32)
        self._given.put(code, granted)
        return code

    def redeem(
        self, code: str, *, client: str, redirect: str, verifier: str, now: datetime
    ) -> Granted:
        """Return what a code stands for, once.

        Raises:
            Refused: It stands for nothing, for somebody else, or whoever has it did not ask for it.
        """
        granted = self._given.take(code)  # whatever follows: a code is shown once
        if granted is None or now >= granted.until:
            raise Refused("invalid_grant", "the code is not known, was used, or has ended")
        if granted.client != client or granted.redirect != redirect:
            raise Refused("invalid_grant", "the code was given to another client or address")
        said = encode(hashlib.sha256(verifier.encode("utf-8", "replace")).digest()).decode()
        if not 43 <= len(verifier) <= 128 or not hmac.compare_digest(said, granted.challenge):
            raise Refused("invalid_grant", "the code_verifier does not fit the code_challenge")
        return granted


def until_of_code(now: datetime) -> datetime:
    """Return when a code ends that is given now."""
    return now + CODE_LIVES


class Devices:
    """Devices that wait until somebody confirms them in a browser (RFC 8628)."""

    def __init__(self) -> None:
        self._by_secret: Shelf[str] = Shelf()
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    def begin(self, client: str, scope: str, now: datetime) -> tuple[str, str]:
        """Let a device wait; return its secret and the code that people type."""
        while (shown := _code()) in self._waiting:
            pass
        secret = secrets.token_urlsafe(32)
        until = now + DEVICE_LIVES
        self._by_secret.put(secret, shown)
        self._waiting[shown] = Waiting(client=client, scope=scope, shown=shown, until=until)
        while len(self._waiting) > MOST:
            self._waiting.popitem(last=False)
        return secret, shown

    def find(self, shown: str, now: datetime) -> Waiting | None:
        """Return the device that waits with a code, however people wrote it."""
        letters = "".join(letter for letter in shown.upper() if letter in LETTERS)
        found = self._waiting.get(f"{letters[:4]}-{letters[4:]}")
        settled = found is not None and (found.user or found.refused)
        return None if found is None or settled or now >= found.until else found

    def decide(self, waiting: Waiting, user: str | None) -> None:
        """Note that somebody confirmed a device; None when they refused it."""
        self._waiting[waiting.shown] = replace(waiting, user=user or "", refused=user is None)

    def poll(self, secret: str, client: str, now: datetime) -> Waiting:
        """Return a device that somebody has confirmed, once.

        Raises:
            Refused: Nobody has, somebody said no, or it is too late (RFC 8628 section 3.5).
        """
        shown = self._by_secret.get(secret)
        waiting = self._waiting.get(shown) if shown is not None else None
        if waiting is None or waiting.client != client or now >= waiting.until:
            raise Refused("expired_token", "the device code is not known, was used, or has ended")
        if not waiting.user and not waiting.refused:
            raise Refused("authorization_pending", "nobody has confirmed the code yet")
        self._by_secret.take(secret)
        self._waiting.pop(waiting.shown, None)
        if waiting.refused:
            raise Refused("access_denied", "somebody refused it")
        return waiting


def _code() -> str:
    letters = "".join(secrets.choice(LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Refreshing:
    """Refresh tokens: each is good once, and one that comes back ends the whole line (RFC 9700 section 4.14.2).

    Args:
        folder: Where the sign-in keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self._document = Document(folder / "refresh.json", _Lines())

    def begin(self, granted: Granted | Waiting, *, at: datetime, now: datetime) -> str:
        """Begin a line; return its first token."""
        line, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        first = Refreshable(
            current=fingerprint(secret),
            client=granted.client,
            user=granted.user,
            scope=granted.scope,
            at=at,
            until=now + REFRESH_LIVES,
        )
        self._document.change(lambda lines: _Lines(_bounded({**_alive(lines, now), line: first})))
        return f"{line}.{secret}"

    def next(self, token: str, *, client: str, now: datetime) -> tuple[str, Refreshable]:
        """Take a token and return the one that follows it.

        Raises:
            Refused: It is not known, has ended, or came back.
        """
        line, _, secret = token.partition(".")
        following = secrets.token_urlsafe(32)

        def change(lines: _Lines) -> _Lines:
            alive = _alive(lines, now)
            found = alive.pop(line, None)
            if found is None or found.client != client:
                return lines
            if not hmac.compare_digest(found.current, fingerprint(secret)):
                return _Lines(alive)  # somebody has an older one: nobody gets a newer one
            return _Lines({**alive, line: replace(found, current=fingerprint(following))})

        found = self._document.change(change).lines.get(line)
        if found is None or found.current != fingerprint(following):
            raise Refused("invalid_grant", "the refresh token is not known, was used, or has ended")
        return f"{line}.{following}", found

    def end_all(self, user: str) -> None:
        """End every line of somebody."""
        self._document.change(
            lambda lines: _Lines({k: one for k, one in lines.lines.items() if one.user != user})
        )


def _alive(lines: _Lines, now: datetime) -> dict[str, Refreshable]:
    return {key: one for key, one in lines.lines.items() if now < one.until}


def _bounded(lines: dict[str, Refreshable]) -> dict[str, Refreshable]:
    return dict(list(lines.items())[-MOST:])
