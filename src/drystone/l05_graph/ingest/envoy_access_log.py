"""Access logs of Envoy: JSON lines as this platform's edge writes them, other JSON formats, and the two usual text formats.

Which keys of a JSON line are understood stands in :data:`KEYS`. The text formats are the default of Envoy ("Access logging",
*Default Format String*, in Envoy's documentation) and that of Istio ("Envoy Access Logs", *Default access log format*).

Who called is, in this order: the caller that the line names; the owner of the client's address; the owner of the file, since
a sidecar's log of what goes out names no caller; an external component for the address. Who was called is what the
configuration of the proxy called it (service, cluster), then the host that the client asked for, then the instance's address.
Text formats do not escape quotation marks, so that a client could forge fields: a line with one too many is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from drystone.l05_graph.ingest.calls import request
from drystone.l05_graph.ingest.endpoints import EXTERNAL, Endpoints, Known
from drystone.l05_graph.ingest.hosts import address_of, bare, is_host
from drystone.l05_graph.ingest.reading import NO_JSON, Reading
from drystone.l05_graph.ingest.source import Observed, Stream
from drystone.l05_graph.ingest.tally import Tally
from drystone.l05_graph.ingest.times import iso, seconds

NAME = "envoy-access-log"

KEYS: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "start_time", "timestamp", "@timestamp"),
    "caller": ("caller", "principal", "downstream_principal", "source_workload"),
    "client": ("client", "downstream_remote_address", "x_forwarded_for"),
    "callee": ("service", "callee", "upstream_cluster", "cluster"),
    "host": ("host", "authority", ":authority"),
    "instance": ("instance", "upstream_host"),
    "method": ("method", ":method"),
    "path": ("path", ":path"),
    "status": ("status", "response_code"),
    "flags": ("flags", "response_flags"),
    "grpc": ("grpc_status", "grpc_status_number"),
}
"""What is understood of a JSON line, and under which keys; the first that is there counts."""

_ANY_QUOTED = r'"[^"]*"'
_TEXT = re.compile(
    r'\[(?P<time>[^\]"]{1,40})\] "(?P<method>[^" ]*) (?P<path>[^" ]*) [^" ]*" (?P<status>\d{1,3}|-) (?P<flags>[^" ]{1,60})'
    rf"(?: [^\" ]+ [^\"]{{1,200}} {_ANY_QUOTED})? [\d-]+ [\d-]+ [\d-]+ [\d-]+"
    rf' "(?P<client>[^"]*)" {_ANY_QUOTED} {_ANY_QUOTED} "(?P<host>[^"]*)" "(?P<instance>[^"]*)"'
    r"(?: (?P<callee>[^\" ]+) [^\" ]+ [^\" ]+ (?P<peer>[^\" ]+) [^\" ]+ [^\" ]+)?"
)
"""Envoy's default, and Istio's, which has more in the middle and at the end."""
_NAMES = re.compile(r"[^\x00-\x20\x7f\"]{1,200}")

_FAILED = frozenset(["UH", "UF", "UO", "NC", "URX", "UC", "UT", "LR", "UR", "UPE", "LH", "SI"])
"""Response flags that tell that the other side gave no answer."""
_GRPC_FAILED = frozenset([2, 4, 13, 14, 15])
"""Unknown, deadline exceeded, internal, unavailable and data loss: the callee's fault."""
_NO_CLUSTER = frozenset(["PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster"])


