"""What services sent that is no TCP: the kernel refuses it and counts, and nobody else sees it.

Counts are those of a network since it was made, so what was seen of each is kept in a file: an agent that begins anew tells of
what happened meanwhile, and not of the same twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l35_mesh.observed.attempts import Attempt, is_issuer
from drystone.l35_mesh.observed.tally import Tally, Times

if TYPE_CHECKING:
    from drystone.l10_engines.networks.driver import Networks
    from drystone.l10_engines.networks.refusals import Refusals


class Seen(msgspec.Struct, frozen=True):
    """What was seen of one destination.

    Attributes:
        attempt: What was sent where; other protocols are counted alone.
        times: How often, and when.
    """

    attempt: Attempt
    times: Times


class Datagrams:
    """Reads what the kernel counted, where it refused something since the last time.

    Args:
        networks: Of services.
        memory: File for what was seen.
        tally: Where attempts are counted.
    """

    def __init__(self, networks: Networks, memory: Path, tally: Tally) -> None:
        self._networks = networks
        self._memory = memory
        self._tally = tally
        self._known: dict[str, dict[Attempt, Times]] | None = None
        self._sent: dict[str, int] = {}

    async def look(self, now: datetime) -> None:
        """Take note of what was refused since the last time; a network that cannot be read now is read the next time."""
        if self._known is None:
            self._known = self._remembered()
            for attempts in self._known.values():
                for attempt, times in attempts.items():
                    self._tally.put(attempt, times)
        try:
            sent = await asyncio.to_thread(self._networks.refusals_sent)
        except OSError:  # the machine is short of something: who looks the next time sees it all
            return
        stirred = {name: count for name, count in sent.items() if self._sent.get(name) != count}
        changed = False
        for network, count in stirred.items():
            with suppress(PlatformError, OSError):
                changed |= await self._read(network, now)
                self._sent[network] = count
        self._sent = {name: count for name, count in self._sent.items() if name in sent}
        if self._known.keys() - sent.keys():
            self._known = {name: seen for name, seen in self._known.items() if name in sent}
            changed = True
        if changed:
            with suppress(
                OSError, PlatformError
            ):  # without room, an agent that begins anew knows less
                await asyncio.to_thread(self._write)

    async def _read(self, network: str, now: datetime) -> bool:
        """Take note of what one network counted; tell whether there is anything new."""
        name = network.partition("@")[0]
        service, _, environment = name.partition(".")
        caller = f"{environment}/{service}"
        found = await self._networks.refused(name) if is_issuer(caller) else None
        if found is None or self._known is None:
            return False
        seen = self._known.setdefault(network, {})
        is_new = False
        for attempt, count in _attempts(caller, found):
            before = seen.get(attempt)
            # Counts begin anew where the rules of another version were replaced.
            more = count - (before.count if before and before.count <= count else 0)
            if more:
                new = Times(more, now, now)
                self._tally.put(attempt, new)
                seen[attempt] = new if before is None else before.joined(new)
                seen[attempt] = msgspec.structs.replace(seen[attempt], count=count)
                is_new = True
        return is_new

    def _remembered(self) -> dict[str, dict[Attempt, Times]]:
        kind = dict[str, list[Seen]]
        kept: Mapping[str, list[Seen]] = {}
        with suppress(msgspec.DecodeError):  # what is counted now is told once more
            kept = msgspec.json.decode(read_if_exists(self._memory) or b"{}", type=kind)
        return {network: {one.attempt: one.times for one in seen} for network, seen in kept.items()}

    def _write(self) -> None:
        kept = {
            network: [Seen(attempt, times) for attempt, times in seen.items()]
            for network, seen in (self._known or {}).items()
            if seen
        }
        write_atomically(self._memory, msgspec.json.encode(kept))


def _attempts(caller: str, found: Refusals) -> Iterator[tuple[Attempt, int]]:
    for one in found.destinations:
        way: Literal["udp", "icmp"] = "udp" if one.port else "icmp"
        yield Attempt(way=way, caller=caller, host=one.address, port=one.port), one.packets
    if found.other:
        yield Attempt(way="other", caller=caller), found.other
