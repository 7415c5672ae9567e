"""Who has an account, and brings about what is declared in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from typing_extensions import override

from drystone.l10_engines.aws import simulator
from drystone.l10_engines.aws.access import REGION, AccountAccess
from drystone.l10_engines.aws.declarations import Queue
from drystone.l10_engines.aws.declaring import Calls, bring_about, remove, waiting
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.aws.orders import Standing, Waiting, Wanted

if TYPE_CHECKING:
    from drystone.l10_engines.aws.journal import Journal
    from drystone.l10_engines.aws.writing import Keeper


class Accounts:
    """The accounts of a home.

    Args:
        journal: Keeps them.
        keeper: Has what they hold on disk.
    """

    def __init__(self, journal: Journal, keeper: Keeper) -> None:
        self._journal = journal
        self._keeper = keeper
        self._by_key: dict[str, AccountAccess] = {}
        self._read()

    def _read(self) -> None:
        self._by_owner = self._journal.accounts()
        self._by_key = {access.access_key: access for access in self._by_owner.values()}

    def secret_of(self, access_key: str) -> str | None:
        """Return the secret half of a key; None for one that nobody has."""
        access = self._by_key.get(access_key)
        return access.secret_key if access else None

    def number_of(self, access_key: str) -> str:
        """Return the number of a key's account."""
        return self._by_key[access_key].account

    async def administer(self, order: str, body: bytes) -> object:
        """Carry out what the agent asks for.

        Args:
            order: ``declare``, ``remove`` or ``waiting``; anything else tells that somebody is here.
            body: A :class:`Wanted` as JSON.

        Raises:
            NotDeclarable: It cannot be made so.
            msgspec.MsgspecError: The body is not such a one.
        """
        match order:
            case "declare":
                return await self._declare(msgspec.json.decode(body, type=Wanted))
            case "remove":
                await self._remove(msgspec.json.decode(body, type=Wanted))
            case "waiting":
                return Waiting(await self._waiting(msgspec.json.decode(body, type=Wanted)))
            case _:
                pass
        return {}

    async def _waiting(self, wanted: Wanted) -> int | None:
        access = self._by_owner.get(wanted.owner)
        if access is None or not isinstance(wanted.declaration, Queue):
            return None
        return await waiting(_Calls(access.account), wanted.name, wanted.declaration)

    async def _declare(self, wanted: Wanted) -> Standing:
        if wanted.owner not in self._by_owner:
            self._journal.open_account(wanted.owner)
            self._read()
        self._journal.declare(wanted.owner, wanted.name)
        access = self._by_owner[wanted.owner]
        made = await bring_about(_Calls(access.account), wanted.name, wanted.declaration)
        await self._keeper.settle(simulator.COLLECTIONS, access.account)
        return Standing(access, made)

    async def _remove(self, wanted: Wanted) -> None:
        access = self._by_owner.get(wanted.owner)
        if access is None:
            return
        await remove(_Calls(access.account), wanted.name, wanted.declaration)
        is_last = self._journal.undeclare(wanted.owner, wanted.name)
        if is_last:  # what the service made itself goes with its account
            simulator.forget(access.account)
        await self._keeper.settle(simulator.COLLECTIONS, access.account)
        if is_last:
            self._journal.close_account(wanted.owner)
            self._read()


class _Calls(Calls):
    """Asks the services in the name of an account.

    Args:
        account: Its number.
    """

    def __init__(self, account: str) -> None:
        self.account = account

    @override
    async def json(self, service: str, action: str, data: dict[str, Any]) -> dict[str, Any]:
        target = {"sqs": "AmazonSQS", "kms": "TrentService", "kinesis": "Kinesis_20131202"}.get(
            service, "DynamoDB_20120810"
        )
        headers = {"x-amz-target": f"{target}.{action}", "host": "localhost"}
        status, _, content = await self._call(service, headers, json.dumps(data).encode())
        found: dict[str, Any] = json.loads(content or b"{}")
        if status != 200:
            code = str(found.get("__type", "")).rpartition("#")[2]
            raise NotDeclarable(
                f"{service} {action}: {found.get('message') or found.get('Message') or code}",
                code=code,
            )
        return found

    @override
    async def form(self, service: str, action: str, data: dict[str, str]) -> str:
        headers = {"content-type": "application/x-www-form-urlencoded", "host": "localhost"}
        body = urlencode({"Action": action, **data}).encode()
        status, _, content = await self._call(service, headers, body)
        if status != 200:
            raise NotDeclarable(f"{service} {action}: {content[:500].decode(errors='replace')}")
        return content.decode()

    async def _call(self, service: str, headers: dict[str, str], body: bytes) -> simulator.Answer:
        return await simulator.call(
            service,
            account=self.account,
            region=REGION,
            path="/",
            headers=headers,
            body=body,
            query={},
        )

    @override
    def drop_key(self, key: str) -> None:
        simulator.drop_key(self.account, REGION, key)
