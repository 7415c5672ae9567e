"""What an Envoy has counted since it runs: how long answers of each cluster took, and how many calls of a service went well at each port.

Times are brought up to date every five seconds.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec


def statistics_pattern(clusters: Collection[str], caller: str) -> str:
    """Return what :meth:`~drystone.l10_engines.proxy.admin.Admin.statistics` is asked for."""
    return f"^({'|'.join(map(re.escape, sorted(_named(clusters))))}|{_calls(caller)})$"


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
            if one["name"] not in named:
                continue
            counts = tuple(int(bucket["cumulative"]) for bucket in one["buckets"])
            found[named[one["name"]]] = (*counts, counts[-1])
    return found


def read_calls(answer: bytes, caller: str) -> dict[tuple[str, int], int]:
    """Return how many calls of a service were answered below 500, by whom it called and the port at which it did.

    Args:
        answer: To the question for the pattern.
        caller: The service, as ``<service>.<environment>``.
    """
    pattern = re.compile(_calls(caller))
    found: dict[tuple[str, int], int] = {}
    for stat in msgspec.json.decode(answer)["stats"]:
        if said := pattern.fullmatch(stat.get("name", "")):
            at = (said["callee"], int(said["port"]))
            found[at] = found.get(at, 0) + int(stat["value"])
    return found


def _calls(caller: str) -> str:
    # Of each listener Envoy counts apart what it counts of all of one name together.
    return (
        r"listener\.[0-9a-f._\[\]]+_(?P<port>[0-9]+)\."
        rf"http\.outbound/{re.escape(caller)}>(?P<callee>[a-z0-9-]+\.[a-z0-9-]+)\.downstream_rq_[1-4]xx"
    )


def _named(clusters: Collection[str]) -> dict[str, str]:
    # Envoy writes an underscore where a name has a colon, which parts the names of statistics.
    return {f"cluster.{one.replace(':', '_')}.upstream_rq_time": one for one in clusters}
