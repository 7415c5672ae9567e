"""How much waits in queues, for whoever scales the instances that take it from there."""

from __future__ import annotations

import abc

from typing_extensions import override


class Queues(abc.ABC):
    """Tells how many messages wait."""

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


class NoQueues(Queues):
    """Where there are no queues."""

    @override
    async def depth(self, environment: str, service: str, queue: str) -> int | None:
        return None
