"""Where keys are looked up: what the service needs to know of it."""

from __future__ import annotations

import abc


class Repository(abc.ABC):
    """Where keys are looked up."""

    @abc.abstractmethod
    async def ensure(self) -> None:
        """Return when keys can be looked up.

        Raises:
            Unavailable: They cannot.
        """

    @abc.abstractmethod
    def urls(self) -> tuple[str, str]:
        """Return the address of the repository and that of its copy; a key's id comes behind.

        Raises:
            Unavailable: It was never started.
        """
