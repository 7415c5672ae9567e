"""What an Envoy has counted, by who called whom: read from its statistics, whose names hold those of listeners and clusters.

Everything counts from the start of that Envoy. Which statistics are read stands in :data:`WANTED`, so that an Envoy with many
thousands writes out these alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

EDGE = "edge"
"""Where calls come from that no service makes."""

_SERVICE = r"[a-z][a-z0-9-]{0,62}\.[a-z][a-z0-9-]{0,62}"
_CALL = re.compile(rf"http\.outbound/(?P<source>{_SERVICE})>(?P<target>{_SERVICE})\.(?P<what>.+)")
_RETRY = re.compile(
    rf"cluster\.outbound/(?P<source>{_SERVICE})>(?P<target>{_SERVICE})(?:_beside)?\.upstream_rq_retry"
)
_EDGE = re.compile(rf"cluster\.to/(?P<target>{_SERVICE})(?:_beside)?\.(?P<what>.+)")
_INBOUND = re.compile(rf"http\.inbound/(?P<target>{_SERVICE})\.(?P<what>.+)")
_SERVED = re.compile(rf"cluster\.(?P<target>{_SERVICE})(?:_http2|_away|_canary)?\.(?P<what>.+)")
_OUTSIDE = re.compile(
    rf"cluster\.egress/(?P<source>{_SERVICE})>(?P<target>[A-Za-z0-9.:_*\[\]-]{{1,260}})\.(?P<what>upstream_cx_.+)"
)
_CLASS = re.compile(r"(?:down|up)stream_rq_(?P<code_class>[1-5]xx)")

_REQUESTS = r"(downstream|upstream)_rq_([1-5]xx|time|active|retry)"
WANTED = (
    rf"^(http\.(outbound|inbound)/[^>]+(>[^>]+)?\.({_REQUESTS}|rbac\.(shadow_)?denied|jwt_authn\.denied)"
    r"|cluster\.outbound/[^>]+>[^>]+\.upstream_rq_retry"
    rf"|cluster\.(to/)?[a-z][a-z0-9-]*\.[a-z0-9-]+(_http2|_away|_canary|_beside)?\.{_REQUESTS}"
    r"|cluster\.egress/.+\.upstream_cx_(total|active|connect_fail|(rx|tx)_bytes_total))$"
)
"""A regular expression of RE2 for :meth:`~drystone.l10_engines.proxy.admin.Admin.statistics`."""

_REFUSED = {"jwt_authn.denied": "token", "rbac.denied": "rule", "rbac.shadow_denied": "shadow"}


class Bucket(msgspec.Struct, frozen=True):
    """How many took at most so long.

    Attributes:
        bound: Seconds.
        count: Of all that were counted.
    """

    bound: float
    count: int


class Spread(msgspec.Struct, frozen=True):
    """How long things took.

    Attributes:
        buckets: By bound.
        count: How many were counted.
    """

    buckets: tuple[Bucket, ...] = ()
    count: int = 0

    @property
    def total(self) -> float:
        """How long they took together, in seconds, about: each counts with the middle of its bucket."""
        before, total, lower = 0, 0.0, 0.0
        for bucket in self.buckets:
            total += (bucket.count - before) * (lower + bucket.bound) / 2
            before, lower = bucket.count, bucket.bound
        return total + (self.count - before) * lower

    def quantile(self, share: float) -> float | None:
        """Return how long a share of them took at most, in seconds, interpolated; None where it is not known."""
        if not self.count:
            return None
        wanted, before, lower = share * self.count, 0, 0.0
        for bucket in self.buckets:
            if bucket.count >= wanted:
                within = (wanted - before) / (bucket.count - before) if bucket.count > before else 0
                return lower + within * (bucket.bound - lower)
            before, lower = bucket.count, bucket.bound
        return None

    def joined(self, other: Spread) -> Spread:
        """Put two together; both have the same bounds, or one counted nothing."""
        if not self.buckets or not other.buckets:
            return self if self.buckets else other
        buckets = tuple(
            Bucket(one.bound, one.count + two.count)
            for one, two in zip(self.buckets, other.buckets, strict=True)
        )
        return Spread(buckets, self.count + other.count)


class Requests:
    """What was counted of the requests that go one way.

    Attributes:
        classes: Answers, by class of their status: ``2xx``.
        active: Requests under way.
        retries: Repetitions.
        spread: How long answers took.
    """

    __slots__ = ("active", "classes", "retries", "spread")

    def __init__(self) -> None:
        self.classes: dict[str, int] = {}
        self.active = 0
        self.retries = 0
        self.spread = Spread()


class Connections:
    """What was counted of connections to a host outside.

    Attributes:
        counts: By the name of Envoy's statistic, without ``upstream_cx_``.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}


