"""Flow logs of AWS VPCs: who had connections with whom, by addresses, whose owners an inventory names.

Fields and their order: "Flow log records" in the Amazon VPC User Guide. A file has the default format (version 2), or names its
fields in its first line, as files in S3 do; other orders are given as the format string of the flow log (``--fields``). Parquet
files are read by rows.

A connection leaves records in both directions, at both ends, in each window of aggregation. It counts once in ten minutes,
the longest window that there is. Who called is who sent the first packet, if the flags tell (``tcp-flags`` has SYN, and
not the ACK of its answer); else the side with the ephemeral port, from 32768 on as Linux has them; else that with the higher port.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

import msgspec

from drystone.l05_graph.evidence import Batch
from drystone.l05_graph.ingest.endpoints import Endpoints, Known
from drystone.l05_graph.ingest.hosts import address_of
from drystone.l05_graph.ingest.json_lines import MISSING
from drystone.l05_graph.ingest.reading import Reading
from drystone.l05_graph.ingest.remembered import MOST_REMEMBERED, Remembered
from drystone.l05_graph.ingest.source import Observed, ReadObserved, Skips, Stream, Unreadable
from drystone.l05_graph.ingest.tally import LATEST, Tally

NAME = "vpc-flow"
DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    " action log-status"
)
EPHEMERAL = 32768
"""The lowest port that Linux gives to who calls."""
SAME_CONNECTION = 600
"""In seconds: records of the same two ends within it are one call."""
MOST_CONNECTIONS = 400_000
"""So many are remembered."""

_NEEDED = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "start")
_OF_CONNECTION = ("pkt-srcaddr", "pkt-dstaddr", "tcp-flags", "action", "log-status")
_OF_PLACE = ("interface-id", "flow-direction", "instance-id", "ecs-service-name")
_FIELDS = (*_NEEDED, *_OF_CONNECTION, *_OF_PLACE)
_PLACE = len(_NEEDED) + len(_OF_CONNECTION)
_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}
_NOTHING = {
    "NODATA": "the record says NODATA: nothing was recorded",
    "SKIPDATA": "the record says SKIPDATA: nothing was recorded",
}
_SYN, _SYN_ACK = 2, 18
_MOST_TEXTS = 1 << 17


Ends = tuple[str, str]
"""The addresses of who called and who was called."""
Record = tuple[str, ...]
"""The texts of :data:`_FIELDS`; empty or ``-`` for what is not there."""


def read(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read a flow log in the default format, or in that which its first line names.

    Raises:
        Unreadable: It is no text, damaged, or lacks fields that are needed.
    """
    return _read(stream, endpoints, None)


def with_fields(format_string: str) -> ReadObserved:
    """Return what reads flow logs with other fields.

    Args:
        format_string: Their names in order, as AWS takes them (``${version} ${srcaddr} …``) or without the marks.

    Raises:
        Unreadable: A field that is needed is not among them.
    """
    places = _places(_names(format_string), "the format string")

    def read_so(stream: Stream, endpoints: Endpoints) -> Observed:
        return _read(stream, endpoints, places)

    return read_so


def read_rows(rows: Iterable[Mapping[str, object]], name: str, endpoints: Endpoints) -> Observed:
    """Read records of which every field is named, with ``-`` or ``_`` between words, as Parquet files have them.

    Args:
        rows: The records.
        name: What to call the file in messages.
        endpoints: Whose addresses are.

    Raises:
        Unreadable: The rows lack fields that are needed.
    """
    skips = Skips()
    flows = _Flows(skips, endpoints)
    digest = hashlib.sha256()
    for number, row in enumerate(rows, 1):
        told = {key.replace("_", "-"): _written(value) for key, value in row.items()}
        if number == 1:
            _places(tuple(told), name)
        digest.update(msgspec.json.encode(told, order="sorted"))
        flows.tally.records += 1
        every = (told.get(field, "") for field in _FIELDS)
        if reason := flows.take(tuple(every)):
            skips.add(reason, f"{name}: row {number}")
        flows.tally.settle()
    batch = Batch(source=NAME, digest=digest.hexdigest(), file=name, records=flows.tally.records)
    return flows.tally.result(batch)


def _written(value: object) -> str:
    return "" if value is None else str(value)


def _names(format_string: str) -> tuple[str, ...]:
    words = format_string.replace(",", " ").replace("${", " ").replace("}", " ").split()
    return tuple(word.lower().replace("_", "-") for word in words)


def _places(names: Sequence[str], where: str) -> tuple[int, ...]:
    """Return where each field of a :class:`Flow` stands; -1 for one that is not there."""
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise Unreadable(
            f"{where} does not name {', '.join(missing)}; flow logs need {', '.join(_NEEDED)}"
        )
    found = {name: place for place, name in enumerate(names)}
    return tuple(found.get(name, -1) for name in _FIELDS)


def _read(stream: Stream, endpoints: Endpoints, places: tuple[int, ...] | None) -> Observed:
    reading = Reading(stream)
    flows = _Flows(reading.skips, endpoints)
    width = 0 if places is None else max(places) + 1
    pick = itemgetter(*(places or range(2)))
    for block in reading.blocks():
        for raw in block:
            reading.line += 1
            words = raw.decode("ascii", "replace").split()
            if not words:
                continue
            if places is None or b"addr" in raw:
                names = _names(" ".join(words))
                is_head = "srcaddr" in names or "dstaddr" in names
                if is_head or places is None:
                    names = names if is_head else _names(DEFAULT)
                    places, width = _places(names, reading.name), len(names)
                    pick = itemgetter(*places)
                if is_head:
                    continue
            if len(words) < width:
                reading.skip(f"the line has fewer than {width} fields")
                continue
            words.append("")  # where what is not there is read
            if reason := flows.take(pick(words)):
                reading.skip(reason)
        flows.tally.settle()
    return flows.tally.observed(NAME, reading)


