"""What a service has by the protocols of AWS: one account for each service in each environment, with a key that opens no other.

All of it lies in one file of the engine, ``engines/aws/data/state.sqlite``. A copy that is right while the engine runs is made
by SQLite's ``VACUUM INTO`` or its backup; rows of the tables ``parts`` and ``accounts`` say by their account whose they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from typing_extensions import override

from drystone.l10_engines.aws import comparing, declarations
from drystone.l25_deployer.local.resources.copies import Copied, LaidOut, Measure, NoBackup
from drystone.l25_deployer.local.resources.port import Deviations, Owner, ResourceDriver
from drystone.l25_deployer.stacks import provided

if TYPE_CHECKING:
    from drystone.l10_engines.aws.orders import Contents
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l10_engines.supervision.supervisor import Supervisor
    from drystone.l25_deployer.jobs.service import Jobs
    from drystone.l25_deployer.local.functions.service import Functions

ENGINE = "aws"

FILE = "copy"
"""The only file of a copy."""

_KEEPING: dict[type, str] = {
    provided.Queue: "messages",
    provided.KeyValue: "items",
    provided.Stream: "records",
    provided.EncryptionKey: "keys",
}
"""What there is to copy of each type; a topic passes messages on, and keeps none."""

_MOST = 64 * 1024 * 1024
"""Bytes that all of an account may hold."""

_LEAST = 3
"""Letters of the shortest name that a table may have."""


class AccountResources(ResourceDriver[provided.Account]):
    """Declares resources in the account of their service; the engine starts with the first of them.

    Args:
        supervisor: Keeps the engine.
        aws: The engine.
    """

    engine = ENGINE

    def __init__(self, supervisor: Supervisor, aws: AwsEngine) -> None:
        self._supervisor = supervisor
        self._aws = aws

    @override
    async def apply(self, owner: Owner, wanted: provided.Account) -> dict[str, str]:
        await self._supervisor.ensure(ENGINE)
        access, made = await self._aws.declare(
            account_of(owner), name_of(owner, wanted), declaration(wanted)
        )
        return {
            "name": made.name,
            "arn": made.arn,
            "url": made.url,
            "region": access.region,
            "endpoint": access.endpoint,
            "access_key": access.access_key,
            "secret_key": access.secret_key,
            "queue": made.name,
            "definition": made.name,
        }

    @override
    def require_renewable(self, owner: Owner) -> None:
        return

    @override
    async def add_version(self, owner: Owner, wanted: provided.Account) -> bool:
        if not isinstance(wanted, provided.EncryptionKey):
            return False
        await self._supervisor.ensure(ENGINE)
        await self._aws.add_version(account_of(owner), name_of(owner, wanted))
        return True

    @override
    async def begin_renewal(self, owner: Owner, wanted: provided.Account) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._aws.renew(account_of(owner), "begin")

    @override
    async def end_renewal(self, owner: Owner, wanted: provided.Account) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._aws.renew(account_of(owner), "end")

    @override
    async def withdraw_renewal(self, owner: Owner, wanted: provided.Account) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._aws.renew(account_of(owner), "withdraw")

    @override
    async def deviations(self, owner: Owner, wanted: provided.Account) -> Deviations:
        account = account_of(owner)

        async def ask(service: str, action: str, data: dict[str, Any]) -> dict[str, Any]:
            return await self._aws.ask(account, service, action, data)

        found = await comparing.differences(ask, name_of(owner, wanted), declaration(wanted))
        return found or {}

    @override
    async def remove(self, owner: Owner, wanted: provided.Account) -> None:
        await self._supervisor.ensure(ENGINE)
        await self._aws.remove(account_of(owner), name_of(owner, wanted), declaration(wanted))

    @override
    async def suspend(self, owner: Owner) -> None:
        return

    @override
    def backs_up(self, wanted: provided.Account) -> bool:
        return type(wanted) in _KEEPING

    @override
    async def room_for_copy(self, owner: Owner, wanted: provided.Account) -> int:
        if not self.backs_up(wanted):
            raise self._no_backup(owner)
        await self._supervisor.ensure(ENGINE)
        return _MOST

    @override
    async def back_up(self, owner: Owner, wanted: provided.Account, folder: Path) -> Copied:
        await self._supervisor.ensure(ENGINE)
        at = datetime.now(UTC)
        account, name = account_of(owner), name_of(owner, wanted)
        found = await self._aws.copy(account, name, declaration(wanted), folder / FILE)
        return Copied(at, _measures(wanted, found))

    @override
    async def lay_out(self, owner: Owner, wanted: provided.Account, folder: Path) -> LaidOut:
        await self._supervisor.ensure(ENGINE)
        beside = _Beside(self._aws, owner, wanted)
        await self._aws.lay_out(*beside.what, folder / FILE)
        return beside

    @override
    def _no_backup(self, owner: Owner) -> NoBackup:
        return NoBackup(
            f"'{owner.resource}' of {owner.service} in {owner.environment} has no backup, as it keeps nothing"
        )


class _Beside(LaidOut):
    """What the engine has read, and holds beside what is in use."""

    def __init__(self, aws: AwsEngine, owner: Owner, wanted: provided.Account) -> None:
        self._aws, self._wanted = aws, wanted
        self.what = (account_of(owner), name_of(owner, wanted), declaration(wanted))

    @override
    async def holds(self) -> dict[str, Measure]:
        return _measures(self._wanted, await self._aws.laid_out(*self.what))

    @override
    async def put_in_place(self) -> None:
        await self._aws.put_in_place(*self.what)

    @override
    async def discard(self) -> None:
        await self._aws.discard(*self.what)


def _measures(wanted: provided.Account, found: Contents) -> dict[str, Measure]:
    return {_KEEPING[type(wanted)]: Measure(found.count, found.digest)}


class FunctionResources(AccountResources):
    """Declares functions, whose processes end before what they work with goes.

    Args:
        supervisor: Keeps the engine.
        aws: The engine.
        functions: Gives what keeps their processes; made later than this.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        aws: AwsEngine,
        functions: Callable[[], Functions],
    ) -> None:
        super().__init__(supervisor, aws)
        self._functions = functions

    @override
    async def remove(self, owner: Owner, wanted: provided.Account) -> None:
        await self._functions().forget(owner.environment, owner.service, owner.resource)
        await super().remove(owner, wanted)

    @override
    async def suspend(self, owner: Owner) -> None:
        await self._functions().end(owner.environment, owner.service, owner.resource)

    @override
    async def take_over(self, owner: Owner, wanted: provided.Account) -> None:
        await self._functions().renew(owner.environment, owner.service, owner.resource)


