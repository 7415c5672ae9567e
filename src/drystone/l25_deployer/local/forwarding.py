"""Lead connections from a port of this machine to an instance, in whatever network it lives, or to a resource."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.namespaces import connect
from drystone.l25_deployer.errors import NoInstance, PortTaken, TargetNotFound
from drystone.l25_deployer.local.instances import State
from drystone.l25_deployer.operations.api import Forwarding
from drystone.l25_deployer.stacks.model import WEB

if TYPE_CHECKING:
    from drystone.l25_deployer.local.instances import KeptInstance
    from drystone.l25_deployer.local.kept_service import KeptService

LOOPBACK = "127.0.0.1"
PIECE = 64 * 1024
MOST_CONNECTIONS = 100

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Way:
    """Finds, for each connection anew, where it is to be led; an instance may have been replaced meanwhile."""

    def __init__(self, kept: KeptService, to: str | None, remote: int | None) -> None:
        self._kept = kept
        self._to = to
        self._remote = remote

    def target(self) -> str:
        """Name where connections go now.

        Raises:
            NoInstance: Nothing runs.
            TargetNotFound: There is no such place.
        """
        if (place := self._resource()) is not None:
            return f"{self._to}:{place[1]}"
        one, port = self._instance()
        return f"{one.blueprint.spec.id}:{port}"

    async def open(self) -> Streams:
        """Connect there.

        Raises:
            PlatformError: There is no such place now.
            OSError: It does not take the connection.
        """
        if (place := self._resource()) is not None:
            return await asyncio.open_connection(*place)
        one, port = self._instance()
        return await connect(port, one.network)

    def _resource(self) -> tuple[str, int] | None:
        kept, name = self._kept, self._to
        if name is None or name not in kept.record.eternal:
            return None
        place = kept.place_of(name)
        if place is None:
            raise TargetNotFound(f"'{name}' of {kept.name} is not reached over the network")
        if self._remote not in {None, place[1]}:
            raise TargetNotFound(f"'{name}' of {kept.name} listens on {place[1]} alone")
        return place

    def _instance(self) -> tuple[KeptInstance, int]:
        kept, running = self._kept, self._kept.active
        every = running.instances if running is not None else ()
        if not every:
            raise NoInstance(f"no instance of {kept.name} runs; deploy it first")
        named = [one for one in every if self._to in _names(one)]
        if not named:
            raise TargetNotFound(
                f"{kept.name} has no instance, group or resource '{self._to or WEB}'; it has:"
                f" {', '.join([*sorted(kept.record.eternal), *(o.blueprint.spec.id for o in every)])}"
            )
        one = next((one for one in named if one.state is State.HEALTHY), named[0])
        if self._remote is None and one.blueprint.port is not None:
            return one, one.blueprint.port
        listening = one.listening_ports()
        if self._remote not in listening:  # what else listens here is not this service's
            raise TargetNotFound(
                f"{one.blueprint.spec.id} does not listen on {self._remote or 'a port of its own'};"
                f" it listens on: {', '.join(map(str, listening)) or 'nothing'}"
            )
        return one, self._remote


def _names(one: KeptInstance) -> tuple[str | None, ...]:
    names: tuple[str | None, ...] = (one.blueprint.spec.id, one.blueprint.group)
    return (*names, None) if one.blueprint.port is not None else names


async def forward(
    kept: KeptService, to: str | None, remote: int | None, local: int | None
) -> AsyncIterator[Forwarding]:
    """Open a port and tell it, then tell of each connection; all of them end with the stream.

    Raises:
        NoInstance: Nothing of the service runs that could be reached.
        TargetNotFound: There is no such place.
        PortTaken: The port is another program's.
    """
    way = _Way(kept, to, remote)
    target = way.target()
    told: asyncio.Queue[Forwarding] = asyncio.Queue(MOST_CONNECTIONS)
    serving: set[asyncio.Task[None]] = set()
    address, count = "", 0

    async def lead(here: Streams, number: int) -> None:
        problem, led, there = "", target, None
        try:
            led = way.target()
            there = await way.open()
        except (PlatformError, OSError) as e:
            problem = str(e) or type(e).__name__
            here[1].close()
        with suppress(asyncio.QueueFull):  # whoever does not listen is not told
            told.put_nowait(Forwarding(address, led, number, problem))
        if there is not None:
            await _join(here, there)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        if len(serving) >= MOST_CONNECTIONS:
            writer.close()
            return
        count += 1
        task = asyncio.get_running_loop().create_task(lead((reader, writer), count))
        serving.add(task)
        task.add_done_callback(serving.discard)

    try:
        server = await asyncio.start_server(accept, LOOPBACK, local or 0, limit=PIECE)
    except OSError as e:
        raise PortTaken(f"{LOOPBACK}:{local} cannot be opened: {e}; choose another port") from e
    try:
        address = f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        yield Forwarding(address, target)
        while True:
            yield await told.get()
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _join(one: Streams, other: Streams) -> None:
    """Pass on what comes from either side, until both have ended; the end of one way is passed on, too."""
    try:
        await asyncio.gather(_pass_on(one[0], other[1]), _pass_on(other[0], one[1]))
    except OSError:
        pass
    finally:
        for _, writer in (one, other):
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