class _Numbers(dict[str, int]):
    """What was made of texts that come again and again; -1 for what is no number up to a bound."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    def __missing__(self, text: str) -> int:
        is_number = text.isascii() and text.isdigit() and len(text) <= 12
        number = int(text) if is_number else -1
        if len(self) >= _MOST_TEXTS:
            self.clear()
        self[text] = number = number if number < self._bound else -1
        return number


class _Flows:
    """Turns records into calls."""

    def __init__(self, skips: Skips, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self.tally = Tally(skips, endpoints)
        self._rows: Remembered[dict[Ends, int]] = Remembered(endpoints, dict)
        self._ports, self._times = _Numbers(1 << 16), _Numbers(int(LATEST))
        self._flags = _Numbers(1 << 8)
        self._counted: dict[str, int] = {}

    def take(self, record: Record) -> str:
        """Count a record; return why it does not count, if it does not."""
        (caller, callee, port, served, protocol, start) = record[:6]
        (real_caller, real_callee, flags, action, status) = record[6:_PLACE]
        if status in _NOTHING or action == "REJECT" or protocol not in _PROTOCOLS:
            return _without_connection(status, action)
        one, other, at = self._ports[port], self._ports[served], self._times[start]
        if one < 0 or other < 0 or at < 0:
            return "a port or the time is no number that it could be"
        is_forward = _is_forward(one, other, self._flags[flags] if flags else 0)
        if is_forward is None:
            return "both ends have the same port, so that nothing tells who called"
        caller = caller if real_caller in MISSING else real_caller
        callee = callee if real_callee in MISSING else real_callee
        if not is_forward:
            caller, callee, port, served = callee, caller, served, port
        if not self._is_new(f"{caller} {port} {callee} {served} {protocol}", at):
            return ""
        rows = self._rows.at(at)
        row = rows.get((caller, callee))
        if row is None:
            row = self._row((caller, callee), at, rows, is_forward, record[_PLACE:])
            if row < 0:
                return "an address is none"
        self.tally.rows.append(row + 2 * at)
        if row in self.tally.wanted:
            self.tally.show(row, f"{_PROTOCOLS[protocol]}/{served}")
        return ""

    def _is_new(self, connection: str, at: int) -> bool:
        before = self._counted.get(connection)
        if before is not None and abs(at - before) < SAME_CONNECTION:
            return False
        if len(self._counted) >= MOST_CONNECTIONS:
            self._forget()
        self._counted[connection] = at
        return True

    def _forget(self) -> None:
        """Forget the older half of the connections; a log is nearly in the order of time."""
        times = sorted(self._counted.values())
        middle = times[len(times) // 2]
        self._counted = {key: at for key, at in self._counted.items() if at > middle}

    def _row(
        self, ends: Ends, at: int, rows: dict[Ends, int], is_forward: bool, place: Record
    ) -> int:
        """Name both ends: by address, and the end at which the record was made by what it says of itself."""
        from_, to = address_of(ends[0]), address_of(ends[1])
        if from_ is None or to is None:
            return -1
        one, other = (self._endpoints.of_address(end, at) for end in (from_, to))
        if one is not None and other is not None:
            if len(rows) >= MOST_REMEMBERED:
                rows.clear()
            rows[ends] = row = self.tally.row(one, other)
            return row
        here = self._here(place, at)
        if here is not None and here not in (one, other):
            is_caller = _is_caller_here(place, one, other, is_forward)
            if is_caller is not None:
                one, other = (here, other) if is_caller else (one, here)
        one, other = one or self.tally.caller(from_, at), other or self.tally.callee(to, at)
        return self.tally.row(one, other)

    def _here(self, place: Record, at: int) -> str | None:
        """Return whose the interface is that made the record."""
        interface, _, instance, service = place
        for name in (interface, instance):
            if name not in MISSING and (found := self._endpoints.of_name(name, at, Known.ENI)):
                return found
        return None if service in MISSING else self._endpoints.of_name(service, at) or service


def _without_connection(status: str, action: str) -> str:
    if status in _NOTHING:
        return _NOTHING[status]
    return (
        "the traffic was rejected (REJECT)" if action == "REJECT" else "the protocol has no ports"
    )


def _is_caller_here(
    place: Record, one: str | None, other: str | None, source_called: bool
) -> bool | None:
    """Whether the interface is the caller's: by the direction, else it is that of the only unknown end."""
    direction = place[1]
    if direction in ("ingress", "egress"):
        return (direction == "egress") == source_called
    if (one is None) == (other is None):
        return None
    return one is None


def _is_forward(source: int, target: int, flags: int) -> bool | None:
    """Whether the source of a record called its target; None if nothing tells.

    Flags of all packets in a window are put together, so that FIN (1) or RST (4) may be among them; ACK is there with SYN alone.
    """
    if flags > 0 and flags & _SYN:
        return flags & _SYN_ACK == _SYN
    if source == target:
        return None
    if (source >= EPHEMERAL) != (target >= EPHEMERAL):
        return source >= EPHEMERAL
    return source > target
