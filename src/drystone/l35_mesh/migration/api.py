"""What traffic migration promises: a service moves to another address by degrees, and back with one command."""

from __future__ import annotations

import abc
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l35_mesh.migration import errors

State: TypeAlias = Literal["moving", "back", "moved"]
DataKind: TypeAlias = Literal["postgres", "bucket", "cache"]
Speaks: TypeAlias = Literal["http1", "http2"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service moves.

    Attributes:
        address: ``HOST:PORT``, where the host that a client asked for is kept; or ``http://HOST[:PORT]`` or
            ``https://HOST[:PORT]``, where the other side is asked for that host.
        host: What the other side is asked for instead.
        authorities: Path of a PEM file with those who may have signed its certificate; the system's when None.
        speaks: What it is spoken to in; as the instances here when None.
        has_fallback: Whether this side answers what the other does not.
    """

    address: str
    host: str | None = None
    authorities: str | None = None
    speaks: Speaks | None = None
    has_fallback: bool = True


class Who(msgspec.Struct, frozen=True):
    """Requests that go to the other side whatever the share is: those with a header of exactly this value."""

    header: str
    value: str


class Counted(msgspec.Struct, frozen=True):
    """Attempts at one side, of late.

    Attributes:
        answered: With a status below 500.
        failed: Answered with 500 or above, broken off, or never connected.
    """

    answered: int
    failed: int


class MigrationView(msgspec.Struct, frozen=True, kw_only=True):
    """How far a service has come.

    Attributes:
        environment: Where it is deployed.
        service: Its name.
        to: The other side.
        state: ``moving`` while both sides may serve; ``back`` when everything is here because the other side
            failed; ``moved`` when this side takes nothing any more.
        share: Percent of the requests that go over.
        who: Requests that go over in any case.
        sticky: What clients stay on their side by: ``cookie:NAME`` or ``header:NAME``.
        addresses: The IP addresses of the other side.
        since: When it began.
        here: What became of requests at this side in the last seconds.
        there: At the other side.
        reason: Why everything is here.
        trouble: What keeps the route from being as told.
        compared: Percent of the safe requests by which both sides are compared.
        ignored: What may differ then.
    """

    environment: str
    service: str
    to: str
    state: State
    share: float
    who: list[Who]
    sticky: str | None
    addresses: list[str]
    since: datetime
    here: Counted
    there: Counted
    reason: str = ""
    trouble: str = ""
    compared: float = 0.0
    ignored: list[str] = []


class Example(msgspec.Struct, frozen=True):
    """Requests that both sides answer differently, in the same way.

    Attributes:
        method: GET or HEAD.
        path: Parts that could be secret are ``*``, and of the query only names are left.
        differences: How the answers differ; no value is told but the status.
        count: How many there were.
        last: When the last one was.
    """

    method: str
    path: str
    differences: list[str]
    count: int
    last: datetime


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """How alike both sides answer.

    Attributes:
        since: Since when it is counted.
        last: When two answers were last compared.
        same: Pairs of answers that mean the same.
        different: Pairs that differ.
        left_out: Copies of which nothing can be said, by reason.
        examples: Some that differ, the most frequent first.
    """

    since: datetime
    last: datetime | None
    same: int = 0
    different: int = 0
    left_out: dict[str, int] = {}
    examples: list[Example] = []


class DataSource(msgspec.Struct, frozen=True):
    """Where the data of a resource is, for whoever moves it.

    Attributes:
        kind: What it is.
        values: How it is reached, by name; passwords of administrators are among them.
    """

    kind: DataKind
    values: dict[str, str]

    @override
    def __repr__(self) -> str:
        return f"DataSource({self.kind})"


class Held(msgspec.Struct, frozen=True):
    """What became of the wish that nobody writes to a resource, or that everybody may again.

    Attributes:
        is_done: Whether it is so; False where the store belongs to somebody else.
    """

    is_done: bool


class MigrationApi(Api):
    """Move services to other addresses."""

    name: ClassVar[str] = "migration"
    errors = (
        errors.NoMigration,
        errors.MovesAlready,
        errors.TargetUnfit,
        errors.TargetSilent,
        errors.ShareUnfit,
        errors.NotAtAnEnd,
        errors.RecordUnreadable,
        errors.NoData,
        errors.NothingCompared,
        errors.IgnoredUnfit,
        DiskFull,
    )

    @call("GET", "/v1/migrations")
    @abc.abstractmethod
    async def migrations(self, ctx: Context) -> list[MigrationView]:
        """List every service that moves, by environment and name."""

    @call("GET", "/v1/migrations/{environment}/{service}")
    @abc.abstractmethod
    async def show(self, ctx: Context, *, environment: str, service: str) -> MigrationView:
        """Tell how far a service has come.

        Raises:
            NoMigration: It does not move.
        """

    @call("PUT", "/v1/migrations/{environment}/{service}")
    @abc.abstractmethod
    async def start(
        self, ctx: Context, *, environment: str, service: str, target: Target
    ) -> MigrationView:
        """Make the other side known. No request goes there yet; the same target again changes nothing.

        Raises:
            TargetUnfit: The address cannot be read, is this platform itself, or no name server knows it.
            TargetSilent: Nobody listens there.
            MovesAlready: The service moves elsewhere.
        """

    @call("PUT", "/v1/migrations/{environment}/{service}/share")
    @abc.abstractmethod
    async def share(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        percent: float,
        who: list[Who] | None = None,
        sticky: str | None = None,
    ) -> MigrationView:
        """Send a share of the requests to the other side; returns when the proxy does so.

        Args:
            ctx: Who asks.
            environment: Where the service is deployed.
            service: Its name.
            percent: From 0 to 100, to a hundredth.
            who: Requests that go over in any case; as before when None.
            sticky: ``cookie:NAME`` or ``header:NAME``; an empty text ends it; as before when None.

        Raises:
            NoMigration: It does not move.
            ShareUnfit: The share, a rule or what clients stay by cannot be.
            TargetSilent: Nobody listens there, and something would be sent.
        """

    @call("POST", "/v1/migrations/{environment}/{service}/back")
    @abc.abstractmethod
    async def back(self, ctx: Context, *, environment: str, service: str) -> MigrationView:
        """Let this side answer everything again, at once; the other side stays known.

        Raises:
            NoMigration: It does not move.
        """

    @call("POST", "/v1/migrations/{environment}/{service}/finish")
    @abc.abstractmethod
    async def finish(self, ctx: Context, *, environment: str, service: str) -> MigrationView:
        """End a migration: at 100 % this side takes nothing any more, at 0 % the other side is forgotten.

        Raises:
            NoMigration: It does not move.
            NotAtAnEnd: Both sides take requests.
        """

    @call("PUT", "/v1/migrations/{environment}/{service}/mirror")
    @abc.abstractmethod
    async def mirror(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        percent: float,
        ignored: list[str] | None = None,
    ) -> MigrationView:
        """Compare both sides by copies of a share of the GET and HEAD requests; each costs both sides one more.

        Args:
            ctx: Who asks.
            environment: Where the service is deployed.
            service: Its name.
            percent: From 0, which ends it, to 100, to a hundredth. What begins anew counts anew.
            ignored: JSON pointers, with ``*`` for any one part, and names of headers that may differ; as before when None.

        Raises:
            NoMigration: It does not move.
            ShareUnfit: The share cannot be.
            IgnoredUnfit: Something is neither a pointer nor a name.
        """

    @call("GET", "/v1/migrations/{environment}/{service}/compared")
    @abc.abstractmethod
    async def compared(self, ctx: Context, *, environment: str, service: str) -> Compared:
        """Tell how alike both sides answer; it is up to date to the second.

        Raises:
            NoMigration: It does not move.
            NothingCompared: Both sides are not compared, and were not.
        """

    @call("GET", "/v1/migrations/{environment}/{service}/data/{resource}")
    @abc.abstractmethod
    async def data_source(
        self, ctx: Context, *, environment: str, service: str, resource: str
    ) -> DataSource:
        """Tell how the data of a resource is reached by whoever moves it; starts its engine.

        Raises:
            NoData: The service has no such resource, or one that cannot be moved.
        """

    @call("PUT", "/v1/migrations/{environment}/{service}/data/{resource}/held")
    @abc.abstractmethod
    async def hold_data(
        self, ctx: Context, *, environment: str, service: str, resource: str, is_held: bool
    ) -> Held:
        """Let the service read what it keeps and not write to it, or let it write again; returns when it is so.

        It stays so, whatever starts or is deployed again.

        Raises:
            NoData: The service has no such resource, or one whose engine is told by whoever moves it.
        """
