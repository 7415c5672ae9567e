"""What trust in the keys of other platforms promises.

A peer is another platform. Its keys prove here the calls of those of its services that were named, to those services of this
platform that were named: nobody else's, and to nobody else.
"""

from __future__ import annotations

import abc
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l20_trust.keys import errors


class PeerSaid(msgspec.Struct, frozen=True):
    """What is trusted of another platform.

    Attributes:
        repositories: Addresses of its key repository, ``https://HOST[:PORT]/`` each, in the order in which they are asked.
        authority: The certificates by which these are trusted, in PEM; no others are.
        issuers: Whose calls are accepted: ``<environment>/<service>`` over there.
        callees: Who accepts them: ``<environment>/<service>`` here.
    """

    repositories: tuple[str, ...]
    authority: str
    issuers: tuple[str, ...]
    callees: tuple[str, ...]


class PeerView(msgspec.Struct, frozen=True):
    """A platform whose keys are trusted.

    Attributes:
        name: What it is called here.
        repositories: See :class:`PeerSaid`.
        issuers: Likewise.
        callees: Likewise.
        since: When somebody said so.
        by: Who.
        keys: How many keys of it are known.
        answered: When it last told all its keys; None where it has not since the agent started.
        problem: Why it did not the last time; empty when it did.
        within: How long a key that is revoked over there is still accepted here at most, while it answers.
    """

    name: str
    repositories: tuple[str, ...]
    issuers: tuple[str, ...]
    callees: tuple[str, ...]
    since: datetime | None
    by: str
    keys: int
    answered: datetime | None
    problem: str
    within: timedelta


class RepositoryView(msgspec.Struct, frozen=True):
    """Where other platforms look up the keys of this one.

    Attributes:
        urls: The repository and its copy.
        authority: File with the certificate by which they are trusted.
    """

    urls: tuple[str, ...]
    authority: str


class Checked(msgspec.Struct, frozen=True):
    """What a token is worth.

    Attributes:
        is_good: Whether it proves who calls.
        reason: Why not; empty when it does.
        issuer: Who calls; empty unless it is proven.
        key: Id of the key that proves it.
        peer: Name of the platform whose key that is; empty for this one.
        expires: When the token ends.
    """

    is_good: bool
    reason: str = ""
    issuer: str = ""
    key: str = ""
    peer: str = ""
    expires: datetime | None = None


class TokenSaid(msgspec.Struct, frozen=True):
    """A token that somebody wants to be checked.

    Attributes:
        token: As it was received.
        audience: Whom it calls: ``<environment>/<service>`` here.
    """

    token: str
    audience: str

    @override
    def __repr__(self) -> str:
        return f"TokenSaid(audience={self.audience!r})"


class PeersApi(Api):
    """Trust keys of other platforms."""

    name: ClassVar[str] = "peers"
    errors = (
        errors.PeerUnfit,
        errors.NoPeer,
        errors.KeysOutOfReach,
        errors.KeysUnreadable,
        DiskFull,
    )

    @call("GET", "/v1/peers")
    @abc.abstractmethod
    async def trusted(self, ctx: Context) -> list[PeerView]:
        """List the platforms whose keys are trusted, by name."""

    @call("PUT", "/v1/peers/{name}")
    @abc.abstractmethod
    async def trust(self, ctx: Context, *, name: str, said: PeerSaid) -> PeerView:
        """Trust keys of another platform from now on; returns when proxies know them.

        What was said of the same name before holds no longer.

        Raises:
            PeerUnfit: Something that was said cannot be.
            KeysOutOfReach: Its repository does not answer, or not as it must; nothing has changed.
        """

    @call("DELETE", "/v1/peers/{name}")
    @abc.abstractmethod
    async def distrust(self, ctx: Context, *, name: str) -> PeerView:
        """Trust no key of a platform any more; returns when proxies know it.

        Raises:
            NoPeer: Nothing of this name is trusted.
        """

    @call("GET", "/v1/key-repository")
    @abc.abstractmethod
    async def repository(self, ctx: Context) -> RepositoryView:
        """Tell where other platforms look up the keys of this one.

        Raises:
            KeysOutOfReach: It was never started, since no service has keys.
        """

    @call("POST", "/v1/tokens/check")
    @abc.abstractmethod
    async def check(self, ctx: Context, *, said: TokenSaid) -> Checked:
        """Tell what a token is worth to a service of this platform, and whose key proves it."""
