"""The metrics of a service graph, as the ``servicegraph`` connector of the OpenTelemetry Collector and Tempo make them.

Two counters, ``traces_service_graph_request_total`` and ``traces_service_graph_request_failed_total``, with the labels
``client``, ``server`` and ``connection_type``; where the first was not kept, the count of the histogram
``traces_service_graph_request_server_seconds`` stands for it. They are read from the text exposition of Prometheus or
OpenMetrics, from the answer of Prometheus to a query (``/api/v1/query``, ``/api/v1/query_range``), and from OTLP metrics in JSON.

Counters count from the begin of a process. Of several values of one series in a file the largest counts, and of several files
the largest total, so that reading the same counters again and again does not count calls twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.otlp_traces import CLIENTS
from drystone.l05_graph.ingest.reading import NO_JSON, Reading
from drystone.l05_graph.ingest.source import Observed, Stream, Unreadable
from drystone.l05_graph.ingest.spans import KeyValue, plain
from drystone.l05_graph.ingest.tally import Tally
from drystone.l05_graph.ingest.times import seconds

NAME = "service-graph-metrics"
MOST_SERIES = 500_000
MOST_CALLS = float(1 << 53)

_TOTAL = "traces_service_graph_request_total"
_FAILED = "traces_service_graph_request_failed_total"
_COUNT = "traces_service_graph_request_server_seconds_count"
"""Of the histogram of how long calls took; how many they were, where nobody kept the counter itself."""
_METRICS = {
    _TOTAL: False,
    _FAILED: True,
    # In OTLP the counters have no suffix; exporters to Prometheus add it.
    "traces_service_graph_request": False,
    "traces_service_graph_request_failed": True,
    _COUNT: False,
}
_LINE = re.compile(
    r"(?P<name>traces_service_graph_request(?:_failed|_server_seconds_count)?(?:_total)?)\{(?P<labels>.*)\}[ \t]+"
    r"(?P<value>[0-9.eE+-]{1,30})(?: (?P<time>[0-9.]{1,20}))?(?: # .*)?"
)
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPE = re.compile(r"\\(.)")


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value of one series.

    Attributes:
        failed: Whether it counts calls that failed.
        labels: Of the series.
        value: How many.
        at: When, in seconds since 1970, if that is said.
        is_delta: Whether it counts since the value before, and not since the begin.
        is_counted: Whether it is that of a histogram.
    """

    failed: bool
    labels: Mapping[str, str | int]
    value: float
    at: float | None
    is_delta: bool = False
    is_counted: bool = False


def read(stream: Stream, endpoints: Endpoints) -> Observed:
    """Read metrics.

    Raises:
        Unreadable: The file is no text, or damaged.
    """
    reading = Reading(stream)
    counted = _Counted(reading, endpoints)
    is_json = reading.begin().lstrip()[:1] == b"{"
    for sample in _of_json(reading) if is_json else _of_text(reading):
        counted.take(sample)
    return counted.observed()


class _Counted:
    def __init__(self, reading: Reading, endpoints: Endpoints) -> None:
        self._reading = reading
        self._endpoints = endpoints
        self._series: dict[tuple[object, ...], Sample] = {}
        self._deltas: list[Sample] = []
        self._count = 0

    def take(self, sample: Sample) -> None:
        self._count += 1
        if not 0 <= sample.value <= MOST_CALLS:
            self._reading.skips.add("a value is no count", self._reading.place())
        elif len(self._series) + len(self._deltas) >= MOST_SERIES:
            self._reading.skips.add(
                f"there are more than {MOST_SERIES:,} series; divide the file",
                self._reading.place(),
            )
        elif sample.is_delta:
            self._deltas.append(sample)
        else:
            key = (sample.failed, sample.is_counted, *sorted(map(str, sample.labels.items())))
            known = self._series.get(key)
            if known is None or sample.value > known.value:
                self._series[key] = sample

    def observed(self) -> Observed:
        tally = Tally(self._reading.skips, self._endpoints)
        seen = self._reading.seen.timestamp() if self._reading.seen else None
        every = (*self._series.values(), *self._deltas)
        counted = {self._ends(one.labels) for one in every if not (one.failed or one.is_counted)}
        for sample in every:
            caller, callee = self._ends(sample.labels)
            if sample.is_counted and (caller, callee) in counted:
                continue  # the counter says the same
            if not caller or not callee:
                self._reading.skips.add("a series does not name client and server")
                continue
            count = round(sample.value)
            # A failed call is counted by both metrics.
            calls, errors = (0, count) if sample.failed else (count, 0)
            if count:
                at = seen if sample.at is None else sample.at
                what = str(sample.labels.get("connection_type", ""))
                shown = what if what in ("database", "messaging_system") else ""
                tally.add(caller, callee, at, calls=calls, errors=errors, sample=shown)
        tally.records = self._count
        return tally.observed(NAME, self._reading, cumulative=bool(self._series))

    def _ends(self, labels: Mapping[str, str | int]) -> tuple[str, str]:
        client, server = str(labels.get("client", "")), str(labels.get("server", ""))
        if client == "user" and labels.get("connection_type") == "virtual_node":
            client = CLIENTS  # what Tempo calls whoever begins a trace
        return self._endpoints.of_name(client) or client, self._endpoints.of_name(server) or server


