"""What proxies counted, as text that Prometheus and whoever speaks its format collect. Pure.

Names follow OpenMetrics 1.0 (units and ``_total`` at the end, https://openmetrics.io) and, for requests, the semantic
conventions of OpenTelemetry for HTTP metrics: ``http.client.request.duration`` is how long the one who calls waits,
``http.server.request.duration`` how long the instances of a service take. Services are labelled ``<environment>/<service>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from drystone.l35_mesh.observed.statistics import Requests, Spread, Statistics

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_LARGEST_BOUND = 60.0
"""Seconds; what takes longer stands in the last bucket."""


class Family(msgspec.Struct, frozen=True):
    """One metric.

    Attributes:
        name: Without the ``_total`` of a counter.
        type: What it does.
        help: What it counts.
        samples: Its lines, without the name: a suffix, labels, and a value.
    """

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[tuple[str, str, float], ...]


def families(found: Statistics, *, up: bool = True) -> list[Family]:
    """Return every metric, each with its samples in order.

    Args:
        found: What was counted.
        up: Whether the proxy answered.
    """
    calls = {_pair(*key, "http"): requests for key, requests in sorted(found.calls.items())}
    served = {_labels(service=key): requests for key, requests in sorted(found.served.items())}
    outside = {_pair(*key, "tcp"): one.counts for key, one in sorted(found.outside.items())}
    refused = {
        _labels(destination=target, reason=why): count
        for (target, why), count in sorted(found.refused.items())
    }
    some = [
        Family("mesh_proxy_up", "gauge", "Whether the proxy answered.", (("", "", int(up)),)),
        *_of_requests("http_client", "of one service to another, or from the edge", calls),
        _counter(
            "mesh_retries", "Requests that a proxy repeated.", _each(calls, lambda r: r.retries)
        ),
        *_of_requests("http_server", "that reached the instances of a service", served),
        _counter(
            "mesh_refused_requests", "Requests that a sidecar refused, or would.", refused.items()
        ),
    ]
    for what, name, text in (
        ("total", "mesh_connections", "Connections to hosts outside."),
        ("connect_fail", "mesh_connection_failures", "Connections to hosts outside that failed."),
        ("tx_bytes_total", "mesh_sent_bytes", "Bytes sent to hosts outside."),
        ("rx_bytes_total", "mesh_received_bytes", "Bytes received from hosts outside."),
    ):
        some.append(_counter(name, text, ((at, one.get(what, 0)) for at, one in outside.items())))
    active = tuple(("", at, one.get("active", 0)) for at, one in outside.items())
    some.append(
        Family("mesh_open_connections", "gauge", "Connections to hosts outside now.", active)
    )
    return some


def text(some: Iterable[Family], *, openmetrics: bool) -> str:
    """Write metrics as OpenMetrics, or in the text format of Prometheus."""
    lines = []
    for family in some:
        total = "_total" if family.type == "counter" else ""
        name = family.name if openmetrics else family.name + total
        lines.append(f"# HELP {name} {family.help}")
        lines.append(f"# TYPE {name} {family.type}")
        lines += [
            f"{family.name}{total}{suffix}{labels} {_number(value)}"
            for suffix, labels, value in family.samples
        ]
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _of_requests(name: str, which: str, some: dict[str, Requests]) -> Iterator[Family]:
    yield _counter(
        f"{name}_requests",
        f"Requests {which}, by class of the answer's status.",
        (
            (_with(labels, f'code_class="{code}"'), count)
            for labels, requests in some.items()
            for code, count in sorted(requests.classes.items())
        ),
    )
    yield Family(
        f"{name}_active_requests",
        "gauge",
        f"Requests {which}, under way now.",
        tuple(("", labels, requests.active) for labels, requests in some.items()),
    )
    yield Family(
        f"{name}_request_duration_seconds",
        "histogram",
        f"How long requests took {which}; the sum is about right.",
        tuple(
            sample
            for labels, requests in some.items()
            for sample in _histogram(labels, requests.spread)
        ),
    )


def _histogram(labels: str, spread: Spread) -> Iterator[tuple[str, str, float]]:
    if not spread.buckets:
        return
    for bucket in spread.buckets:
        if bucket.bound <= _LARGEST_BOUND:
            yield "_bucket", _with(labels, f'le="{_number(float(bucket.bound))}"'), bucket.count
    yield "_bucket", _with(labels, 'le="+Inf"'), spread.count
    yield "_sum", labels, round(spread.total, 9)
    yield "_count", labels, spread.count


def _counter(name: str, help_: str, samples: Iterable[tuple[str, int]]) -> Family:
    return Family(name, "counter", help_, tuple(("", labels, value) for labels, value in samples))


def _each(some: dict[str, Requests], count: Callable[[Requests], int]) -> list[tuple[str, int]]:
    return [(labels, count(requests)) for labels, requests in some.items()]


def _pair(source: str, destination: str, protocol: str) -> str:
    return _labels(source=source, destination=destination, protocol=protocol)


def _labels(**labels: str) -> str:
    """Write labels; their values are names that were checked when they were read, without quotes or line breaks."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def _with(labels: str, more: str) -> str:
    return f"{labels[:-1]},{more}}}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
