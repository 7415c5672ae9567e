"""Access logs of Envoy: JSON lines as this platform's edge writes them, other JSON formats, and the two usual text formats.

Which keys of a JSON line are understood stands in :data:`KEYS`. The text formats are the default of Envoy ("Access logging",
*Default Format String*, in Envoy's documentation) and that of Istio ("Envoy Access Logs", *Default access log format*).

Who called is, in this order: the caller that the line names; the owner of the client's address; the owner of the file, since
a sidecar's log of what goes out names no caller; an external component for the address. Who was called is what the
configuration of the proxy called it (service, cluster), then the host that the client asked for, then the instance's address.
A request between two proxies is in the log of both: lines of a ``listener`` that is :data:`ARRIVED` say what those of the
caller's proxy, or of the edge, say as well, and are passed over.
Text formats do not escape quotation marks, so that a client could forge fields: a line with one too many is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drystone.l05_graph.ingest.calls import request
from drystone.l05_graph.ingest.endpoints import EXTERNAL, Endpoints, Known
from drystone.l05_graph.ingest.hosts import address_of, bare, is_host
from drystone.l05_graph.ingest.json_lines import MISSING, Learner
from drystone.l05_graph.ingest.reading import BLANK, NO_JSON, Reading
from drystone.l05_graph.ingest.remembered import MOST_REMEMBERED, Remembered
from drystone.l05_graph.ingest.source import Observed, Stream
from drystone.l05_graph.ingest.tally import Tally
from drystone.l05_graph.ingest.times import Times

NAME = "envoy-access-log"

KEYS: Mapping[str, tuple[str, ...]] = {
    "time": ("time", "start_time", "timestamp", "@timestamp"),
    "listener": ("listener",),
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

ARRIVED = "inbound"
"""What lines are called that a proxy writes for the service behind it."""

_ANY_QUOTED = r'"[^"]*"'
_TEXT = re.compile(
    r'\[(?P<time>[^\]"]{1,40})\] "(?P<method>[^" ]*) (?P<path>[^" ]*) [^" ]*" (?P<status>\d{1,3}|-) (?P<flags>[^" ]{1,60})'
    rf"(?: [^\" ]+ [^\"]{{1,200}} {_ANY_QUOTED})? [\d-]+ [\d-]+ [\d-]+ [\d-]+"
    rf' "(?P<client>[^"]*)" {_ANY_QUOTED} {_ANY_QUOTED} "(?P<host>[^"]*)" "(?P<instance>[^"]*)"'
    r"(?: (?P<callee>[^\" ]+) [^\" ]+ [^\" ]+ (?P<peer>[^\" ]+) [^\" ]+ [^\" ]+)?"
)
"""Envoy's default, and Istio's, which has more in the middle and at the end."""
_NAMES = re.compile(r"[^\x00-\x20\x7f\"]{1,200}")

_NO_TIME = "the line does not say when, as a time such as 2027-01-31T08:30:00Z"
_NO_CALLER = "nothing tells who called; let the log name the caller, or name the file's owner in the inventory"
_FAILED = frozenset(
    [
        *("UH", "UF", "UO", "NC", "URX", "UC", "UT", "LR", "UR", "UPE", "LH", "SI", "DF", "UMSDR"),
        *("NoHealthyUpstream", "UpstreamConnectionFailure", "UpstreamOverflow", "NoClusterFound"),
        *("UpstreamRetryLimitExceeded", "UpstreamConnectionTermination", "UpstreamRequestTimeout"),
        *("LocalReset", "UpstreamRemoteReset", "UpstreamProtocolError", "FailedLocalHealthCheck"),
        *("StreamIdleTimeout", "DnsResolutionFailed", "UpstreamMaxStreamDurationReached"),
    ]
)
"""Response flags that tell that the other side gave no answer."""
_NO_ROUTE = frozenset(["NR", "NoRouteFound"])
_GRPC_FAILED = frozenset(
    [
        *("2", "4", "12", "13", "14", "15", "unknown", "deadlineexceeded", "unimplemented"),
        *("internal", "unavailable", "dataloss"),
    ]
)
"""Status of gRPC that is the callee's fault, as OpenTelemetry's semantic conventions for gRPC have it; as a number, or as
``%GRPC_STATUS%`` writes it: ``Unavailable`` or ``UNAVAILABLE``."""
_NO_CLUSTER = frozenset(["PassthroughCluster", "BlackHoleCluster", "InboundPassthroughCluster"])


def read(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read an access log.

    Raises:
        Unreadable: It is no text, damaged, or unpacks to far more than its size.
    """
    reading = Reading(stream)
    lines = _Lines(reading, endpoints)
    for block in reading.blocks():
        lines.take(block)
    return lines.tally.observed(NAME, reading)