def _of_text(reading: Reading) -> Iterator[Sample]:
    for raw in reading.lines():
        if not raw.startswith(b"traces_service_graph_request"):
            continue  # other metrics, and what is said about them
        line = raw.decode("utf-8", "replace")
        found = _LINE.fullmatch(line)
        name = found["name"] if found else line.partition("{")[0].partition(" ")[0]
        if name not in _METRICS:
            continue  # of the same graph: seconds that requests took, and such
        labels = _labels(found["labels"]) if found else None
        value = _number(found["value"]) if found else None
        if found is None or labels is None or value is None:
            reading.skip("the line is no sample of a counter")
            continue
        time = _number(found["time"]) if found["time"] else None
        # Prometheus writes milliseconds, OpenMetrics seconds.
        at = None if time is None else seconds(time, 1e3 if time > 1e11 else 1.0)
        yield Sample(_METRICS[name], labels, value, at, is_counted=name == _COUNT)


def _labels(text: str) -> dict[str, str | int] | None:
    found: dict[str, str | int] = {}
    place = 0
    while place < len(text):
        label = _LABEL.match(text, place)
        if label is None:
            return None
        found[label[1]] = _ESCAPE.sub(lambda one: "\n" if one[1] == "n" else one[1], label[2])
        place = label.end()
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class _Point(msgspec.Struct):
    attributes: list[KeyValue] = []
    asInt: str | int | None = None  # noqa: N815 - the names in the format
    asDouble: float | None = None  # noqa: N815
    timeUnixNano: str | int | None = None  # noqa: N815


class _Sum(msgspec.Struct):
    dataPoints: list[_Point] = []  # noqa: N815
    aggregationTemporality: int | str = 2  # noqa: N815


class _Metric(msgspec.Struct):
    name: str = ""
    sum: _Sum | None = None


class _Scope(msgspec.Struct):
    metrics: list[_Metric] = []


class _Resource(msgspec.Struct):
    scopeMetrics: list[_Scope] = []  # noqa: N815


class _Series(msgspec.Struct):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Result(msgspec.Struct):
    result: list[_Series] = []


class _Document(msgspec.Struct):
    resourceMetrics: list[_Resource] | None = None  # noqa: N815
    data: _Result | None = None


_decoder = msgspec.json.Decoder(_Document)
_DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")


def _of_json(reading: Reading) -> Iterator[Sample]:
    content = reading.whole(text=True)
    try:
        documents = [_decoder.decode(content)]
    except NO_JSON as error:
        lines = content.splitlines()
        if len(lines) < 2 or not lines[0].endswith(b"}"):
            raise Unreadable(f"{reading.name} is no document of metrics: {error}") from error
        documents = list(_of_lines(lines, reading))
    for document in documents:
        for resource in document.resourceMetrics or ():
            for scope in resource.scopeMetrics:
                for metric in scope.metrics:
                    yield from _of_metric(metric)
        for series in document.data.result if document.data else ():
            name = series.metric.get("__name__", "")
            labels = {key: value for key, value in series.metric.items() if key != "__name__"}
            for at, written in (*filter(None, [series.value]), *series.values):
                value = _number(written)
                if name in _METRICS and value is not None:
                    is_counted = name == _COUNT
                    yield Sample(_METRICS[name], labels, value, seconds(at), is_counted=is_counted)


def _of_lines(lines: list[bytes], reading: Reading) -> Iterator[_Document]:
    for line in lines:
        reading.line += 1
        if line.strip():
            try:
                yield _decoder.decode(line)
            except NO_JSON:
                reading.skip("the line is no JSON of OTLP metrics")


def _of_metric(metric: _Metric) -> Iterator[Sample]:
    if metric.name not in _METRICS or metric.sum is None:
        return
    is_delta = metric.sum.aggregationTemporality in _DELTA
    for point in metric.sum.dataPoints:
        written = point.asDouble if point.asInt is None else point.asInt
        value = _number(str(written)[:40])
        if value is not None:
            at = seconds(point.timeUnixNano, 1e9)
            yield Sample(_METRICS[metric.name], plain(point.attributes), value, at, is_delta)
