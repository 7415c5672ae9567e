"""What service keys promise.

A key belongs to a release of a service. Its id (``kid``) is ``<issuer>/<key>``, its issuer ``<environment>/<service>``:
what the specification of ASAP demands of both, and what its public clients check.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l20_trust.keys import errors

Algorithm: TypeAlias = Literal["ES256", "RS256"]
State: TypeAlias = Literal["active", "retired", "revoked"]

DEFAULT_LIFETIME = timedelta(seconds=60)
LONGEST_LIFETIME = timedelta(hours=1)
"""Of a token, by the specification of ASAP."""


def issuer_of(environment: str, service: str) -> str:
    """Return the name under which a service issues tokens, and by which others address tokens to it.

    Names of environments and services hold no slash, so that none is the beginning of another with one behind it:
    no key of one service passes for a key of another.
    """
    return f"{environment}/{service}"


class KeyView(msgspec.Struct, frozen=True):
    """One key pair, without its private part.

    Attributes:
        id: What tokens name it by (``kid``).
        issuer: Whose it is.
        algorithm: What it signs with.
        state: ``active`` keys sign; ``retired`` ones are published until every token made with them has ended;
            ``revoked`` ones are published no more.
        release: The release that it was made for.
        made: When.
        until: When a retired key is published no more; None while instances of its release may hold it.
    """

    id: str
    issuer: str
    algorithm: Algorithm
    state: State
    release: int
    made: datetime
    until: datetime | None = None


class Token(msgspec.Struct, frozen=True):
    """A token that was just made.

    Attributes:
        token: What goes behind ``Authorization: Bearer``; whoever has it may call as the issuer.
        key: Id of the key that signed it.
        expires: When it ends.
    """

    token: str
    key: str
    expires: datetime

    @override
    def __repr__(self) -> str:
        return f"Token(key={self.key!r}, expires={self.expires!r})"


class KeysApi(Api):
    """Look at service keys, replace them, and make tokens."""

    name: ClassVar[str] = "keys"
    errors = (
        errors.NoKeys,
        errors.KeyNotFound,
        errors.TokenUnfit,
        errors.KeysUnreadable,
    )

    @call("GET", "/v1/keys")
    @abc.abstractmethod
    async def keys(
        self, ctx: Context, *, environment: str | None = None, service: str | None = None
    ) -> list[KeyView]:
        """List the keys, those of one service together, its newest first.

        Args:
            ctx: Who asks.
            environment: Only there.
            service: Only of this service.
        """

    @call("POST", "/v1/keys/{environment}/{service}/rotate")
    @abc.abstractmethod
    async def rotate(self, ctx: Context, *, environment: str, service: str) -> list[KeyView]:
        """Give each release of a service that has keys a new one, and retire the one before.

        What was signed with the earlier key goes on to be accepted. Returns the new keys.

        Raises:
            NoKeys: The service has none.
        """

    @call("POST", "/v1/keys/{environment}/{service}/revoke")
    @abc.abstractmethod
    async def revoke(
        self, ctx: Context, *, environment: str, service: str, key: str | None = None
    ) -> list[KeyView]:
        """Publish a key no more, from this moment on; its release gets a new one.

        Args:
            ctx: Who asks.
            environment: Where the service is.
            service: Its name.
            key: Id of the key; every key of the service when None.

        Returns:
            The keys that were revoked.

        Raises:
            NoKeys: The service has none.
            KeyNotFound: It has none of this id.
        """

    @call("POST", "/v1/keys/{environment}/{service}/token")
    @abc.abstractmethod
    async def token(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        audience: str,
        lifetime: timedelta = DEFAULT_LIFETIME,
    ) -> Token:
        """Make a token with which to call another service as this one.

        Args:
            ctx: Who asks.
            environment: Where the service is.
            service: Who calls.
            audience: Whom, as the callee names itself: ``<environment>/<service>`` for one of this platform.
            lifetime: From now on; at most an hour, and whole seconds count.

        Raises:
            NoKeys: The service has none.
            TokenUnfit: The audience or the lifetime cannot be.
        """


class Given(msgspec.Struct, frozen=True):
    """What the instances of a release are given to prove who they are.

    Attributes:
        environment: Variables, among them the private key.
        folder: Files that they may read, at this very path.
    """

    environment: Mapping[str, str]
    folder: Path

    @override
    def __repr__(self) -> str:
        return f"Given(folder={str(self.folder)!r})"


class ReleaseKeys(abc.ABC):
    """The keys of releases, for the one who starts and ends these."""

    @abc.abstractmethod
    async def provide(
        self, environment: str, service: str, release: int, calls: Collection[str]
    ) -> None:
        """Make a key pair for a release unless it has one, publish it, and see that it can be looked up. Idempotent.

        Args:
            environment: Where the release is to run.
            service: Whose release it is.
            release: Its number.
            calls: Whom it declares to call, as they name themselves.

        Raises:
            PlatformError: It cannot; nothing was given.
        """

    @abc.abstractmethod
    def given(self, environment: str, service: str, release: int) -> Given | None:
        """Return what instances of a release get that start now; None when it has no key."""

    @abc.abstractmethod
    def retire(self, environment: str, service: str, release: int) -> None:
        """Take note that nothing of a release runs any more. Idempotent.

        Raises:
            DiskFull: It could not be written.
        """

    @abc.abstractmethod
    def forget(self, environment: str, service: str) -> None:
        """Revoke every key of a service that is gone. Idempotent.

        Raises:
            DiskFull: It could not be written; the keys may be published no more all the same.
        """

    @abc.abstractmethod
    def settle(self) -> None:
        """Make what is published and handed out what it is to be; called now and then, from any thread. Idempotent.

        Raises:
            DiskFull: There is no room for it.
        """

    @abc.abstractmethod
    def keep_only(self, known: Mapping[tuple[str, str], Collection[int]]) -> None:
        """Retire and revoke what belongs to no release that there is: its end was cut short.

        Args:
            known: By environment and service, the releases that are kept.
        """


class Trusted(NamedTuple):
    """A service of another platform whose calls are accepted.

    Attributes:
        source: What :meth:`ProxyKeys.key_set` knows its keys by; an issuer of this platform is never called so.
        issuer: What its tokens call it.
    """

    source: str
    issuer: str


class ProxyKeys(abc.ABC):
    """Keys and tokens as they are now, for proxies that verify and add tokens in the place of services.

    Everything here is answered from memory, at once and from any thread; a first token of a key loads the key.

    A key is taken up without a refused call when proxies learn of it in this order: first each callee verifies by the keys
    that it had and the new ones, then callers get tokens, made by now with the new keys, then callees have the new ones alone.
    """

    @property
    @abc.abstractmethod
    def generation(self) -> int:
        """A number that is another one after each change of what :meth:`key_set` or :meth:`mint` would return."""

    @abc.abstractmethod
    def watch(self, told: Callable[[str], None]) -> Callable[[], None]:
        """Have changes told: a key of a service is new, replaced, revoked, or published no more.

        Args:
            told: Called with the issuer whose keys changed, as soon as :meth:`key_set` has the change, and once more when
                :meth:`mint` signs with another key; from any thread, while others wait: it returns at once and raises nothing.

        Returns:
            Call this to be told no more.
        """

    @abc.abstractmethod
    def key_set(self, issuers: Collection[str]) -> dict[str, Any]:
        """Return the published keys of some issuers as a JSON Web Key Set (RFC 7517 section 5), in the order of ids.

        Args:
            issuers: ``<environment>/<service>`` each, or the source of one who is trusted; one that has no keys adds none.
        """

    @abc.abstractmethod
    def trusted(self, audience: str) -> Sequence[Trusted]:
        """Return which services of other platforms may call one of this."""

    @abc.abstractmethod
    def mint(self, issuer: str, audience: str, lifetime: timedelta = DEFAULT_LIFETIME) -> Token:
        """Make a token with the key of the newest release of a service.

        Args:
            issuer: Who calls.
            audience: Whom.
            lifetime: From now on; at most an hour, and whole seconds count.

        Raises:
            NoKeys: The issuer has no key that signs.
            KeysUnreadable: Its keys were damaged.
            TokenUnfit: The audience or the lifetime cannot be.
        """


class NoReleaseKeys(ReleaseKeys):
    """Where services have no keys."""

    @override
    async def provide(
        self, environment: str, service: str, release: int, calls: Collection[str]
    ) -> None:
        return

    @override
    def given(self, environment: str, service: str, release: int) -> Given | None:
        return None

    @override
    def retire(self, environment: str, service: str, release: int) -> None:
        return

    @override
    def forget(self, environment: str, service: str) -> None:
        return

    @override
    def settle(self) -> None:
        return

    @override
    def keep_only(self, known: Mapping[tuple[str, str], Collection[int]]) -> None:
        return