class _Text:
    """What a line of text says, under the names of a line of JSON."""

    __slots__ = tuple(KEYS)

    def __init__(self, found: re.Match[str]) -> None:
        (self.time, self.method, self.path, self.status, self.flags, client) = found.group(
            "time", "method", "path", "status", "flags", "client"
        )
        self.host, self.instance, callee, peer = found.group("host", "instance", "callee", "peer")
        self.client = peer if client in MISSING else client
        self.callee = None if callee in MISSING else callee
        self.caller = self.grpc = self.listener = None


class _Known:
    """Whose names and addresses are, and the rows of pairs; ends have numbers, and those of callers lie above the others."""

    def __init__(self) -> None:
        self.callers: dict[str, int] = {}
        self.clients: dict[str | None, int] = {}
        self.callees: dict[str, int] = {}
        self.places: dict[tuple[str | None, str | None], int] = {}
        self.ends: dict[str, int] = {}
        self.rows: dict[int, int] = {}

    def forget(self) -> None:
        """Forget everything when it becomes too much."""
        every = (self.callers, self.clients, self.callees, self.places, self.ends, self.rows)
        if max(len(some) for some in every) >= MOST_REMEMBERED:
            for some in every:
                some.clear()


class _Lines:
    def __init__(self, reading: Reading, endpoints: Endpoints) -> None:
        self._reading = reading
        self._endpoints = endpoints
        self.tally = Tally(reading.skips, endpoints)
        self._owner = endpoints.of_name(reading.name, known=Known.FILE) or endpoints.of_name(
            reading.name.rpartition("/")[2], known=Known.FILE
        )
        self._read = Learner(KEYS).read
        self._time = Times().read
        self._known = Remembered(endpoints, _Known)
        self._failed: dict[tuple[object, ...], int] = {}

    def take(self, block: Iterable[bytes]) -> None:
        """Take lines; what many of them have in common is looked up once."""
        reading, tally, failed, known_at = self._reading, self.tally, self._failed, self._known.at
        for line in block:
            reading.line += 1
            said = self._said(line)
            if said is None or said.listener == ARRIVED:
                continue
            at = self._time(said.time)
            if at is None:
                reading.skip(_NO_TIME)
                continue
            known, caller, callee = known_at(at), said.caller, said.callee
            try:
                one = known.clients[_bare(said.client)] if caller is None else known.callers[caller]
                if callee is None:
                    other = known.places[said.host, said.instance]
                else:
                    other = known.callees[callee]
                row = known.rows[one + other] + failed[said.status, said.flags, said.grpc]
            except (KeyError, TypeError):  # new, or of a kind that is no name
                row = self._looked_up(said, at, known)
                if row < 0:
                    continue
            tally.rows.append(row + 2 * at)
            if tally.wanted:
                self._show(row, said)
        tally.settle()

    def _said(self, line: bytes) -> Any:
        """Return what a line says; None when it is skipped, or blank."""
        if line.startswith(b"{"):
            try:
                return self._read(line)
            except NO_JSON:
                self._reading.skip("the line is no JSON object in UTF-8")
                return None
        # A client may send any bytes in its headers; what matters here is ASCII.
        found = _TEXT.fullmatch(line.rstrip(BLANK).decode("utf-8", "replace"))
        if found is not None:
            return _Text(found)
        if line.strip():
            self._reading.skip("the line is neither JSON nor one of the text formats")
        return None

    def _show(self, row: int, said: Any) -> None:
        row &= ~1
        method, path = said.method, said.path
        if row in self.tally.wanted and isinstance(method, str) and isinstance(path, str):
            self.tally.show(row, "" if method in MISSING else request(method, path))

    def _looked_up(self, said: Any, at: int, known: _Known) -> int:
        """Return the row of a line, and remember what it was made of; -1 when it is skipped."""
        flags = said.flags
        flags = frozenset(flags.split(",")) if isinstance(flags, str) else frozenset()
        callee = caller = None
        reason = ""
        if not _NO_ROUTE.isdisjoint(flags):
            reason = "no route led anywhere, so that nothing was called"
        elif (callee := self._callee(said, at)) is None:
            reason = "the line does not name what was called"
        elif (caller := self._caller(said, at)) is None:
            reason = _NO_CALLER
        if callee is None or caller is None:
            self._reading.skip(reason)
            return -1
        failed = int(_has_failed(said, flags))
        answer = (said.status, said.flags, said.grpc)
        if all(value is None or isinstance(value, str | int) for value in answer):
            if len(self._failed) >= MOST_REMEMBERED:
                self._failed.clear()
            self._failed[answer] = failed
        row = self.tally.row(caller, callee)
        self._remember(said, known, caller, callee, row)
        return row + failed

    def _remember(self, said: Any, known: _Known, caller: str, callee: str, row: int) -> None:
        known.forget()
        ends = known.ends
        one = ends.setdefault(caller, len(ends)) << 32
        other = ends.setdefault(callee, len(ends))
        known.rows[one + other] = row
        if name := _name(said.caller):
            known.callers[name] = one
        elif said.client is None or isinstance(said.client, str):
            known.clients[_bare(said.client)] = one
        if cluster := _cluster(said.callee):
            known.callees[cluster] = other
        elif said.callee is None and all(
            place is None or isinstance(place, str) for place in (said.host, said.instance)
        ):
            known.places[said.host, said.instance] = other

    def _callee(self, said: Any, at: float) -> str | None:
        cluster = _cluster(said.callee)
        if cluster:
            # Istio writes outbound|PORT|SUBSET|HOST.
            name = cluster.rpartition("|")[2] or cluster
            return self._endpoints.of_name(cluster, at) or self._endpoints.of_name(name, at) or name
        if _is_inbound(said.callee):
            return self._owner or self._at_instance(said, at)
        host = said.host
        if not isinstance(host, str) or not is_host(host):
            return self._at_instance(said, at)
        known = self._endpoints.of_name(host, at)
        address = address_of(host)
        if known is None and address is not None:
            known = self.tally.callee(address, at)
        return known or self._known_instance(said, at) or f"{EXTERNAL}{bare(host)}"

    def _known_instance(self, said: Any, at: float) -> str | None:
        address = address_of(said.instance)
        return None if address is None else self._endpoints.of_address(address, at)

    def _at_instance(self, said: Any, at: float) -> str | None:
        address = address_of(said.instance)
        return None if address is None else self.tally.callee(address, at)

    def _caller(self, said: Any, at: float) -> str | None:
        name = _name(said.caller)
        if name:
            short = name.rpartition("/")[2] if name.startswith("spiffe://") else name
            return self._endpoints.of_name(name, at) or self._endpoints.of_name(short, at) or short
        # Each proxy on the way adds the address that it saw; what a client made up stands before that.
        shown = said.client
        client = address_of(shown.rpartition(",")[2].strip() if isinstance(shown, str) else None)
        known = None if client is None else self._endpoints.of_address(client, at)
        if known or self._owner:
            return known or self._owner
        return None if client is None else self.tally.caller(client, at)


def _name(value: object) -> str | None:
    is_name = isinstance(value, str) and value not in MISSING and _NAMES.fullmatch(value)
    return str(value) if is_name else None


def _is_inbound(callee: object) -> bool:
    """Whether it is what Istio calls the way from a sidecar to its own service."""
    return isinstance(callee, str) and callee.startswith("inbound|")


def _cluster(callee: object) -> str | None:
    """Return the name of a cluster that tells who was called."""
    name = _name(callee)
    return None if name in _NO_CLUSTER or _is_inbound(name) else name


def _bare(client: str | None) -> str | None:
    """Return an address without its port, which is another each time; one of IPv6 stays as it is written."""
    if client is None or ":" not in client or client.count(":") > 1:
        return client
    return client.partition(":")[0]


def _has_failed(said: Any, flags: frozenset[str]) -> bool:
    if str(said.grpc)[:20].replace("_", "").lower() in _GRPC_FAILED:
        return True
    return _number(said.status) >= 500 or not _FAILED.isdisjoint(flags)


def _number(value: object) -> int:
    if isinstance(value, int | float):
        return int(value) if abs(value) < 1e9 else 0
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else 0
