"""A small service with every kind of call."""

from __future__ import annotations

import abc
import asyncio
import enum
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, Page, call, make_cursor, read_cursor
from drystone.l00_kernel.errors import Conflict, NotFound


class SecretNotFound(NotFound):
    """No secret lives at that path."""


class StaleVersion(Conflict):
    """Someone wrote a newer version first."""

    def __init__(self, path: str, *, newest: int) -> None:
        super().__init__(f"{path} is at version {newest}", path=path, newest=str(newest))


class Kind(enum.Enum):
    """What a secret is for."""

    PASSWORD = "password"
    KEY = "key"


class Label(msgspec.Struct, frozen=True):
    """A word about a secret."""

    name: str
    weight: float = 1.0


class Secret(msgspec.Struct, frozen=True):
    """One version of a secret."""

    path: str
    version: int
    value: str
    kind: Kind = Kind.PASSWORD
    labels: tuple[Label, ...] = ()
    expires: datetime | None = None


class Everything(msgspec.Struct, frozen=True):
    """One value of each form that can stand in a query."""

    text: str
    number: int
    share: float
    sure: bool
    kind: Kind | None
    moment: datetime | None
    wait: timedelta
    labels: list[Label]
    counts: dict[str, int]


class SecretsApi(Api):
    """Versioned values."""

    name: ClassVar[str] = "secrets"
    errors = (SecretNotFound, StaleVersion)

    @call("GET", "/v1/secrets/{path}")
    @abc.abstractmethod
    async def read(self, ctx: Context, *, path: str) -> Secret:
        """Return the newest version."""

    @call("PUT", "/v1/secrets/{path}")
    @abc.abstractmethod
    async def set(self, ctx: Context, *, path: str, secret: Secret) -> Secret:
        """Make a secret be this one."""

    @call("POST", "/v1/secrets/{path}/versions")
    @abc.abstractmethod
    async def write(
        self,
        ctx: Context,
        *,
        path: str,
        value: str,
        expect: int | None = None,
        labels: list[Label] = [],  # noqa: B006 - msgspec gives each call its own
    ) -> Secret:
        """Add a version."""

    @call("DELETE", "/v1/secrets/{path}")
    @abc.abstractmethod
    async def remove(self, ctx: Context, *, path: str) -> None:
        """See to it that there is no such secret."""

    @call("GET", "/v1/secrets")
    @abc.abstractmethod
    async def browse(
        self, ctx: Context, *, cursor: str | None = None, limit: int = 2
    ) -> Page[Secret]:
        """List secrets by path."""

    @call("GET", "/v1/secrets/{path}/watch")
    @abc.abstractmethod
    def watch(self, ctx: Context, *, path: str, since: int = 0) -> AsyncIterator[Secret]:
        """Stream versions, past and to come, until the secret is removed."""

    @call("POST", "/v1/secrets/{path}/rotations")
    @abc.abstractmethod
    def rotate(self, ctx: Context, *, path: str, times: int) -> AsyncIterator[Secret]:
        """Write new versions, one after the other."""

    @call("GET", "/v1/watchers")
    @abc.abstractmethod
    async def watchers(self, ctx: Context) -> int:
        """Tell how many streams are open."""

    @call("GET", "/v1/everything")
    @abc.abstractmethod
    async def everything(
        self,
        ctx: Context,
        *,
        text: str,
        number: int,
        share: float,
        sure: bool = False,
        kind: Kind | None = None,
        moment: datetime | None = None,
        wait: timedelta = timedelta(seconds=1),
        labels: list[Label],
        counts: dict[str, int] | None = None,
    ) -> Everything:
        """Return what was given."""

    @call("GET", "/v1/callers/me")
    @abc.abstractmethod
    async def whoami(self, ctx: Context) -> str:
        """Return the caller's name and roles."""

    @call("GET", "/v1/callers/{number}")
    @abc.abstractmethod
    async def caller(self, ctx: Context, *, number: int) -> int:
        """Return the number."""

    @call("GET", "/v1/slow")
    @abc.abstractmethod
    async def slow(self, ctx: Context) -> bool:
        """Never answer."""

    @call("GET", "/v1/slow/stopped")
    @abc.abstractmethod
    async def stopped(self, ctx: Context) -> int:
        """Tell how many slow calls were cancelled."""

    @call("POST", "/v1/broken")
    @abc.abstractmethod
    async def broken(self, ctx: Context) -> None:
        """Fail in a way that nobody foresaw."""


class Secrets(SecretsApi):
    """Keeps secrets in memory."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Secret]] = {}
        self.open = 0
        self.cancelled = 0
        self._news = asyncio.Event()

    @override
    async def read(self, ctx: Context, *, path: str) -> Secret:
        try:
            return self.versions[path][-1]
        except KeyError:
            raise SecretNotFound(f"no secret lives at {path}", path=path) from None

    @override
    async def set(self, ctx: Context, *, path: str, secret: Secret) -> Secret:
        self._add(path, secret)
        return secret

    @override
    async def write(
        self,
        ctx: Context,
        *,
        path: str,
        value: str,
        expect: int | None = None,
        labels: list[Label] = [],  # noqa: B006 - never changed
    ) -> Secret:
        newest = len(self.versions.get(path, []))
        if expect not in {None, newest}:
            raise StaleVersion(path, newest=newest)
        secret = Secret(path, newest + 1, value, labels=tuple(labels))
        self._add(path, secret)
        return secret

    def _add(self, path: str, secret: Secret) -> None:
        self.versions.setdefault(path, []).append(secret)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    @override
    async def remove(self, ctx: Context, *, path: str) -> None:
        self.versions.pop(path, None)
        self._tell()

    @override
    async def browse(
        self, ctx: Context, *, cursor: str | None = None, limit: int = 2
    ) -> Page[Secret]:
        after = read_cursor(cursor, str) if cursor else ""
        paths = sorted(path for path in self.versions if path > after)
        more = make_cursor(paths[limit - 1]) if len(paths) > limit else None
        return Page([self.versions[path][-1] for path in paths[:limit]], more)

    @override
    async def watch(self, ctx: Context, *, path: str, since: int = 0) -> AsyncIterator[Secret]:
        await self.read(ctx, path=path)
        self.open += 1
        try:
            while path in self.versions:
                news = self._news
                for secret in self.versions[path][since:]:
                    since += 1
                    yield secret
                await news.wait()
            raise SecretNotFound(f"{path} was removed", path=path)
        finally:
            self.open -= 1

    @override
    async def rotate(self, ctx: Context, *, path: str, times: int) -> AsyncIterator[Secret]:
        for turn in range(times):
            yield await self.write(ctx, path=path, value=str(turn))

    @override
    async def watchers(self, ctx: Context) -> int:
        return self.open

    @override
    async def everything(
        self,
        ctx: Context,
        *,
        text: str,
        number: int,
        share: float,
        sure: bool = False,
        kind: Kind | None = None,
        moment: datetime | None = None,
        wait: timedelta = timedelta(seconds=1),
        labels: list[Label],
        counts: dict[str, int] | None = None,
    ) -> Everything:
        return Everything(text, number, share, sure, kind, moment, wait, labels, counts or {})

    @override
    async def whoami(self, ctx: Context) -> str:
        return " ".join([ctx.caller.name, *sorted(ctx.caller.roles)])

    @override
    async def caller(self, ctx: Context, *, number: int) -> int:
        return number

    @override
    async def slow(self, ctx: Context) -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1
        return True

    @override
    async def stopped(self, ctx: Context) -> int:
        return self.cancelled

    @override
    async def broken(self, ctx: Context) -> None:
        raise RuntimeError("password=hunter2")
