"""What people may do to services that run: set how many instances there are, restart them, watch, and reach inside."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from datetime import datetime
from typing import ClassVar

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l25_deployer import errors
from drystone.l25_deployer.stacks.sizes import ServiceSize, UsedService
from drystone.l25_deployer.words import HistoryEvent, Progress

MOST_INSTANCES = 100
"""Of a group that somebody sets by hand, where its descriptor says no other number."""


class Forwarding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A port of this machine that leads to an instance or to a resource, or one connection through it.

    Attributes:
        address: Where to connect, as ``127.0.0.1:<port>``.
        target: Where that leads: ``<instance>:<port>`` or ``<resource>:<port>``.
        connection: Number of the connection that has begun, from 1; 0 when the port has been opened.
        problem: Why a connection could not be led there; empty when it was.
    """

    address: str
    target: str
    connection: int = 0
    problem: str = ""


class OperationsApi(Api):
    """Operate services on this machine."""

    name: ClassVar[str] = "operations"
    errors = (
        errors.ServiceNotFound,
        errors.NoInstance,
        errors.NumberRefused,
        errors.QuotaExceeded,
        errors.ScalingFailed,
        errors.RestartFailed,
        errors.RotationRefused,
        errors.RotationFailed,
        errors.NotRenewable,
        errors.TargetNotFound,
        errors.PortTaken,
        errors.DeployAborted,
    )

    @call("POST", "/v1/environments/{environment}/services/{service}/scale")
    @abc.abstractmethod
    def scale(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        instances: int | None = None,
        group: str | None = None,
    ) -> AsyncIterator[Progress]:
        """Set how many instances a group has, until the next release; the progress ends when that is so.

        New ones get requests when they are healthy; those that go answer first what they have.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            instances: How many; as its descriptor says, and its load asks for, when omitted.
            group: ``web`` or a worker; when omitted, ``web``, or else the only worker.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoInstance: Nothing of it serves.
            NumberRefused: There can be no such number; or there is no such group.
            QuotaExceeded: The quota of the host has no room for so many.
            ScalingFailed: A new instance did not become healthy; there are as many as before.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/restart")
    @abc.abstractmethod
    def restart(
        self, ctx: Context, *, environment: str, service: str, group: str | None = None
    ) -> AsyncIterator[Progress]:
        """Replace the instances of the release that serves, one after the other.

        For each that serves, a new one is healthy before it goes. Where two releases may never run together
        (``strategy: cutover``) each goes before the one that takes its place.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            group: Only ``web`` or this worker.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoInstance: Nothing of it serves.
            NumberRefused: There is no such group.
            RestartFailed: A new instance did not become healthy; those that were not replaced serve.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/rotate")
    @abc.abstractmethod
    def rotate(
        self, ctx: Context, *, environment: str, service: str, resource: str | None = None
    ) -> AsyncIterator[Progress]:
        """Replace credentials: new ones, instances that have them one after the other, then the former ones end.

        Both work until every instance has the new ones. A release that is kept warm ends, since it has the former ones.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            resource: Only those of this resource; of all when omitted. Resources that are reached by the protocols of AWS share one.

        Raises:
            ServiceNotFound: It is not deployed there.
            RotationRefused: There is no such resource, or a release is tried beside the one that serves.
            NotRenewable: The resource has no credential, or somebody else makes it.
            RotationFailed: A new instance did not become healthy, or an engine does not work; what instances have works.
        """

    @call("GET", "/v1/environments/{environment}/services/{service}/events")
    @abc.abstractmethod
    def events(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        last: int = 20,
        since: datetime | None = None,
        follow: bool = False,
    ) -> AsyncIterator[HistoryEvent]:
        """Stream what happened to a service, oldest first.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which; one that is gone has a history, too.
            last: How many past events at most.
            since: None that happened before; aware.
            follow: Go on until the caller closes the stream.

        Raises:
            ServiceNotFound: Nothing ever happened to such a service.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/queues/{queue}/messages")
    @abc.abstractmethod
    async def send(
        self, ctx: Context, *, environment: str, service: str, queue: str, body: str
    ) -> str:
        """Put a message into a queue of a service, as somebody does who tries it; returns its id when it is on disk.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Whose.
            queue: What its descriptor calls it.
            body: The message.

        Raises:
            ServiceNotFound: It is not deployed there.
            TargetNotFound: It has no such queue.
        """

    @call("GET", "/v1/sizes")
    @abc.abstractmethod
    async def sizes(self, ctx: Context) -> list[ServiceSize]:
        """Tell how large everything is that is deployed, with as many instances as there are now, and whose it is."""

    @call("GET", "/v1/uses/{month}")
    @abc.abstractmethod
    async def uses(self, ctx: Context, *, month: str) -> list[UsedService]:
        """Tell for how long everything was there that a month saw, to the minute; nothing where nobody wrote it down.

        Args:
            ctx: Who asks.
            month: As ``2026-01``, in UTC.
        """

    @call("POST", "/v1/environments/{environment}/services/{service}/forward")
    @abc.abstractmethod
    def forward(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        to: str | None = None,
        remote: int | None = None,
        local: int | None = None,
    ) -> AsyncIterator[Forwarding]:
        """Open a port of the loopback interface that leads to an instance or a resource, until the stream is closed.

        Args:
            ctx: Who asks.
            environment: Where.
            service: Which.
            to: Id of an instance, a group, or name of a resource of the service; any instance that serves when omitted.
            remote: Port on which the instance listens; that which it serves on when omitted.
            local: Port to open; any that is free when omitted.

        Raises:
            ServiceNotFound: It is not deployed there.
            NoInstance: Nothing of it runs that could be reached.
            TargetNotFound: It has nothing of this name, or that does not listen on such a port.
            PortTaken: The port to open is another program's.
        """
