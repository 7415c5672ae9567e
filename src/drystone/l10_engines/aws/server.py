"""The engine: queues, topics, tables, streams and keys by the protocols of AWS, in one process for all services of a home."""

from __future__ import annotations

import abc
import asyncio
import email.parser
import json
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import structs
from typing_extensions import override

import drystone
from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.aws.access import AccountAccess, Made
from drystone.l10_engines.aws.declarations import Declaration, Key, Queue
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.aws.orders import (
    ADMINISTRATION,
    TOKEN,
    Added,
    Ask,
    Contents,
    Copying,
    Renewal,
    Seen,
    Standing,
    Waiting,
    Wanted,
)
from drystone.l10_engines.supervision.errors import EngineFailed
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import Engine

T = TypeVar("T")

MEBIBYTE = 1024 * 1024

MOST = 64 * MEBIBYTE
"""Bytes on disk that the account of a service may hold; in memory they are some four times as many."""

_PROBE_LIMIT_S = 1.0
_ASK_LIMIT_S = 30.0


class AwsEngine(Engine):
    """What answers by the protocols of AWS, here or elsewhere."""

    @abc.abstractmethod
    async def declare(
        self, owner: str, name: str, wanted: Declaration
    ) -> tuple[AccountAccess, Made]:
        """Make something be as it is declared, in the account of its owner. Idempotent.

        Args:
            owner: Whose account; it is opened when there is none.
            name: What it is called there: small letters, digits and hyphens.
            wanted: What it is to be.

        Returns:
            The account with its keys, which open no other, and what was made.

        Raises:
            NotDeclarable: It is there as something that does not become this in place.
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def remove(self, owner: str, name: str, was: Declaration) -> None:
        """Remove something and all that it holds. Idempotent.

        With the last thing that is declared in it, the account goes: its key, and what a service made there itself.

        Args:
            owner: Whose account.
            name: What it is called there.
            was: What it was declared to be.

        Raises:
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def waiting(self, owner: str, name: str, queue: Queue) -> int | None:
        """Return how many messages of a queue can be taken; None where it is not there.

        Args:
            owner: Whose account.
            name: What it is called there.
            queue: What it was declared to be.

        Raises:
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def ask(
        self, owner: str, service: str, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        """Ask a service in the name of an account; what it changes is on disk when this returns.

        Args:
            owner: Whose account.
            service: One that speaks JSON, such as ``sqs``.
            action: What, as its protocol calls it.
            data: About what.

        Raises:
            NotDeclarable: The service refuses; the detail ``code`` is what it calls the reason.
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def added(self, seen: Seen) -> Added:
        """Wait until messages or records are added to any account, or for some 20 seconds.

        Args:
            seen: What the last answer said.

        Raises:
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def renew(self, owner: str, step: Literal["begin", "end", "withdraw"]) -> None:
        """Replace the key of an account. Idempotent; nothing to do for who has no account.

        Args:
            owner: Whose account.
            step: ``begin`` makes another key, which opens it beside the former one and is given out from now on; ``end`` lets that
                one alone open it, ``withdraw`` the former one.

        Raises:
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def copy(self, owner: str, name: str, wanted: Declaration, file: Path) -> Contents:
        """Copy what a resource holds into a file that does not exist yet, as of one moment.

        Args:
            owner: Whose account.
            name: What it is called there.
            wanted: What it is declared to be.
            file: Where to.

        Raises:
            NotDeclarable: Such a resource keeps nothing, or it is not there.
            EngineFailed: The engine does not answer, or there is no room.
        """

    @abc.abstractmethod
    async def lay_out(self, owner: str, name: str, wanted: Declaration, file: Path) -> None:
        """Read a copy, beside what the resource holds.

        Raises:
            NotDeclarable: It is no copy.
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def laid_out(self, owner: str, name: str, wanted: Declaration) -> Contents:
        """Return what was read and is to take the place of what the resource holds.

        Raises:
            NotDeclarable: Nothing was, since the engine started.
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def put_in_place(self, owner: str, name: str, wanted: Declaration) -> None:
        """Let the resource hold what was laid out, and nothing else: all of it or nothing is on disk.

        Raises:
            NotDeclarable: Nothing was laid out since the engine started, or the resource is not there.
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def discard(self, owner: str, name: str, wanted: Declaration) -> None:
        """Forget what was laid out. Idempotent.

        Raises:
            EngineFailed: The engine does not answer.
        """

    @abc.abstractmethod
    async def add_version(self, owner: str, name: str) -> None:
        """Let a new version of a key encrypt from now on; the earlier ones decrypt what they encrypted.

        Args:
            owner: Whose account.
            name: What the key is called there.

        Raises:
            NotDeclarable: There is no such key.
            EngineFailed: The engine does not answer.
        """


class AwsStandIn(LocalEngine, AwsEngine):
    """The stand-in, as a process on a loopback port.

    Args:
        name: The engine's name among all engines of one home.
        directory: The engine's own directory. All that is kept is ``data/state.sqlite``.
        most: Bytes that an account may hold.
        agent: Socket at which the agent takes requests for functions and jobs; None where nobody does.
        patience: How long it is waited for.
    """

    program: ClassVar[str] = Path(sys.executable).resolve().name

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        most: int = MOST,
        agent: Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(name, directory, memory=4 * most, patience=patience)
        self._agent = agent
        self._most = most
        self._token_file = directory / "token"

    @property
    def endpoint(self) -> str:
        """The URL of every protocol.

        Raises:
            EngineFailed: The engine was never started.
        """
        return f"http://127.0.0.1:{self.port}"

    @override
    async def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        if not self._token_file.exists():
            write_atomically(self._token_file, secrets.token_urlsafe(32).encode())

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        options = {"port": ports["clients"], "token": self._token_file, "most": self._most}
        if self._agent is not None:
            options["agent"] = self._agent
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return Launch(
            command=(sys.executable, "-P", "-m", "drystone.l10_engines.aws", *words),
            env={
                "PATH": "/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "HOME": str(self.data),
                "TMPDIR": str(self.data),
                "AUTH": "false",  # who asks is seen before the simulator is
            },
        )

    @override
    async def probe(self) -> bool:
        try:
            await self._order("here", b"{}", limit=_PROBE_LIMIT_S)
        except (OSError, EngineFailed):
            return False
        return True

    @override
    async def ask_version(self) -> str:
        return drystone.__version__

    @override
    async def declare(
        self, owner: str, name: str, wanted: Declaration
    ) -> tuple[AccountAccess, Made]:
        order = msgspec.json.encode(Wanted(owner, name, wanted))
        standing = msgspec.json.decode(await self._ask("declare", order), type=Standing)
        url = f"{self.endpoint}{standing.made.url}"
        return structs.replace(standing.access, endpoint=self.endpoint), structs.replace(
            standing.made, url=url
        )

    @override
    async def remove(self, owner: str, name: str, was: Declaration) -> None:
        await self._ask("remove", msgspec.json.encode(Wanted(owner, name, was)))

    @override
    async def waiting(self, owner: str, name: str, queue: Queue) -> int | None:
        order = msgspec.json.encode(Wanted(owner, name, queue))
        return msgspec.json.decode(await self._ask("waiting", order), type=Waiting).count

    @override
    async def ask(
        self, owner: str, service: str, action: str, data: dict[str, Any]
    ) -> dict[str, Any]:
        body = msgspec.json.encode(Ask(owner, service, action, data))
        found: dict[str, Any] = json.loads(await self._ask("ask", body))
        return found

    @override
    async def added(self, seen: Seen) -> Added:
        found = await self._ask("added", msgspec.json.encode(seen))
        return msgspec.json.decode(found, type=Added)

    @override
    async def add_version(self, owner: str, name: str) -> None:
        await self._ask("version", msgspec.json.encode(Wanted(owner, name, Key())))

    @override
    async def renew(self, owner: str, step: Literal["begin", "end", "withdraw"]) -> None:
        await self._ask("renew", msgspec.json.encode(Renewal(owner, step)))

    @override
    async def copy(self, owner: str, name: str, wanted: Declaration, file: Path) -> Contents:
        order = Copying(Wanted(owner, name, wanted), str(file))
        found = await self._ask("copy", msgspec.json.encode(order))
        return msgspec.json.decode(found, type=Contents)

    @override
    async def lay_out(self, owner: str, name: str, wanted: Declaration, file: Path) -> None:
        order = Copying(Wanted(owner, name, wanted), str(file))
        await self._ask("lay-out", msgspec.json.encode(order))

    @override
    async def laid_out(self, owner: str, name: str, wanted: Declaration) -> Contents:
        order = Copying(Wanted(owner, name, wanted))
        found = await self._ask("laid-out", msgspec.json.encode(order))
        return msgspec.json.decode(found, type=Contents)

    @override
    async def put_in_place(self, owner: str, name: str, wanted: Declaration) -> None:
        await self._ask("put", msgspec.json.encode(Copying(Wanted(owner, name, wanted))))

    @override
    async def discard(self, owner: str, name: str, wanted: Declaration) -> None:
        with suppress(NotDeclarable):  # there is no such account
            await self._ask("discard", msgspec.json.encode(Copying(Wanted(owner, name, wanted))))

    async def _ask(self, order: str, body: bytes) -> bytes:
        try:
            return await self._order(order, body, limit=_ASK_LIMIT_S)
        except OSError as e:
            raise EngineFailed(
                f"{self.name} was ready and then did not answer: {e}; see {self.log}",
                engine=self.name,
            ) from e

    async def _order(self, order: str, body: bytes, *, limit: float) -> bytes:
        async with asyncio.timeout(limit):  # a TimeoutError is an OSError
            status, content = await _post(self.port, order, body, self._token())
        if status == 422:
            refused = json.loads(content)
            raise NotDeclarable(refused["message"], code=refused.get("code", ""))
        if status != 200:
            raise ConnectionError(f"it answers {status}")
        return content

    def _token(self) -> str:
        return self._token_file.read_text()


async def _post(port: int, order: str, body: bytes, token: str) -> tuple[int, bytes]:
    """Send one request in one connection, without a thread: whoever waits for additions waits long.

    Returns:
        The status and the body of the answer.

    Raises:
        OSError: Nobody answers, or not by HTTP.
    """
    head = (
        f"POST {ADMINISTRATION}{order} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"{TOKEN}: {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + body)
        await writer.drain()
        said = await reader.readuntil(b"\r\n\r\n")
        fields = email.parser.BytesHeaderParser().parsebytes(said.partition(b"\r\n")[2])
        content = await reader.readexactly(int(fields["content-length"]))
        return int(said.split(b" ", 2)[1]), content
    except (EOFError, ValueError, TypeError, asyncio.LimitOverrunError) as e:
        raise ConnectionError(repr(e)) from e
    finally:
        writer.close()
