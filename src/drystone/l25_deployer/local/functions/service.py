"""Calls the functions of services, in the release that serves.

A release that begins to serve gets the next call, and what runs in another one finishes there. A call that somebody waits for
is lost with the agent, as with a machine of Lambda; one that nobody waits for lies in a queue until it was answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.declaring import calls_name
from drystone.l25_deployer.local.functions.describing import describe, functions_of
from drystone.l25_deployer.local.functions.errors import (
    CallRefused,
    FunctionNotFound,
    FunctionNotReady,
)
from drystone.l25_deployer.local.functions.pool import Pool
from drystone.l25_deployer.local.functions.worker import (
    MOST_PAYLOAD,
    Answer,
    Call,
    Worker,
    new_id,
)

if TYPE_CHECKING:
    from drystone.l10_engines.aws.server import AwsEngine
    from drystone.l25_deployer.local.functions.bookmarks import Bookmarks
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.local.services import Services
    from drystone.l25_deployer.stacks.provided import Function

IDLE = timedelta(minutes=5)
"""How long a process is kept warm that nobody calls."""

MOST_QUEUED = 256 * 1024
"""Bytes of a call that nobody waits for (Lambda quotas)."""

_LOOK_S = 0.05
_EVERY_S = 1.0
_SOCKET = "call-"


class Called(msgspec.Struct, frozen=True):
    """A function, as it serves now.

    Attributes:
        environment: Where its service is deployed.
        service: Whose it is.
        name: Its own.
        function: What the release that serves says of it.
        release: Number of that release.
    """

    environment: str
    service: str
    name: str
    function: Function
    release: int

    @property
    def owner(self) -> str:
        """Whose account it lies in."""
        return f"{self.environment}.{self.service}"


class Functions:
    """The functions of all services of a home.

    Args:
        services: What is deployed.
        aws: Holds the queues in which calls wait.
        socket: Gives the path of a socket that has a name; see :meth:`~drystone.l00_kernel.home.Home.socket`.
        bookmarks: Where it is kept how far they have come with streams.
        idle: How long a process is kept warm.
    """

    def __init__(
        self,
        services: Services,
        aws: AwsEngine,
        socket: Callable[[str], Path],
        bookmarks: Bookmarks,
        *,
        idle: timedelta = IDLE,
    ) -> None:
        self._services = services
        self._aws = aws
        self._socket = socket
        self._bookmarks = bookmarks
        self._idle = idle
        self._pools: dict[tuple[str, str, str, int], Pool] = {}
        self._sockets = 0
        self._cooling: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look after the processes from now on."""
        folder = self._socket(_SOCKET).parent
        for left in folder.glob(f"{_SOCKET}*"):  # of an earlier life
            left.unlink(missing_ok=True)
        self._cooling = asyncio.create_task(self._cool(), name="functions")

    async def leave(self) -> None:
        """End all processes: nobody can tell them anything any more."""
        if self._cooling is not None:
            self._cooling.cancel()
            await asyncio.gather(self._cooling, return_exceptions=True)
        pools, self._pools = self._pools, {}
        await asyncio.gather(*(pool.end() for pool in pools.values()))

    async def end(self, environment: str, service: str, name: str | None = None) -> None:
        """End the processes of a service, or of one function of it, at once."""
        keys = [k for k in self._pools if k[:2] == (environment, service) and name in {None, k[2]}]
        pools = [self._pools.pop(key) for key in keys]
        await asyncio.gather(*(pool.end() for pool in pools))

    async def renew(self, environment: str, service: str, name: str) -> None:
        """Let the next call of a function meet a process with its service's values as they are now.

        Returns when all processes with other values have ended, which answer first what they have.
        """
        keys = [key for key in self._pools if key[:3] == (environment, service, name)]
        pools = [self._pools.pop(key) for key in keys]
        for pool in pools:
            await pool.close()
        while pools := [pool for pool in pools if not pool.is_empty]:
            await asyncio.sleep(_LOOK_S)  # a call takes as long as its function may
            for pool in pools:
                await pool.cool(timedelta(0))

    async def forget(self, environment: str, service: str, name: str) -> None:
        """End the processes of a function that goes, and forget how far it has come."""
        await self.end(environment, service, name)
        await asyncio.to_thread(self._bookmarks.forget, f"{environment}.{service}", name)

    def pools(self, environment: str, service: str, name: str) -> list[Pool]:
        """Return the processes of a function, of each release apart."""
        wanted = (environment, service, name)
        return [pool for key, pool in self._pools.items() if key[:3] == wanted]

    def all(self, environment: str, service: str) -> list[Called]:
        """Return the functions of a service that serve now, by name."""
        kept = self._services.find(environment, service)
        release = kept.active_release() if kept is not None else None
        if release is None:
            return []
        return [
            Called(environment, service, name, function, release.number)
            for name, function in sorted(functions_of(release).items())
        ]

    def find(self, environment: str, service: str, name: str) -> Called:
        """Return a function that serves now.

        Raises:
            FunctionNotFound: The service has none of this name.
            FunctionNotReady: It has, in a release that does not serve yet.
        """
        found = next((one for one in self.all(environment, service) if one.name == name), None)
        if found is not None:
            return found
        kept = self._services.find(environment, service)
        if kept is not None and name in kept.record.eternal:
            raise FunctionNotReady(
                f"the release of {service} that has the function {name!r} does not serve yet"
            )
        raise FunctionNotFound(f"{service} has no function {name!r} in {environment}")

    async def call(
        self, called: Called, payload: bytes, *, arn: str, id_: str | None = None, wait: float = 0
    ) -> Answer:
        """Have a function answer.

        Args:
            called: Which.
            payload: JSON.
            arn: Its name among all things.
            id_: Names the call.
            wait: Seconds to wait when as many calls run as may.

        Raises:
            CallRefused: The payload is too long, or no JSON; or the function has no code here.
            TooManyCalls: As many calls run as may.
            PlatformError: No process can be started now.
        """
        if len(payload) > MOST_PAYLOAD:
            raise CallRefused(
                f"a call has {MOST_PAYLOAD} bytes at most, and this one {len(payload)}"
            )
        require_json(payload)
        kept = self._services.existing(called.environment, called.service)
        pool = self._pool(kept, kept.release(called.release), called)
        timeout = float(called.function.timeout)
        return await pool.call(Call(id_ or new_id(), arn, timeout, payload or b"null"), wait=wait)

    async def enqueue(self, called: Called, payload: bytes) -> str:
        """Take a call that nobody waits for; returns its name when it is on disk.

        Raises:
            CallRefused: The payload is too long, or no JSON.
            PlatformError: It cannot be kept.
        """
        if len(payload) > MOST_QUEUED:
            raise CallRefused(
                f"a call that nobody waits for has {MOST_QUEUED} bytes at most, and this one {len(payload)}"
            )
        text = require_json(payload)
        message = {"QueueUrl": calls_name(called.name), "MessageBody": text or "null"}
        sent = await self._aws.ask(called.owner, "sqs", "SendMessage", message)
        return str(sent["MessageId"])

    def _pool(self, kept: KeptService, release: ReleaseRecord, called: Called) -> Pool:
        key = (called.environment, called.service, called.name, called.release)
        if key not in self._pools:
            make = partial(self._worker, kept, release, called.name)
            self._pools[key] = Pool(make, called.function.concurrency)
        return self._pools[key]

    def _worker(self, kept: KeptService, release: ReleaseRecord, name: str, slot: int) -> Worker:
        self._sockets += 1
        socket = self._socket(f"{_SOCKET}{self._sockets:x}")
        spec = describe(
            kept.record,
            release,
            kept.surroundings(release),
            name=name,
            slot=slot,
            socket=socket,
        )
        runtime = kept.machine.runtime(release.isolation)

        def note(is_there: bool) -> None:
            if is_there:
                kept.beside[spec.id] = release.number
            else:
                kept.beside.pop(spec.id, None)

        return Worker(runtime, kept.with_keys(release.number, spec), socket, note)

    async def _cool(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            with suppress(PlatformError, OSError):
                await self.cool()

    async def cool(self) -> None:
        """End what nobody has called for long, and what belongs to releases that do not serve any more."""
        for key, pool in list(self._pools.items()):
            environment, service, name, number = key
            serving = {(one.name, one.release) for one in self.all(environment, service)}
            if (name, number) in serving:
                await pool.cool(self._idle)
                continue
            await pool.close()
            if pool.is_empty:
                self._pools.pop(key, None)


def require_json(payload: bytes) -> str:
    """Return a payload as a text.

    Raises:
        CallRefused: It is no JSON.
    """
    try:
        if payload:
            json.loads(payload)
        return payload.decode()
    except (ValueError, RecursionError) as e:
        raise CallRefused(f"the payload is no JSON: {e}") from e
