"""Records of flow logs put together to connections: who called whom, and which records are of the same connection.

Records come by thousands and are looked at column by column, since a log has millions of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from drystone.l05_graph.ingest.endpoints import Address, Endpoints, Known
from drystone.l05_graph.ingest.hosts import address_of
from drystone.l05_graph.ingest.remembered import MOST_REMEMBERED, Remembered
from drystone.l05_graph.ingest.source import Skips
from drystone.l05_graph.ingest.tally import LATEST, Tally

EPHEMERAL = 32768
"""The lowest port that Linux gives to who calls."""
SAME_CONNECTION = 600
"""In seconds: records of the same two ends within it are one call."""
MOST_CONNECTIONS = 400_000
"""So many are remembered."""
MOST_ADDRESSES = 1 << 20
"""So many addresses, and pairs of them, are told apart before everything that was remembered is forgotten."""

NEEDED = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "start")
_OF_CONNECTION = ("pkt-srcaddr", "pkt-dstaddr", "tcp-flags", "action", "log-status")
_OF_PLACE = ("interface-id", "flow-direction", "instance-id", "ecs-service-name")
FIELDS = (*NEEDED, *_OF_CONNECTION, *_OF_PLACE)
_PLACE = len(NEEDED) + len(_OF_CONNECTION)

Record = tuple[bytes, ...]
"""The texts of :data:`FIELDS`; empty or ``-`` for what is not there."""
Numbers = NDArray[np.int64]
Bools = NDArray[np.bool_]

_PROTOCOLS = {b"6": "tcp", b"17": "udp", b"132": "sctp"}
_NUMBER_OF = {text: number for number, text in enumerate(_PROTOCOLS)}
_NOTHING = (b"NODATA", b"SKIPDATA")
_MISSING = (b"", b"-")
_SYN, _SYN_ACK = 2, 18
_AT_ONCE = 50_000
"""So many records have four times as many addresses at most, which is less than there may be."""


class _Codes(dict[bytes, int]):
    """The numbers that texts mean, which come again and again; each is made once."""

    def __init__(self, make: Callable[[bytes], int], most: int = 1 << 17) -> None:
        super().__init__()
        self._make = make
        self._most = most

    def __missing__(self, text: bytes) -> int:
        if len(self) >= self._most:
            self.clear()
        self[text] = made = self._make(text)
        return made

    def of(self, column: Sequence[bytes]) -> Numbers:
        """Return the numbers of a column."""
        return np.fromiter(map(self.__getitem__, column), np.int64, len(column))


def _below(bound: int) -> Callable[[bytes], int]:
    """Return what reads a number below a bound; -1 for anything else."""

    def read(text: bytes) -> int:
        number = int(text) if text.isdigit() and len(text) <= 12 else -1
        return number if number < bound else -1

    return read


class Connections:
    """Turns records into calls.

    Args:
        skips: Where it is noted what could not be counted.
        endpoints: Whose addresses are.
    """

    def __init__(self, skips: Skips, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self.tally = Tally(skips, endpoints)
        self._rows: Remembered[dict[int, int]] = Remembered(endpoints, dict)
        self._ports, self._times = _Codes(_below(1 << 16)), _Codes(_below(int(LATEST)))
        self._flags = _Codes(lambda text: max(0, _below(1 << 8)(text)))
        self._protocols = _Codes(lambda text: _NUMBER_OF.get(text, -1), 256)
        self._accepted = _Codes(lambda text: -int(text == b"REJECT"), 16)
        self._recorded = _Codes(lambda text: -int(text in _NOTHING), 16)
        self._addresses: list[Address] = []
        self._ends = _Codes(self._address, MOST_ADDRESSES)
        self._pairs: dict[int, int] = {}
        self._counted: dict[int, int] = {}

    def take(self, records: Sequence[Record]) -> Iterator[tuple[int, str]]:
        """Count records.

        Yields:
            The place of each that does not count, and why.
        """
        for begin in range(0, len(records), _AT_ONCE):
            for place, reason in self._take(records[begin : begin + _AT_ONCE]):
                yield begin + place, reason

    def _take(self, records: Sequence[Record]) -> Iterator[tuple[int, str]]:
        if max(len(self._addresses), len(self._pairs)) + 4 * len(records) >= MOST_ADDRESSES:
            self._forget_all()
        columns = list(zip(*records, strict=True))
        ports, served, at = (
            self._ports.of(columns[2]),
            self._ports.of(columns[3]),
            self._times.of(columns[5]),
        )
        protocols, flags = self._protocols.of(columns[4]), self._flags.of(columns[8])
        callers, callees = (
            self._ends.of(_real(columns[6 + side], columns[side])) for side in (0, 1)
        )
        forward = _is_forward(ports, served, flags)
        backward = forward < 0
        callers, callees = np.where(backward, (callees, callers), (callers, callees))
        ports, served = np.where(backward, (served, ports), (ports, served))
        bad = np.minimum(self._accepted.of(columns[9]), self._recorded.of(columns[10]))
        for one in (ports, served, at, protocols, callers, callees, -(forward == 0).astype(int)):
            bad = np.minimum(bad, one)
        good = np.flatnonzero(bad >= 0)
        ends = callers << 20 | callees
        rest = ports << 18 | served << 2 | protocols
        self._count(good, (ends, rest, at), records, backward)
        self.tally.settle()
        for place in np.flatnonzero(bad < 0).tolist():
            yield place, self._reason(records[place], int(forward[place]))

    def _count(
        self, places: Numbers, columns: Sequence[Numbers], records: Sequence[Record], back: Bools
    ) -> None:
        """Count records that tell of connections; the columns are their ends, ports with protocol, and times."""
        pairs, counted, tally = self._pairs, self._counted, self.tally
        every = (places.tolist(), *(column[places].tolist() for column in columns))
        for place, both, what, when in zip(*every, strict=True):
            pair = pairs.get(both)
            if pair is None:
                pair = pairs[both] = len(pairs) << 34
            before = counted.get(pair | what)
            if before is not None and -SAME_CONNECTION < when - before < SAME_CONNECTION:
                continue
            if len(counted) >= MOST_CONNECTIONS:
                counted = self._forget()
            counted[pair | what] = when
            row = self._rows.at(when).get(both)
            if row is None:
                row = self._row(both, when, records[place], not back[place])
            tally.rows.append(row + 2 * when)
            if row in tally.wanted:
                protocol = list(_PROTOCOLS.values())[what & 3]
                tally.show(row, f"{protocol}/{what >> 2 & 0xFFFF}")

    def _forget(self) -> dict[int, int]:
        """Forget the older half of the connections; a log is nearly in the order of time."""
        times = sorted(self._counted.values())
        middle = times[len(times) // 2]
        self._counted = {key: at for key, at in self._counted.items() if at > middle}
        return self._counted

    def _forget_all(self) -> None:
        """Forget all addresses, and what was found of them."""
        for known in (self._addresses, self._ends, self._pairs, self._counted):
            known.clear()
        self._rows = Remembered(self._endpoints, dict)

    def _address(self, text: bytes) -> int:
        """Return the number of an address; -1 for what is none."""
        address = address_of(text.decode("ascii", "replace"))
        if address is None:
            return -1
        self._addresses.append(address)
        return len(self._addresses) - 1

    def _row(self, both: int, at: int, record: Record, is_forward: bool) -> int:
        """Name both ends: by address, and the end at which the record was made by what it says of itself."""
        from_, to = self._addresses[both >> 20], self._addresses[both & 0xFFFFF]
        one, other = (self._endpoints.of_address(end, at) for end in (from_, to))
        if one is not None and other is not None:
            rows = self._rows.at(at)
            if len(rows) >= MOST_REMEMBERED:
                rows.clear()
            rows[both] = row = self.tally.row(one, other)
            return row
        place = [text.decode("ascii", "replace") for text in record[_PLACE:]]
        here = self._here(place, at)
        if here is not None and here not in (one, other):
            is_caller = _is_caller_here(place[1], one, other, is_forward)
            if is_caller is not None:
                one, other = (here, other) if is_caller else (one, here)
        one, other = one or self.tally.caller(from_, at), other or self.tally.callee(to, at)
        return self.tally.row(one, other)

    def _here(self, place: Sequence[str], at: int) -> str | None:
        """Return whose the interface is that made the record."""
        interface, _, instance, service = place
        for name in (interface, instance):
            if found := self._endpoints.of_name(name, at, Known.ENI):
                return found
        return None if service in ("", "-") else self._endpoints.of_name(service, at) or service

    def _reason(self, record: Record, forward: int) -> str:
        """Say why a record does not count."""
        if record[10] in _NOTHING:
            return f"the record says {record[10].decode()}: nothing was recorded"
        if record[9] == b"REJECT":
            return "the traffic was rejected (REJECT)"
        if record[4] not in _PROTOCOLS:
            return "the protocol has no ports"
        if min(self._ports[record[2]], self._ports[record[3]], self._times[record[5]]) < 0:
            return "a port or the time is no number that it could be"
        if forward == 0:
            return "both ends have the same port, so that nothing tells who called"
        return "an address is none"


def _real(real: Sequence[bytes], plain: Sequence[bytes]) -> Sequence[bytes]:
    """Return the addresses of packets where they are recorded, which is behind what passes them on."""
    if all(one in _MISSING for one in set(real)):
        return plain
    return [other if one in _MISSING else one for one, other in zip(real, plain, strict=True)]


def _is_caller_here(
    direction: str, one: str | None, other: str | None, source_called: bool
) -> bool | None:
    """Whether the interface is the caller's: by the direction, else it is that of the only unknown end."""
    if direction in ("ingress", "egress"):
        return (direction == "egress") == source_called
    if (one is None) == (other is None):
        return None
    return one is None


def _is_forward(source: Numbers, target: Numbers, flags: Numbers) -> Numbers:
    """Tell for each record whether its source called its target: 1 if so, -1 if not, 0 if nothing tells.

    Flags of all packets in a window are put together, so that FIN (1) or RST (4) may be among them; ACK is there with SYN alone.
    """
    by_height = np.sign(source - target)
    ephemeral = (source >= EPHEMERAL).astype(np.int64) - (target >= EPHEMERAL)
    by_port = np.where(ephemeral == 0, by_height, ephemeral)
    by_flags = np.where(flags & _SYN_ACK == _SYN, 1, -1)
    return np.where(flags & _SYN == 0, by_port, by_flags)
