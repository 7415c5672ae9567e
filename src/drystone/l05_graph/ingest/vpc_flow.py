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
from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.reading import Reading
from drystone.l05_graph.ingest.source import Observed, ReadObserved, Skips, Stream, Unreadable
from drystone.l05_graph.ingest.vpc_connections import FIELDS, NEEDED, Connections, Record

NAME = "vpc-flow"
DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
    " action log-status"
)


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
    connections = Connections(skips, endpoints)
    digest = hashlib.sha256()
    for number, row in enumerate(rows, 1):
        told = {key.replace("_", "-"): _written(value) for key, value in row.items()}
        if number == 1:
            _places(tuple(told), name)
        digest.update(msgspec.json.encode(told, order="sorted"))
        connections.tally.records += 1
        record = tuple(told.get(field, "").encode() for field in FIELDS)
        for _, reason in connections.take([record]):
            skips.add(reason, f"{name}: row {number}")
    batch = Batch(
        source=NAME, digest=digest.hexdigest(), file=name, records=connections.tally.records
    )
    return connections.tally.result(batch)


def _written(value: object) -> str:
    return "" if value is None else str(value)


def _names(format_string: str) -> tuple[str, ...]:
    words = format_string.replace(",", " ").replace("${", " ").replace("}", " ").split()
    return tuple(word.lower().replace("_", "-") for word in words)


def _places(names: Sequence[str], where: str) -> tuple[int, ...]:
    """Return where each field of a :class:`Flow` stands; -1 for one that is not there."""
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise Unreadable(
            f"{where} does not name {', '.join(missing)}; flow logs need {', '.join(NEEDED)}"
        )
    found = {name: place for place, name in enumerate(names)}
    return tuple(found.get(name, -1) for name in FIELDS)


def _read(stream: Stream, endpoints: Endpoints, places: tuple[int, ...] | None) -> Observed:
    reading = Reading(stream)
    connections = Connections(reading.skips, endpoints)
    lines = _Lines(reading, places)
    for block in reading.blocks():
        first = reading.line + 1
        records, numbers = lines.records(block)
        last = reading.line
        for place, reason in connections.take(records):
            reading.line = numbers[place] if numbers else first + place
            reading.skip(reason)
        reading.line = last
    return connections.tally.observed(NAME, reading)


class _Lines:
    """Divides lines into the fields that matter."""

    def __init__(self, reading: Reading, places: tuple[int, ...] | None) -> None:
        self._reading = reading
        self._known = places is not None
        self._set(places or tuple(range(2)), 0 if places is None else max(places) + 1)

    def _set(self, places: tuple[int, ...], width: int) -> None:
        self._pick, self._width = itemgetter(*places), width

    def records(self, block: list[bytes]) -> tuple[list[Record], list[int]]:
        """Return the records of some lines, and the numbers of these lines unless each line is a record."""
        every = list(map(bytes.split, block))
        if self._known and min(map(len, every)) >= self._width and b"addr" not in block[0]:
            self._reading.line += len(block)
            for words in every:
                words.append(b"")  # where what is not there is read
            return list(map(self._pick, every)), []
        found: list[Record] = []
        numbers: list[int] = []
        for words in every:
            self._reading.line += 1
            if not words or self._is_head(words):
                continue
            if len(words) < self._width:
                self._reading.skip(f"the line has fewer than {self._width} fields")
                continue
            found.append(self._pick([*words, b""]))
            numbers.append(self._reading.line)
        return found, numbers

    def _is_head(self, words: list[bytes]) -> bool:
        """Whether a line names the fields; without one, those of the default format count."""
        names = _names(b" ".join(words).decode("ascii", "replace"))
        is_head = "srcaddr" in names or "dstaddr" in names
        if is_head or not self._known:
            names = names if is_head else _names(DEFAULT)
            self._set(_places(names, self._reading.name), len(names))
            self._known = True
        return is_head
