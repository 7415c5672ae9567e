"""Builds: tokens that were issued to them, and providers whose tokens are trusted.

Neither goes to a service. A build shows one here and gets a token of minutes for one service, which the proxies verify like
that of a person; so an issued token is known to nobody but its build, and one that is revoked is worth nothing within
minutes, without a call for each request.
"""

from __future__ import annotations

import fnmatch
import re
import secrets
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from typing_extensions import override

from drystone.l35_mesh.signin.errors import BuildsMistaken, BuildTokenNotFound, NameUnfit
from drystone.l35_mesh.signin.records import Document
from drystone.l35_mesh.signin.seals import fingerprint

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
PREFIX = "dsb_"
"""Of every issued token, so that scanners of repositories find one that was published."""
LONGEST_LIFETIME = timedelta(days=366)


class BuildToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was issued.

    Attributes:
        id: By which it is revoked.
        build: Whose.
        kept: Hash of it.
        made: When.
        until: When it ends.
    """

    id: str
    build: str
    kept: str
    made: datetime
    until: datetime


class _Issued(msgspec.Struct, frozen=True):
    tokens: dict[str, BuildToken] = {}


class BuildTokens:
    """The tokens that were issued to builds.

    Args:
        folder: Where the sign-in keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        self._document = Document(folder / "builds.json", _Issued())

    def issue(self, build: str, lifetime: timedelta, now: datetime) -> tuple[str, BuildToken]:
        """Issue a token; it is shown once and kept nowhere.

        Raises:
            NameUnfit: The build's name or the lifetime cannot be.
        """
        if not NAME.fullmatch(build):
            raise NameUnfit(
                f"{build[:80]!r} cannot be a build's name: use letters, digits and . _ / -, at most 100"
            )
        if not timedelta() < lifetime <= LONGEST_LIFETIME:
            raise NameUnfit(f"a token lives for at most {LONGEST_LIFETIME.days} days")
        secret = secrets.token_urlsafe(32)
        token = BuildToken(
            id=secrets.token_hex(6),
            build=build,
            kept=fingerprint(PREFIX + secret),
            made=now,
            until=now + lifetime,
        )

        def change(issued: _Issued) -> _Issued:
            alive = {key: one for key, one in issued.tokens.items() if now < one.until}
            return _Issued({**alive, token.kept: token})

        self._document.change(change)
        return PREFIX + secret, token

    def find(self, secret: str, now: datetime) -> BuildToken | None:
        """Return the token of a secret; None where there is none, or it has ended."""
        found = self._document.read().tokens.get(fingerprint(secret))
        return found if found is not None and now < found.until else None

    def all(self, now: datetime) -> list[BuildToken]:
        """Return those that have not ended, oldest first."""
        alive = [one for one in self._document.read().tokens.values() if now < one.until]
        return sorted(alive, key=lambda one: one.made)

    def revoke(self, id_: str) -> BuildToken:
        """Revoke a token; what was made from it ends within minutes.

        Raises:
            BuildTokenNotFound: There is none of this id.
        """
        gone: list[BuildToken] = []

        def change(issued: _Issued) -> _Issued:
            gone.extend(one for one in issued.tokens.values() if one.id == id_)
            return _Issued({key: one for key, one in issued.tokens.items() if one.id != id_})

        self._document.change(change)
        if not gone:
            raise BuildTokenNotFound(
                f"there is no token {id_[:40]!r}; `drystone tokens list` shows those that there are"
            )
        return gone[0]


class TrustedBuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose tokens of which provider are taken for a build's.

    Attributes:
        name: Of the build.
        issuer: The provider's address.
        audience: For whom it makes the token: a name of this platform.
        claims: What the token must say; ``*`` in a value stands for any characters but ``/``.
    """

    name: str
    issuer: str
    audience: str
    claims: dict[str, str]

    @override
    def __repr__(self) -> str:
        return f"TrustedBuild({self.name!r}, {self.issuer!r})"

    def fits(self, claims: dict[str, Any]) -> bool:
        """Tell whether a token says what it must."""
        return all(_fits(pattern, claims.get(key)) for key, pattern in self.claims.items())


def _fits(pattern: str, said: Any) -> bool:
    if isinstance(said, bool):
        said = "true" if said else "false"
    if not isinstance(said, str):
        return False
    parts, values = pattern.split("/"), said.split("/")
    return len(parts) == len(values) and all(
        fnmatch.fnmatchcase(value, _literally(part))
        for part, value in zip(parts, values, strict=True)
    )


def _literally(part: str) -> str:
    """Leave the asterisk its meaning alone."""
    return part.replace("[", "[[]").replace("?", "[?]")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    build: tuple[TrustedBuild, ...] = ()


def read_trusted(path: Path | None) -> tuple[TrustedBuild, ...]:
    """Read which builds of which providers are trusted.

    Args:
        path: Of the file; nothing is trusted when None.

    Raises:
        BuildsMistaken: It cannot be read, or has mistakes.
    """
    if path is None:
        return ()
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File).build
    except OSError as e:
        raise BuildsMistaken(f"{path} cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as e:
        raise BuildsMistaken(f"{path}: {e}") from e
    for one in found:
        if not NAME.fullmatch(one.name):
            raise BuildsMistaken(f"{path}: {one.name[:80]!r} cannot be a build's name")
        if not one.issuer.startswith("https://") and not is_of_this_machine(one.issuer):
            raise BuildsMistaken(f"{path}: {one.name}: the issuer must be an https address")
        if not one.claims or not any(set(value) - set("*/") for value in one.claims.values()):
            raise BuildsMistaken(
                f"{path}: {one.name}: say in claims what its tokens must hold, such as the repository; the"
                " tokens of all customers of a provider have the same issuer"
            )
    return found


def is_of_this_machine(address: str) -> bool:
    """Tell whether an address without TLS leads to this machine."""
    return (
        re.fullmatch(
            r"http://(localhost|127\.0\.0\.1|\[::1\]|[a-z0-9.-]+\.localhost)(:\d+)?(/.*)?", address
        )
        is not None
    )