class Statistics:
    """What one Envoy counted.

    Attributes:
        calls: Requests by who called and who was called, as ``<environment>/<service>``, or :data:`EDGE`.
        served: Requests that reached the instances of a service.
        refused: By service, how many requests its sidecar refused, and why: ``token`` or ``rule``; ``shadow`` for those that a
            dry run would have refused.
        outside: Connections by who called and host outside.
    """

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], Requests] = {}
        self.served: dict[str, Requests] = {}
        self.refused: dict[tuple[str, str], int] = {}
        self.outside: dict[tuple[str, str], Connections] = {}

    def put(self, name: str, value: int | Spread) -> None:
        """Take note of one statistic; one whose name says nothing of calls is left out."""
        if found := _CALL.fullmatch(name):
            _note(self._call(found["source"], found["target"]), found["what"], value)
        elif found := _RETRY.fullmatch(name):
            _note(self._call(found["source"], found["target"]), "upstream_rq_retry", value)
        elif found := _EDGE.fullmatch(name):
            _note(self._call(EDGE, found["target"]), found["what"], value)
        elif found := _SERVED.fullmatch(name):
            _note(
                self.served.setdefault(_issuer(found["target"]), Requests()), found["what"], value
            )
        elif found := _INBOUND.fullmatch(name):
            why = _REFUSED.get(found["what"])
            if why is not None and isinstance(value, int):
                self.refused[_issuer(found["target"]), why] = value
        elif (found := _OUTSIDE.fullmatch(name)) and isinstance(value, int):
            host, _, port = found["target"].rpartition("_")
            key = (_issuer(found["source"]), f"{host}:{port}")
            counted = self.outside.setdefault(key, Connections())
            counted.counts[found["what"].removeprefix("upstream_cx_")] = value

    def _call(self, source: str, target: str) -> Requests:
        key = (source if source == EDGE else _issuer(source), _issuer(target))
        return self.calls.setdefault(key, Requests())


class _Bucket(msgspec.Struct, frozen=True):
    upper_bound: float
    cumulative: int


class _Histogram(msgspec.Struct, frozen=True):
    name: str
    buckets: list[_Bucket] = []


class _Stat(msgspec.Struct, frozen=True):
    name: str = ""
    value: int | str | None = None
    histograms: list[_Histogram] = []


class _Answer(msgspec.Struct, frozen=True):
    stats: list[_Stat] = []


class _Parts(msgspec.Struct, frozen=True):
    stats: list[msgspec.Raw] = []


def joined(answers: Iterable[bytes]) -> bytes:
    """Return what several Envoys have counted in the form in which one tells it.

    Raises:
        ValueError: One of them is something else.
    """
    every = [msgspec.json.decode(answer, type=_Parts).stats for answer in answers]
    return msgspec.json.encode(_Parts([stat for stats in every for stat in stats]))


def read(answer: bytes) -> Statistics:
    """Read what :meth:`~drystone.l10_engines.proxy.admin.Admin.statistics` returns.

    Raises:
        ValueError: It is something else.
    """
    found = Statistics()
    for stat in msgspec.json.decode(answer, type=_Answer).stats:
        if stat.name and isinstance(stat.value, int):
            found.put(stat.name, stat.value)
        for histogram in stat.histograms:
            found.put(histogram.name, _spread(histogram.buckets))
    _add_unguarded(found)
    return found


def _add_unguarded(found: Statistics) -> None:
    """Services before which nothing stands are called by the edge alone."""
    guarded = {target for _, target in found.calls}
    guarded |= {target for target, _ in found.refused}
    for target, requests in found.served.items():
        if target not in guarded:
            found.calls[EDGE, target] = requests


def _spread(buckets: list[_Bucket]) -> Spread:
    """Read a histogram, whose bounds are milliseconds; the last bucket holds what took longer than the largest bound."""
    seconds = tuple(Bucket(one.upper_bound / 1000, one.cumulative) for one in buckets)
    return Spread(seconds, seconds[-1].count if seconds else 0)


def _note(requests: Requests, what: str, value: int | Spread) -> None:
    if isinstance(value, Spread):
        if what.endswith("stream_rq_time"):
            requests.spread = requests.spread.joined(value)
    elif found := _CLASS.fullmatch(what):
        name = found["code_class"]
        requests.classes[name] = requests.classes.get(name, 0) + value
    elif what.endswith("stream_rq_active"):
        requests.active += value
    elif what == "upstream_rq_retry":
        requests.retries += value


def _issuer(name: str) -> str:
    service, _, environment = name.partition(".")
    return f"{environment}/{service}"
