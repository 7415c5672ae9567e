"""How long answers took, as an Envoy has counted them for each cluster since it runs; brought up to date every five seconds."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec


def times_pattern(clusters: Collection[str]) -> str:
    """Return what :meth:`~drystone.l10_engines.proxy.admin.Admin.statistics` is asked for."""
    return f"^({'|'.join(map(re.escape, sorted(_named(clusters))))})$"


def read_times(answer: bytes, clusters: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Return how many answers of each cluster took no longer than each of Envoy's bounds, and all of them last.

    Args:
        answer: To the question for the pattern.
        clusters: Those that were asked about; one of which nothing is counted is left out.
    """
    named = _named(clusters)
    found = {}
    for stat in msgspec.json.decode(answer)["stats"]:
        for one in stat.get("histograms", ()):
            counts = tuple(int(bucket["cumulative"]) for bucket in one["buckets"])
            found[named[one["name"]]] = (*counts, counts[-1])
    return found


def _named(clusters: Collection[str]) -> dict[str, str]:
    # Envoy writes an underscore where a name has a colon, which parts the names of statistics.
    return {f"cluster.{one.replace(':', '_')}.upstream_rq_time": one for one in clusters}
