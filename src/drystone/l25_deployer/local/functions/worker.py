"""One process that runs a function: it is started, answers one call after the other, and ends.

It is an instance like those of the service: in the same runtime and network, with its own limits, and ended with all that it left behind.
What is awaited from it is bounded in time and size, so that nothing that a function does holds up the platform.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.handing_over import frame, read_frame
from drystone.l10_engines.on_demand.private_socket import listener_at

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.port import Instance, InstanceSpec, Runtime

MOST_PAYLOAD = 6 * 1024 * 1024
"""Bytes of a call that somebody waits for, and of its answer (Lambda quotas)."""

TAIL = 4096
"""Bytes of the log of a call that whoever asks for them is given."""

BEGIN_WITHIN = timedelta(seconds=20)
"""How long a process may take until its handler can be called."""

_LAST_WORDS = 2.0


class Answer(msgspec.Struct, frozen=True):
    """What came of a call.

    Attributes:
        payload: What the function returned, or what is said of its failure, as JSON.
        is_failure: Whether it failed.
        log: The end of what it wrote meanwhile.
    """

    payload: bytes
    is_failure: bool = False
    log: bytes = b""


class Call(msgspec.Struct, frozen=True):
    """One call.

    Attributes:
        id: Names it.
        arn: Of the function.
        timeout: Seconds that it may take.
        payload: JSON.
    """

    id: str
    arn: str
    timeout: float
    payload: bytes


def failure(kind: str, message: str) -> bytes:
    """Write what is said of a failure."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def new_id() -> str:
    """Return a name for a call."""
    return str(uuid.uuid4())


class _Saying(msgspec.Struct, frozen=True):
    ok: bool


class Worker:
    """One process.

    Args:
        runtime: Where it runs.
        spec: How.
        socket: Where it comes to be told; its path is short enough for one.
        note: Told whether there is such a process, when it begins and when it has ended.
    """

    def __init__(
        self,
        runtime: Runtime,
        spec: InstanceSpec,
        socket: Path,
        note: Callable[[bool], None] = lambda _is_there: None,
    ) -> None:
        self._note = note
        self._runtime = runtime
        self._spec = spec
        self._socket = socket
        self._instance: Instance | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.is_usable = False
        """Whether it can be called once more."""

    async def begin(self) -> Answer | None:
        """Start it; None when it can be called, or else what is to be said to whoever called.

        Raises:
            PlatformError: The runtime refuses to start it.
        """
        came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        came = asyncio.get_running_loop().create_future()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if came.done():  # only the first is the process itself
                writer.close()
            else:
                came.set_result((reader, writer))

        server = await asyncio.start_unix_server(connected, sock=listener_at(self._socket))
        try:
            earlier = await self._runtime.find(self._spec.state)
            if earlier is not None and earlier.is_running():
                await earlier.stop(grace=timedelta(0))
            offset = await self._offset()
            self._note(True)
            self._instance = await self._runtime.start(self._spec)
            return await self._greet(came, offset)
        finally:
            server.close()
            self._socket.unlink(missing_ok=True)

    async def _greet(
        self,
        came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        offset: int,
    ) -> Answer | None:
        assert self._instance is not None  # noqa: S101 - it was started
        ending = asyncio.create_task(self._instance.wait())
        try:
            async with asyncio.timeout(BEGIN_WITHIN.total_seconds()):
                both: set[asyncio.Future[Any]] = {came, ending}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if came.done():
                    self._reader, self._writer = came.result()
                    said, payload = await read_frame(self._reader, most=MOST_PAYLOAD)
                    if msgspec.json.decode(said, type=_Saying).ok:
                        self.is_usable = True
                        return None
                    return Answer(payload, is_failure=True, log=await self._tail(offset))
        except TimeoutError:
            text = f"the function was not ready after {BEGIN_WITHIN.total_seconds():g} seconds"
            return Answer(failure("Sandbox.Timedout", text), True, await self._tail(offset))
        except (EOFError, ValueError, OSError, msgspec.MsgspecError):
            pass
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        text = f"the function's process {await self._how_it_ended()} before it was ready"
        return Answer(failure("Runtime.ExitError", text), True, await self._tail(offset))

    async def call(self, call: Call) -> Answer:
        """Have the function answer; when that fails by more than an error of the function, the process is not usable any more."""
        assert self._reader is not None and self._writer is not None  # noqa: S101, PT018 - it has begun
        offset = await self._offset()
        self.is_usable = False
        head = {"id": call.id, "arn": call.arn, "seconds": call.timeout}
        try:
            async with asyncio.timeout(call.timeout):
                self._writer.write(frame(head, call.payload))
                await self._writer.drain()
                said, payload = await read_frame(self._reader, most=MOST_PAYLOAD)
            is_ok = msgspec.json.decode(said, type=_Saying).ok
        except TimeoutError:
            text = f"{call.id} Task timed out after {call.timeout:.2f} seconds"
            return Answer(failure("Sandbox.Timedout", text), True, await self._tail(offset))
        except ValueError as e:  # too long, or no frame at all
            kind, text = "Function.ResponseSizeTooLarge", f"Response payload: {e}"
            return Answer(failure(kind, text), True, await self._tail(offset))
        except (EOFError, OSError, msgspec.MsgspecError):
            text = (
                f"RequestId: {call.id} Error: the function's process {await self._how_it_ended()}"
            )
            return Answer(failure("Runtime.ExitError", text), True, await self._tail(offset))
        self.is_usable = True
        return Answer(payload, not is_ok, await self._tail(offset))

    async def end(self) -> None:
        """End it, with all that belongs to it. Idempotent."""
        self.is_usable = False
        if self._writer is not None:
            self._writer.close()
        if self._instance is not None:
            with suppress(PlatformError):
                await self._instance.stop(grace=timedelta(0))
        self._note(False)

    async def _how_it_ended(self) -> str:
        assert self._instance is not None  # noqa: S101 - it was started
        try:
            async with asyncio.timeout(_LAST_WORDS):
                return (await self._instance.wait()).sentence()
        except TimeoutError:
            return "closed its connection to the platform"

    async def _offset(self) -> int:
        return await asyncio.to_thread(_size, self._spec.state / "log")

    async def _tail(self, offset: int) -> bytes:
        return await asyncio.to_thread(_read_tail, self._spec.state / "log", offset)


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _read_tail(log: Path, offset: int) -> bytes:
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(offset, size - TAIL) if size >= offset else max(0, size - TAIL))
            return stream.read(TAIL)
    except OSError:
        return b""
