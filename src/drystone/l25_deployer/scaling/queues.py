"""What waits in queues, for whoever scales the instances that take it from there, and what is put there for a trial."""

from __future__ import annotations

import abc

from typing_extensions import override

from drystone.l25_deployer.errors import TargetNotFound


class Queues(abc.ABC):
    """Tells how many messages wait, and puts one there."""

    @abc.abstractmethod
    async def depth(self, environment: str, service: str, queue: str) -> int | None:
        """Return how many messages wait in a queue of a service; None where nobody knows.

        Args:
            environment: Where the service is deployed.
            service: Its name.
            queue: What its descriptor calls the resource.

        Raises:
            PlatformError: It cannot be asked now.
        """

    @abc.abstractmethod
    async def send(self, environment: str, service: str, queue: str, body: str) -> str:
        """Put a message into a queue of a service, and return its id when it is on disk.

        Args:
            environment: Where the service is deployed.
            service: Its name.
            queue: What its descriptor calls the resource.
            body: The message.

        Raises:
            TargetNotFound: It has no such queue.
            PlatformError: The queue does not take it.
        """


class NoQueues(Queues):
    """Where there are no queues."""

    @override
    async def depth(self, environment: str, service: str, queue: str) -> int | None:
        return None

    @override
    async def send(self, environment: str, service: str, queue: str, body: str) -> str:
        raise TargetNotFound(f"{service} has no queue '{queue}' in {environment}")
