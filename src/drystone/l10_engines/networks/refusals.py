"""What somebody in a network tried in vain, as the kernel counted it. Pure: reads what ``nft -j list table`` says.

Connections that led elsewhere are the business of whoever listens at the catcher, who knows where each was to go;
here they are a number. All else is refused by the kernel itself, and only it knows.
"""

from __future__ import annotations

import msgspec


class Destination(msgspec.Struct, frozen=True):
    """Where datagrams were to go.

    Attributes:
        address: IPv4 or IPv6.
        port: UDP port; 0 for one of ICMP, such as a ping.
        packets: How many were refused.
    """

    address: str
    port: int
    packets: int


class Refusals(msgspec.Struct, frozen=True):
    """What was refused in a network since it was made, in packets.

    Attributes:
        caught: Connections that were led to the catcher.
        udp: Datagrams to other addresses.
        icmp: Among them those of ``ping``.
        other: Everything else: other protocols, and connections beyond the number that the catcher may have.
        destinations: Where datagrams were to go, the most frequent first; of each protocol the first 256 of each version of IP.
    """

    caught: int
    udp: int
    icmp: int
    other: int
    destinations: tuple[Destination, ...] = ()


class _Counter(msgspec.Struct, frozen=True):
    packets: int
    name: str = ""


class _Value(msgspec.Struct, frozen=True):
    concat: tuple[str, str, int]


class _Element(msgspec.Struct, frozen=True):
    val: _Value | str
    counter: _Counter


class _Entry(msgspec.Struct, frozen=True):
    elem: _Element


class _Set(msgspec.Struct, frozen=True):
    name: str
    elem: list[msgspec.Raw] = []


class _Item(msgspec.Struct, frozen=True):
    counter: _Counter | None = None
    set: _Set | None = None


class _Table(msgspec.Struct, frozen=True):
    nftables: list[_Item]


def read(listed: bytes) -> Refusals:
    """Read the listing of a network's table.

    Raises:
        ValueError: It is none.
    """
    items = msgspec.json.decode(listed, type=_Table).nftables
    counts = {one.counter.name: one.counter.packets for one in items if one.counter}
    remembered = (
        msgspec.json.decode(entry, type=_Entry).elem
        for one in items
        if one.set is not None and one.set.name.startswith(("refused_", "pinged_"))
        for entry in one.set.elem
    )
    found = [_destination(one) for one in remembered]
    found.sort(key=lambda one: (-one.packets, one.address, one.port))
    return Refusals(
        caught=counts.get("caught", 0),
        udp=counts.get("refused_udp", 0),
        icmp=counts.get("refused_icmp", 0),
        other=counts.get("refused_other", 0),
        destinations=tuple(found),
    )


def _destination(one: _Element) -> Destination:
    if isinstance(one.val, str):
        return Destination(one.val, 0, one.counter.packets)
    address, _, port = one.val.concat
    return Destination(address, port, one.counter.packets)
