"""Who has an account, and brings about what is declared in it."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import urlencode

import msgspec
from msgspec import structs
from typing_extensions import override

from drystone.l10_engines.aws import actions, copying, key_finding, simulator, versions
from drystone.l10_engines.aws.access import REGION, AccountAccess
from drystone.l10_engines.aws.calls import Calls
from drystone.l10_engines.aws.declarations import Function, Key, Queue
from drystone.l10_engines.aws.declaring import add_version, bring_about, remove, waiting
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.aws.handing_over import URLS
from drystone.l10_engines.aws.orders import (
    Added,
    Ask,
    Copying,
    Renewal,
    Seen,
    Standing,
    Waiting,
    Wanted,
)

if TYPE_CHECKING:
    from drystone.l10_engines.aws.journal import Journal
    from drystone.l10_engines.aws.writing import Keeper

WATCH = 20.0
"""Seconds after which whoever waits for additions is told that there were none."""


class Accounts:
    """The accounts of a home.

    Args:
        journal: Keeps them.
        keeper: Has what they hold on disk.
        most: Bytes that an account may hold.
    """

    def __init__(self, journal: Journal, keeper: Keeper, *, most: int = sys.maxsize) -> None:
        self._most = most
        self._journal = journal
        self._keeper = keeper
        self._by_key: dict[str, AccountAccess] = {}
        self._life = secrets.token_hex(8)
        self._number = 0
        self._added: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._laid_out: dict[tuple[str, str], copying.Copy] = {}
        self._read()

    def _read(self) -> None:
        """Read who has which keys; where two open an account, its owner is given the newer one."""
        former = self._journal.accounts()
        coming = {
            owner: structs.replace(former[owner], access_key=access_key, secret_key=secret_key)
            for owner, (access_key, secret_key) in self._journal.coming_keys().items()
        }
        self._by_owner = {**former, **coming}
        self._by_key = {one.access_key: one for one in (*former.values(), *coming.values())}
        self._by_number = {access.account: owner for owner, access in self._by_owner.items()}

    def owner_of(self, account: str) -> str | None:
        """Return whose an account is, by its number; None for one that nobody has."""
        return self._by_number.get(account)

    def may_call(self, account: str, function: str, proof: str) -> bool:
        """Tell whether somebody who calls a function by plain HTTP has its URL."""
        return any(
            hmac.compare_digest(_proof(access, function).encode(), proof.encode())
            for access in self._by_key.values()
            if access.account == account
        )

    def note_added(self, account: str) -> None:
        """Note that messages or records were added in an account, for whoever waits for them."""
        self._number += 1
        self._added[self._by_number.get(account, "")] = self._number
        self._changed.set()
        self._changed = asyncio.Event()

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
            order: ``declare``, ``remove``, ``waiting``, ``ask``, ``added`` or ``renew``; ``copy``, ``lay-out``, ``laid-out``, ``put`` or
                ``discard``; anything else tells that somebody is here.
            body: A :class:`Wanted`, an :class:`Ask`, a :class:`Seen`, a :class:`Renewal` or a :class:`Copying` as JSON.

        Raises:
            NotDeclarable: It cannot be made so.
            msgspec.MsgspecError: The body is not such a one.
            OSError: A file of a copy cannot be read or written.
        """
        match order:
            case "declare":
                return await self._declare(msgspec.json.decode(body, type=Wanted))
            case "remove":
                await self._remove(msgspec.json.decode(body, type=Wanted))
            case "waiting":
                return Waiting(await self._waiting(msgspec.json.decode(body, type=Wanted)))
            case "ask":
                return await self._ask(msgspec.json.decode(body, type=Ask))
            case "added":
                return await self._wait(msgspec.json.decode(body, type=Seen))
            case "version":
                await self._version(msgspec.json.decode(body, type=Wanted))
            case "renew":
                self._renew(msgspec.json.decode(body, type=Renewal))
            case "copy" | "lay-out" | "laid-out" | "put" | "discard":
                return await self._copy(order, msgspec.json.decode(body, type=Copying))
            case _:
                pass
        return {}

    async def _copy(self, order: str, asked: Copying) -> object:
        """Copy a resource, or bring it back: read a copy, tell what was read, put it in place, or forget it."""
        wanted = asked.wanted
        at = (wanted.owner, wanted.name)
        access = self._by_owner.get(wanted.owner)
        if access is None:
            raise NotDeclarable(f"{wanted.owner} has no account", code="NoAccount")
        match order:
            case "copy":
                await self._keeper.settled()
                copy = copying.taken(access.account, wanted.name, wanted.declaration)
                await asyncio.to_thread(copying.write, copy, Path(asked.file))
                return copy.contents()
            case "lay-out":
                self._laid_out[at] = await asyncio.to_thread(copying.read, Path(asked.file))
            case "laid-out" | "put" if at not in self._laid_out:
                raise NotDeclarable(f"nothing is laid out for {wanted.name}; restore it again")
            case "laid-out":
                return await asyncio.to_thread(self._laid_out[at].contents)
            case "put":
                copying.put_in_place(
                    self._laid_out[at], access.account, wanted.name, wanted.declaration
                )
                await self._keeper.settle(simulator.COLLECTIONS, access.account)
                del self._laid_out[at]
                self.note_added(access.account)
            case _:
                self._laid_out.pop(at, None)
        return {}

    async def _ask(self, ask: Ask) -> dict[str, Any]:
        access = self._by_owner.get(ask.owner)
        if access is None:
            raise NotDeclarable(f"{ask.owner} has no account", code="NoAccount")
        if ask.action in actions.GROWING and self._keeper.size(access.account) >= self._most:
            raise NotDeclarable("the account is full", code="LimitExceededException")
        found = await _Calls(access.account).json(ask.service, ask.action, ask.data)
        if ask.action in actions.WRITES[ask.service]:
            touched = simulator.touched(ask.service)
            await self._keeper.settle(
                touched, access.account, is_grown=ask.action in actions.ADDING
            )
            if ask.action in actions.ADDING:
                self.note_added(access.account)
        return found

    async def _wait(self, seen: Seen) -> Added:
        now = Seen(self._life, self._number)
        if seen.life != self._life:
            return Added(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH):
                while self._number <= seen.number:
                    await self._changed.wait()
        owners = frozenset(owner for owner, at in self._added.items() if at > seen.number)
        return Added(Seen(self._life, self._number), owners)

    async def _version(self, wanted: Wanted) -> None:
        access = self._by_owner.get(wanted.owner)
        if access is None or not await add_version(_Calls(access.account), wanted.name):
            raise NotDeclarable(f"{wanted.owner} has no key {wanted.name!r}", code="NotFound")
        await self._keeper.settle(simulator.touched("kms"), access.account)

    def _renew(self, wanted: Renewal) -> None:
        if wanted.owner not in self._by_owner:
            return
        match wanted.step:
            case "begin":
                self._journal.prepare_key(wanted.owner)
            case "end":
                self._journal.settle_key(wanted.owner)
            case "withdraw":
                self._journal.withdraw_key(wanted.owner)
            case _:
                assert_never(wanted.step)
        self._read()

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
        if isinstance(wanted.declaration, Function):
            url = f"{URLS}{access.account}/{made.name}/{_proof(access, made.name)}/"
            made = structs.replace(made, url=url)
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

    @override
    def furnish_key(self, key: str, wanted: Key) -> None:
        record = simulator.key_of(self.account, REGION, key)
        if record is not None:
            versions.declare(record, timedelta(seconds=wanted.rotate))
            key_finding.grant(record, {"encrypt": wanted.encrypt, "decrypt": wanted.decrypt})

    @override
    def add_version(self, key: str) -> None:
        record = simulator.key_of(self.account, REGION, key)
        if record is not None:
            versions.add(record, datetime.now(UTC), kind="ON_DEMAND")


def _proof(access: AccountAccess, function: str) -> str:
    """Return what only the owner of an account can know of a function: nobody has to keep it, or lists it."""
    text = f"function-url {function}".encode()
    return hmac.digest(access.secret_key.encode(), text, "sha256").hex()[:40]
