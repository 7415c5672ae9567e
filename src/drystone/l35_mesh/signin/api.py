"""What the sign-in does for command lines and builds, and what the proxies need of it."""

from __future__ import annotations

import abc
from datetime import datetime

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l35_mesh.signin.errors import (
    NoDeviceFlow,
    NotStaff,
    ProofRefused,
    ProviderRefused,
    ProviderUnreachable,
    SessionOver,
    SignInRefused,
    StillWaiting,
    TooManyAttempts,
)
from drystone.l35_mesh.signin.words import NAME


class DeviceAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A command line that waits for somebody.

    Attributes:
        code: What the person compares.
        address: Where they confirm it.
        complete: The same with the code in it.
        handle: What the command line asks with.
        interval: Seconds between two questions.
        until: When it is too late.
    """

    code: str
    address: str
    complete: str
    handle: str
    interval: int
    until: datetime

    @override
    def __repr__(self) -> str:
        return f"DeviceAsked({self.code!r})"


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session.

    Attributes:
        session: Its secret.
        user: Whose.
        groups: What they are in.
        until: When it ends.
    """

    session: str
    user: str
    groups: tuple[str, ...]
    until: datetime

    @override
    def __repr__(self) -> str:
        return f"SignedIn({self.user!r})"


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Whose session it is.

    Attributes:
        user: Their name.
        groups: What they are in.
        issuer: The provider that says so.
        until: When the session ends.
    """

    user: str
    groups: tuple[str, ...]
    issuer: str
    until: datetime


class ShortToken(msgspec.Struct, frozen=True, kw_only=True):
    """What the proxy of one service accepts, for some minutes.

    Attributes:
        token: For ``Authorization: Bearer``.
        until: When it ends.
    """

    token: str
    until: datetime

    @override
    def __repr__(self) -> str:
        return "ShortToken(…)"


class SignInApi(Api):
    """The sign-in for those who are no browser."""

    name = NAME
    errors = (
        NoDeviceFlow,
        NotStaff,
        ProofRefused,
        ProviderRefused,
        ProviderUnreachable,
        SessionOver,
        SignInRefused,
        StillWaiting,
        TooManyAttempts,
    )

    @call("POST", "/v1/devices")
    @abc.abstractmethod
    async def begin_device(self, ctx: Context) -> DeviceAsked:
        """Let a command line wait until somebody confirms it in a browser."""

    @call("POST", "/v1/devices/answer")
    @abc.abstractmethod
    async def answer_device(self, ctx: Context, *, handle: str) -> SignedIn:
        """Begin a session, if somebody has confirmed it.

        Args:
            ctx: Who asks.
            handle: Of the command line that waits.

        Raises:
            StillWaiting: Nobody has yet.
            SignInRefused: Somebody refused, or it is too late.
        """

    @call("POST", "/v1/tokens")
    @abc.abstractmethod
    async def token(self, ctx: Context, *, proof: str, audience: str) -> ShortToken:
        """Make a token for one service.

        Args:
            ctx: Who asks.
            proof: The secret of a session, an issued token, or a token of the build's own provider.
            audience: The service: ``<environment>/<service>``.

        Raises:
            ProofRefused: The proof is none.
        """

    @call("POST", "/v1/who")
    @abc.abstractmethod
    async def who(self, ctx: Context, *, session: str) -> Who:
        """Tell whose session it is.

        Args:
            ctx: Who asks.
            session: Its secret.

        Raises:
            SessionOver: It has ended.
        """

    @call("POST", "/v1/end")
    @abc.abstractmethod
    async def end(self, ctx: Context, *, session: str) -> None:
        """End a session. Idempotent.

        Args:
            ctx: Who asks.
            session: Its secret.
        """
