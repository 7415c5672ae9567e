"""Flow logs of AWS VPCs: who had connections with whom, by addresses, whose owners an inventory names.

Fields and their order: "Flow log records" in the Amazon VPC User Guide. A file has the default format (version 2), or names its
fields in its first line, as files in S3 do; other orders are given as the format string of the flow log (``--fields``). Parquet
files are read by rows.

A connection leaves records in both directions, at both ends, in each window of aggregation. It counts once in ten minutes,
the longest window that there is. Who called is who sent the first packet, if the flags tell (only ``tcp-flags`` 2 is a SYN
alone, 18 its answer); else the side with the ephemeral port, from 32768 on as Linux has them; else that with the higher port.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from drystone.l05_graph.evidence import Batch
from drystone.l05_graph.ingest.endpoints import Address, Endpoints, Known
from drystone.l05_graph.ingest.reading import Reading
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
_OPTIONAL = (
    "interface-id",
    "action",
    "log-status",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "flow-direction",
    "tcp-flags",
)
_PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}
_SYN, _SYN_ACK = "2", "18"
_ROW_BATCH = 1000


class Flow(NamedTuple):
    """A record; texts as they stand in the log, empty for what is not there."""

    srcaddr: str
    dstaddr: str
    srcport: str
    dstport: str
    protocol: str
    start: str
    interface: str = ""
    action: str = ""
    status: str = ""
    real_source: str = ""
    real_target: str = ""
    direction: str = ""
    flags: str = ""


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
        every = (told.get(field, "") for field in (*_NEEDED, *_OPTIONAL))
        flows.take(Flow(*every), lambda number=number: f"{name}: row {number}")  # type: ignore[misc]
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
    return tuple(found.get(name, -1) for name in (*_NEEDED, *_OPTIONAL))


def _read(stream: Stream, endpoints: Endpoints, places: tuple[int, ...] | None) -> Observed:
    reading = Reading(stream)
    flows = _Flows(reading.skips, endpoints)
    width = 0 if places is None else max(places) + 1
    for raw in reading.lines():
        words = raw.decode("ascii", "replace").split()
        if places is None or not words[0][:1].isdigit():
            names = _names(" ".join(words))
            if "srcaddr" in names or "dstaddr" in names:
                places = _places(names, reading.name)
                width = len(names)
                continue
            if places is None:
                names = _names(DEFAULT)
                places, width = _places(names, reading.name), len(names)
        if len(words) < width:
            reading.skip(f"the line has fewer than {width} fields")
            continue
        words.append("")  # where what is not there is read
        flows.take(Flow(*[words[place] for place in places]), reading.place)
    return flows.tally.observed(NAME, reading)


class _End(NamedTuple):
    """An address, and whose it always is; the owner is looked up each time where the inventory has times."""

    address: Address | None
    owner: str | None


class _Flows:
    """Turns records into calls."""

    def __init__(self, skips: Skips, endpoints: Endpoints) -> None:
        self._skips = skips
        self._endpoints = endpoints
        self.tally = Tally(skips, endpoints)
        self._ends: dict[str, _End] = {}
        self._varies = endpoints.changes
        self._counted: dict[tuple[str, ...], int] = {}

    def take(self, flow: Flow, place: Callable[[], str]) -> None:
        """Take a record; ``place`` names it."""
        reason = self._count(flow)
        if reason:
            self._skips.add(reason, place())

    def _count(self, flow: Flow) -> str:
        """Count a record; return why it does not count, if it does not."""
        if flow.status in ("NODATA", "SKIPDATA"):
            return f"the record says {flow.status}: nothing was recorded"
        if flow.action == "REJECT":
            return "the traffic was rejected (REJECT)"
        if flow.protocol not in _PROTOCOLS:
            return "the protocol has no ports"
        ports = _port(flow.srcport), _port(flow.dstport)
        at = int(flow.start) if flow.start.isascii() and flow.start.isdigit() else -1
        if min(ports) < 0 or not 0 <= at < LATEST:
            return "a port or the time is no number that it could be"
        is_forward = _is_forward(*ports, flow.flags)
        if is_forward is None:
            return "both ends have the same port, so that nothing tells who called"
        return self._connected(flow, is_forward, at)

    def _connected(self, flow: Flow, is_forward: bool, at: int) -> str:
        """Count a record whose caller is known by its port."""
        one = flow.real_source or flow.srcaddr, flow.srcport
        other = flow.real_target or flow.dstaddr, flow.dstport
        (caller, port), (callee, served) = (one, other) if is_forward else (other, one)
        if not self._is_new((caller, port, callee, served, flow.protocol), at):
            return ""
        addresses = self._end(caller), self._end(callee)
        if addresses[0].address is None or addresses[1].address is None:
            return "an address is none"
        names = self._named(flow, *addresses, at, is_forward)
        self.tally.add(*names, float(at), sample=f"{_PROTOCOLS[flow.protocol]}/{served}")
        return ""

    def _is_new(self, key: tuple[str, ...], at: int) -> bool:
        before = self._counted.get(key)
        if before is not None and abs(at - before) < SAME_CONNECTION:
            return False
        if len(self._counted) >= MOST_CONNECTIONS:
            self._forget()
        self._counted[key] = at
        return True

    def _forget(self) -> None:
        """Forget the older half of the connections; a log is nearly in the order of time."""
        times = sorted(self._counted.values())
        middle = times[len(times) // 2]
        self._counted = {key: at for key, at in self._counted.items() if at > middle}

    def _end(self, text: str) -> _End:
        found = self._ends.get(text)
        if found is None:
            if len(self._ends) >= MOST_CONNECTIONS:
                self._ends.clear()
            found = self._ends[text] = self._looked_up(text)
        return found

    def _looked_up(self, text: str) -> _End:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return _End(None, None)
        return _End(address, None if self._varies else self._endpoints.of_address(address))

    def _owner(self, end: _End, at: int) -> str | None:
        if not self._varies or end.address is None:
            return end.owner
        return self._endpoints.of_address(end.address, at)

    def _named(
        self, flow: Flow, caller: _End, callee: _End, at: int, source_called: bool
    ) -> tuple[str, str]:
        """Name both ends: by address, and the end at which the record was made by its interface."""
        one, other = self._owner(caller, at), self._owner(callee, at)
        if flow.interface and (one is None or other is None):
            here = self._endpoints.of_name(flow.interface, at, Known.ENI)
            if here is not None and here not in (one, other):
                is_caller = self._is_caller_here(flow, one, other, source_called)
                if is_caller is not None:
                    one, other = (here, other) if is_caller else (one, here)
        if one is None and caller.address is not None:
            one = self.tally.caller(caller.address, at)
        if other is None and callee.address is not None:
            other = self.tally.callee(callee.address, at)
        return one or "", other or ""

    @staticmethod
    def _is_caller_here(
        flow: Flow, one: str | None, other: str | None, source_called: bool
    ) -> bool | None:
        """Whether the interface is the caller's: by the direction, else it is that of the only unknown end."""
        if flow.direction in ("ingress", "egress"):
            return (flow.direction == "egress") == source_called
        if (one is None) == (other is None):
            return None
        return one is None


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else -1


def _is_forward(source: int, target: int, flags: str) -> bool | None:
    """Whether the source of a record called its target; None if nothing tells."""
    if flags == _SYN:
        return True
    if flags == _SYN_ACK:
        return False
    if source == target:
        return None
    if (source >= EPHEMERAL) != (target >= EPHEMERAL):
        return source >= EPHEMERAL
    return source > target
