"""Finds out where a name leads, and whether somebody listens there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from drystone.l35_mesh.migration.domain import Place, usable
from drystone.l35_mesh.migration.errors import TargetSilent, TargetUnfit

LOOK_UP_LIMIT = timedelta(seconds=5)
CONNECT_LIMIT = timedelta(seconds=2)


async def addresses_of(place: Place) -> tuple[str, ...]:
    """Return the IP addresses of a place.

    The agent asks, and not Envoy: a cluster that looks names up holds no addresses that it is given, and in it could not
    stand what answers when the other side does not. While the agent is away, the last addresses count.

    Raises:
        TargetUnfit: No name server knows the name.
    """
    if place.address is not None:
        return (place.address,)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_LIMIT.total_seconds()):
            found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as e:
        reason = getattr(e, "strerror", None) or "no answer"
        raise TargetUnfit(
            f"no address is known for {place.host} ({reason}): check the name, or give an IP address"
        ) from e
    return usable([str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found])


async def require_listener(addresses: Sequence[str], port: int) -> None:
    """Make sure that somebody listens.

    Raises:
        TargetSilent: Nobody does, at any of the addresses.
    """
    if not any(await asyncio.gather(*(_listens(address, port) for address in addresses))):
        raise TargetSilent(
            f"nobody listens at {', '.join(addresses)} port {port}: start the other side, then try again"
        )


async def _listens(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_LIMIT.total_seconds()):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
