"""The limits that the proxy counts itself: a script, which is the same for all services, and what it counts by.

Envoy has a filter for this (``local_ratelimit``), but it begins with full buckets whenever anything about it changes, or the
listener that holds it. The script keeps what was used: one state of Lua (``shared_vm_id``) serves every listener that names it,
so it outlives each of them, and ends with the Envoy or when no service has such a limit any more. An Envoy of ours has one
thread that serves requests, so that one state sees them all. What it counts by comes with the routes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l25_deployer.stacks.limits import Limit
from drystone.l35_mesh.limits.answers import LIMIT, problem, sentence
from drystone.l35_mesh.limits.names import LONGEST, MOST_NAMES_OF_ALL
from drystone.l35_mesh.limits.policies import key_header, policy_item
from drystone.l35_mesh.limits.requests import methods, pattern_of

MOST_NAMES = 10_000
"""Names that a proxy keeps for one limit; when it has so many, all further ones share one place."""

_TYPES = TYPE_PREFIX + "envoy.extensions.filters.http.lua.v3."
_NAME = "limits"


@lru_cache(maxsize=1)
def script() -> str:
    """Return the script."""
    text = resources.files(__package__).joinpath("count.lua").read_text()
    numbers = {
        "MOST_NAMES": MOST_NAMES,
        "MOST_NAMES_OF_ALL": MOST_NAMES_OF_ALL // 2,
        "LONGEST": LONGEST,
        "LIMIT": LIMIT,
    }
    for name, value in numbers.items():
        text = text.replace(f"@{name}@", str(value))
    return text


COUNTING: Config = Shared(
    {
        "name": _NAME,
        # It runs where a route says by what to count.
        "disabled": True,
        "typed_config": {
            "@type": f"{_TYPES}Lua",
            "default_source_code": {"inline_string": script()},
            "shared_vm_id": _NAME,
        },
    }
)
"""The filter that counts. It must stand before those that wait: what it counts by is that of the moment it is reached."""


def counting(service: str, limits: Mapping[str, Limit], among: int) -> Config:
    """Return by what the filter counts the requests of a service: its ``LuaPerRoute``.

    Args:
        service: ``<environment>/<service>``.
        limits: By name; of those that the proxy counts.
        among: How many proxies share a limit that is ``shared``.
    """
    told = [
        _told(service, name, limit, among if limit.counted == "shared" else 1)
        for name, limit in sorted(limits.items())
    ]
    version = hashlib.blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()
    context = {"service": service, "version": version, "limits": told}
    return {"@type": f"{_TYPES}LuaPerRoute", "filter_context": context}


def _told(service: str, name: str, limit: Limit, among: int) -> Config:
    """Return one limit as the script reads it: a rate, in calls and seconds, and texts in which ``%d`` are seconds to wait."""
    period = limit.period // timedelta(microseconds=1)
    said = f"{sentence(name, service, limit.count, limit.period)}; try again in %d s"
    told: dict[str, Any] = {
        "name": name,
        "count": limit.count / among,
        "period": period / 1_000_000,
        "burst": max(1, (limit.burst or limit.count) / among),
        "shadow": limit.shadow,
        "policy": policy_item(name, limit.count, period),
        "said": said,
        "body": problem(said, name).decode(),
    }
    if header := key_header(limit):
        told["header"] = header
    if known := methods(limit.match):
        told["methods"] = dict.fromkeys(known, True)
    if pattern := pattern_of(limit.match):
        told["pieces"] = [list(pieces) for pieces in pattern.pieces]
        told["open"] = pattern.open
    return told