class JobResources(AccountResources):
    """Declares jobs, whose runs end before what they work with goes.

    Args:
        supervisor: Keeps the engine.
        aws: The engine.
        jobs: Gives what looks after the runs; made later than this.
    """

    def __init__(self, supervisor: Supervisor, aws: AwsEngine, jobs: Callable[[], Jobs]) -> None:
        super().__init__(supervisor, aws)
        self._jobs = jobs

    @override
    async def remove(self, owner: Owner, wanted: provided.Account) -> None:
        await self._jobs().forget(owner.environment, owner.service, owner.resource)
        await super().remove(owner, wanted)

    @override
    async def suspend(self, owner: Owner) -> None:
        await self._jobs().halt(owner.environment, owner.service, owner.resource)


def account_of(owner: Owner) -> str:
    """Name the account of a service in one environment."""
    return f"{owner.environment}.{owner.service}"


def name_of(owner: Owner, wanted: provided.Account) -> str:
    """Return what a resource is called in its account."""
    if isinstance(wanted, provided.KeyValue) and len(owner.resource) < _LEAST:
        return f"{owner.resource}-table"
    return owner.resource


def declaration(wanted: provided.Account) -> declarations.Declaration:
    """Return a resource in the words of the engine."""
    match wanted:
        case provided.Queue():
            return declarations.Queue(
                fifo=wanted.fifo,
                visibility=wanted.visibility,
                retain=wanted.retain,
                delay=wanted.delay,
                attempts=wanted.attempts,
                dead_letter=wanted.dead_letter,
            )
        case provided.Topic():
            return declarations.Topic(fifo=wanted.fifo, to=wanted.to)
        case provided.KeyValue():
            return declarations.Table(
                key=wanted.key,
                sort=wanted.sort,
                ttl=wanted.ttl,
                indexes={name: (one.key, one.sort) for name, one in wanted.indexes.items()},
                stream=wanted.stream,
            )
        case provided.Stream():
            return declarations.Stream(shards=wanted.shards, retain=wanted.retain)
        case provided.EncryptionKey():
            return declarations.Key(
                rotate=wanted.rotate.total_seconds(), encrypt=wanted.encrypt, decrypt=wanted.decrypt
            )
        case provided.Function() | provided.BatchJob():
            return _declared_run(wanted)
        case _:
            assert_never(wanted)


def _declared_run(wanted: provided.Function | provided.BatchJob) -> declarations.Declaration:
    if isinstance(wanted, provided.Function):
        return declarations.Function(wanted.timeout)
    return declarations.Job()
