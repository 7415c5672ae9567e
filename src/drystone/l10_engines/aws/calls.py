"""What asks the services of one account."""

from __future__ import annotations

import abc
from typing import Any

from drystone.l10_engines.aws.access import REGION
from drystone.l10_engines.aws.declarations import Key
from drystone.l10_engines.aws.errors import NotDeclarable


class Calls(abc.ABC):
    """Asks the services of one account.

    Attributes:
        account: Its number.
    """

    account: str

    @abc.abstractmethod
    async def json(self, service: str, action: str, data: dict[str, Any]) -> dict[str, Any]:
        """Ask a service that speaks JSON.

        Raises:
            NotDeclarable: It refuses; the detail ``code`` is what it calls the reason.
        """

    @abc.abstractmethod
    async def form(self, service: str, action: str, data: dict[str, str]) -> str:
        """Ask a service that reads forms, and return the XML that it answers.

        Raises:
            NotDeclarable: It refuses.
        """

    @abc.abstractmethod
    def drop_key(self, key: str) -> None:
        """Remove a key by its id, at once."""

    @abc.abstractmethod
    def furnish_key(self, key: str, wanted: Key) -> None:
        """Let a key, by its id, have new versions at the age that is declared, and be used by those that may."""

    @abc.abstractmethod
    def add_version(self, key: str) -> None:
        """Let a new version of a key, by its id, encrypt from now on."""

    def arn(self, service: str, name: str) -> str:
        """Return the name among all things of something in this account."""
        return f"arn:aws:{service}:{REGION}:{self.account}:{name}"

    async def asked(
        self, service: str, action: str, data: dict[str, Any], *, absent: str
    ) -> dict[str, Any] | None:
        """Ask, and return None when what is asked about is not there.

        Args:
            service: Whom.
            action: What.
            data: About what.
            absent: A part of what the service then calls the reason.
        """
        try:
            return await self.json(service, action, data)
        except NotDeclarable as e:
            if absent in str(e.details.get("code", "")):
                return None
            raise
