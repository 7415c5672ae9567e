"""The server from which Envoys get their configuration: gRPC on a unix socket.

A stream rather than watched files, since every watched file of an Envoy takes one of the user's few
inotify instances and the first that is missing kills the Envoy; a stream also tells what Envoy refuses.
An Envoy goes on with what it has when this server is gone, and connects again within a second.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

# gRPC's own handlers crash a child that is forked while one of its threads works; children here only execute.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc
import msgspec
from grpc import aio

from drystone.l10_engines.proxy.conversation import Conversation
from drystone.l10_engines.proxy.errors import ProxyRefused, ProxyUnavailable
from drystone.l10_engines.proxy.incremental import IncrementalConversation
from drystone.l10_engines.proxy.messages import message_class
from drystone.l10_engines.proxy.snapshot import NOTHING, PackedSnapshot, Snapshot, pack_snapshot

EDGE = "edge"
_SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_Talk = Conversation | IncrementalConversation

# An Envoy that an older agent started asks for everything whenever anything changes, until it is replaced.
_METHODS: tuple[tuple[str, str, Callable[[], _Talk]], ...] = (
    ("DeltaAggregatedResources", "DeltaDiscoveryRequest", IncrementalConversation),
    ("StreamAggregatedResources", "DiscoveryRequest", Conversation),
)


class ConnectedProxy(msgspec.Struct, frozen=True):
    """An Envoy that is connected now.

    Attributes:
        node: The ``node.id`` of its bootstrap.
        group: The ``node.cluster`` of its bootstrap.
        version: The snapshot that it has accepted wholly; None while it has not.
        refusals: What it refuses: Envoy's words by kind of resource.
    """

    node: str
    group: str
    version: int | None
    refusals: dict[str, str]


class _Client:
    def __init__(self, conversation: _Talk) -> None:
        self.conversation = conversation
        self.wake = asyncio.Event()
        self.gone = False


class Ads:
    """Serves snapshots to the Envoys of one host, a snapshot to each group of them.

    Nothing is sent to a group before its first snapshot is published: an agent that has just started
    and knows nothing yet must not take away what runs.

    Args:
        socket: Where to listen; the socket has mode 0600 from the first moment on.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._server: aio.Server | None = None
        self._clients: set[_Client] = set()
        self._snapshots: dict[str, PackedSnapshot] = {}
        self._version = 0
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Begin to serve, once; a socket that a dead server left is replaced.

        Raises:
            ProxyUnavailable: The socket cannot be made.
        """
        if self._server is not None:
            return
        server = aio.server(options=[("grpc.max_receive_message_length", 16 << 20)])
        server.add_generic_rpc_handlers((self._handlers(),))
        # The socket is bound inside a folder that only this user enters, and then moved.
        with tempfile.TemporaryDirectory(prefix=".", dir=self.socket.parent) as private:
            place = Path(private, "s")
            try:
                server.add_insecure_port(f"unix:{place}")
                await server.start()
                place.chmod(0o600)  # noqa: ASYNC240 - a system call that never waits
                place.rename(self.socket)  # noqa: ASYNC240 - the same
            except (RuntimeError, OSError) as e:
                raise ProxyUnavailable(
                    f"cannot listen at {self.socket}: {e}; is its path longer than 90 bytes?"
                ) from e
        self._server = server

    async def stop(self) -> None:
        """Close every stream and remove the socket; the Envoys go on with what they have."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)
            self.socket.unlink(missing_ok=True)

    async def publish(self, snapshot: Snapshot, *, group: str = EDGE) -> int:
        """Make a snapshot the configuration of a group and send it to those who are connected.

        Returns:
            Its version, for :meth:`applied`.

        Raises:
            InvalidProxyConfig: The snapshot does not fit Envoy's types; the one before stays.
        """
        packed = pack_snapshot(snapshot, self._version + 1, self._snapshots.get(group, NOTHING))
        self._version = packed.version
        self._snapshots[group] = packed
        for client in self._clients:
            client.wake.set()
        return packed.version

    def forget(self, group: str) -> None:
        """Forget the snapshot of a group that is no more; an Envoy of it that is still there keeps what it has."""
        self._snapshots.pop(group, None)

    async def applied(self, version: int, within: timedelta, *, group: str = EDGE) -> None:
        """Wait until every connected Envoy of the group has accepted this snapshot or a later one.

        Raises:
            ProxyRefused: One refuses part of it; the message has Envoy's words.
            ProxyUnavailable: The time is over, or no Envoy is connected when it is.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                while not self._is_applied(version, group):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            waiting = [c.node for c in self.connected(group) if (c.version or 0) < version]
            who = f"waiting for {', '.join(waiting)}" if waiting else "no Envoy is connected"
            raise ProxyUnavailable(
                f"the proxy has not taken configuration {version} within"
                f" {within.total_seconds():g} s: {who}; see its log"
            ) from None

    def connected(self, group: str = EDGE) -> list[ConnectedProxy]:
        """Return the Envoys of a group that are connected now."""
        return [
            ConnectedProxy(
                talk.node,
                talk.group,
                talk.snapshot.version if talk.has_applied(1) else None,
                talk.refusals(),
            )
            for talk in (client.conversation for client in self._clients)
            if talk.group == group
        ]

    async def moved(self) -> None:
        """Wait until an Envoy connects, leaves or answers."""
        self._moved.clear()
        await self._moved.wait()

    def _is_applied(self, version: int, group: str) -> bool:
        talks = [c.conversation for c in self._clients if c.conversation.group == group]
        for talk in talks:
            refusals = talk.refusals()
            if refusals and talk.snapshot.version >= version:
                words = "; ".join(f"{kind}: {text}" for kind, text in refusals.items())
                raise ProxyRefused(
                    f"the proxy {talk.node} refused configuration {version}: {words}"
                )
        return bool(talks) and all(talk.has_applied(version) for talk in talks)

    def _handlers(self) -> grpc.GenericRpcHandler[Any, Any]:
        methods = {
            name: grpc.stream_stream_rpc_method_handler(
                partial(self._converse, conversation),
                request_deserializer=message_class(
                    f"envoy.service.discovery.v3.{request}"
                ).FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name, request, conversation in _METHODS
        }
        return grpc.method_handlers_generic_handler(_SERVICE, methods)

    async def _converse(
        self,
        conversation: Callable[[], _Talk],
        requests: AsyncIterator[Any],
        _context: object,
    ) -> AsyncIterator[Any]:
        client = _Client(conversation())
        self._clients.add(client)
        listener = asyncio.create_task(self._listen(client, requests))
        try:
            while not client.gone:
                await client.wake.wait()
                client.wake.clear()
                snapshot = self._snapshots.get(client.conversation.group)
                if snapshot is not None:
                    for response in client.conversation.responses(snapshot):
                        yield response
                self._moved.set()
        finally:
            self._clients.discard(client)
            self._moved.set()
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener

    async def _listen(self, client: _Client, requests: AsyncIterator[Any]) -> None:
        try:
            async for request in requests:
                client.conversation.receive(request)
                client.wake.set()
        finally:
            client.gone = True
            client.wake.set()