def read(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read an access log.

    Raises:
        Unreadable: It is no text, damaged, or unpacks to far more than its size.
    """
    reading = Reading(stream)
    lines = _Lines(reading, endpoints)
    for line in reading.lines():
        if line.startswith(b"{"):
            lines.take_json(line)
        else:
            lines.take_text(line)
    return lines.tally.observed(NAME, reading)


class _Lines:
    def __init__(self, reading: Reading, endpoints: Endpoints) -> None:
        self._reading = reading
        self._endpoints = endpoints
        self.tally = Tally(reading.skips, endpoints)
        self._owner = endpoints.of_name(reading.name, known=Known.FILE) or endpoints.of_name(
            reading.name.rpartition("/")[2], known=Known.FILE
        )
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode

    def take_json(self, line: bytes) -> None:
        try:
            record = self._decode(line)
        except NO_JSON:
            self._reading.skip("the line is no JSON object in UTF-8")
            return
        self._take({what: _first(record, keys) for what, keys in KEYS.items()})

    def take_text(self, line: bytes) -> None:
        # A client may send any bytes in its headers; what matters here is ASCII.
        found = _TEXT.fullmatch(line.decode("utf-8", "replace"))
        if found is None:
            self._reading.skip("the line is neither JSON nor one of the text formats")
            return
        said: dict[str, Any] = {
            key: value for key, value in found.groupdict().items() if value != "-"
        }
        # Each proxy on the way adds the address that it saw; what a client made up stands before that.
        forwarded = (said.get("client") or "").rpartition(",")[2].strip()
        said["client"] = forwarded or said.get("peer")
        self._take(said)

    def _take(self, said: Mapping[str, Any]) -> None:
        time = said.get("time")
        at = iso(time) if isinstance(time, str) else seconds(time)
        if at is None:
            self._reading.skip("the line does not say when, as a time such as 2027-01-31T08:30:00Z")
            return
        flags = said.get("flags")
        flags = frozenset(flags.split(",")) if isinstance(flags, str) else frozenset()
        if "NR" in flags:
            self._reading.skip("no route led anywhere, so that nothing was called")
            return
        callee = self._callee(said, at)
        if callee is None:
            self._reading.skip("the line does not name what was called")
            return
        caller = self._caller(said, at)
        if caller is None:
            self._reading.skip(
                "nothing tells who called; let the log name the caller, or name the file's owner in the inventory"
            )
            return
        method, path = said.get("method"), said.get("path")
        is_request = isinstance(method, str) and isinstance(path, str)
        self.tally.add(
            caller,
            callee,
            at,
            errors=int(_has_failed(said, flags)),
            sample=request(method, path) if is_request else "",
        )

    def _callee(self, said: Mapping[str, Any], at: float) -> str | None:
        cluster = _name(said.get("callee"))
        if cluster and cluster not in _NO_CLUSTER:
            direction, _, rest = cluster.partition("|")
            if rest and direction == "inbound":
                return self._owner or self._at_instance(said, at)
            # Istio writes outbound|PORT|SUBSET|HOST.
            name = cluster.rpartition("|")[2] or cluster
            return self._endpoints.of_name(cluster, at) or self._endpoints.of_name(name, at) or name
        host = said.get("host")
        if not isinstance(host, str) or not is_host(host):
            return self._at_instance(said, at)
        known = self._endpoints.of_name(host, at)
        address = address_of(host)
        if known is None and address is not None:
            known = self.tally.callee(address, at)
        return known or self._known_instance(said, at) or f"{EXTERNAL}{bare(host)}"

    def _known_instance(self, said: Mapping[str, Any], at: float) -> str | None:
        address = address_of(said.get("instance"))
        return None if address is None else self._endpoints.of_address(address, at)

    def _at_instance(self, said: Mapping[str, Any], at: float) -> str | None:
        address = address_of(said.get("instance"))
        return None if address is None else self.tally.callee(address, at)

    def _caller(self, said: Mapping[str, Any], at: float) -> str | None:
        name = _name(said.get("caller"))
        if name:
            short = name.rpartition("/")[2] if name.startswith("spiffe://") else name
            return self._endpoints.of_name(name, at) or self._endpoints.of_name(short, at) or short
        client = address_of(said.get("client"))
        known = None if client is None else self._endpoints.of_address(client, at)
        if known or self._owner:
            return known or self._owner
        return None if client is None else self.tally.caller(client, at)


def _first(record: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = record.get(key)
        if value is not None and value not in ("", "-"):
            return value
    return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and _NAMES.fullmatch(value) else None


def _has_failed(said: Mapping[str, Any], flags: frozenset[str]) -> bool:
    status, grpc = said.get("status"), said.get("grpc")
    if grpc is not None and _number(grpc) in _GRPC_FAILED:
        return True
    return _number(status) >= 500 or not _FAILED.isdisjoint(flags)


def _number(value: object) -> int:
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 10 else 0
