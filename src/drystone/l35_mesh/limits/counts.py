"""What Envoys have counted about limits, read from their statistics, and put together."""

from __future__ import annotations

import re
from datetime import timedelta

import msgspec

_SERVICE = r"[a-z][a-z0-9-]*/[a-z][a-z0-9-]*"
_NAME = r"[a-z][a-z0-9-]*"
_OWN = re.compile(
    rf"http\.inbound/[^/]+\.lua\.limits/(?P<service>{_SERVICE})/(?P<limit>{_NAME})\.(?P<what>ok|over)"
)
_ASKED = re.compile(
    rf"http\.inbound/(?P<service>{_NAME})\.(?P<environment>{_NAME})"
    r"\.ext_authz\.limits_(?P<kind>open|closed)\.error"
)
_UPTIME = "server.uptime"
WANTED = (
    r"^(http\.inbound/[^/]+\.lua\.limits/[^.]+\.(ok|over)"
    r"|http\.inbound/[^/]+\.ext_authz\.limits_(open|closed)\.error|server\.uptime)$"
)
"""A regular expression of RE2 for the statistics that are read."""


class Counts(msgspec.Struct):
    """What Envoys counted since each was started.

    Attributes:
        admitted: Calls that a limit let through, by service (``<environment>/<service>``) and limit.
        over: Calls that were over it.
        passed: Requests that were let through because nobody could be asked, by service.
        refused: Requests that were refused for that.
        uptime: For how long the last one to be started has counted; None where none tells.
    """

    admitted: dict[tuple[str, str], int] = {}
    over: dict[tuple[str, str], int] = {}
    passed: dict[str, int] = {}
    refused: dict[str, int] = {}
    uptime: timedelta | None = None


class _Stat(msgspec.Struct, frozen=True):
    name: str = ""
    value: int | str | None = None


class _Answer(msgspec.Struct, frozen=True):
    stats: list[_Stat] = []


def read(answer: bytes) -> Counts:
    """Read the statistics that :data:`WANTED` names.

    Raises:
        ValueError: It is something else.
    """
    found = Counts()
    for stat in msgspec.json.decode(answer, type=_Answer).stats:
        if not isinstance(stat.value, int):
            continue
        if stat.name == _UPTIME:
            uptime = timedelta(seconds=stat.value)
            found.uptime = uptime if found.uptime is None else min(found.uptime, uptime)
        elif own := _OWN.fullmatch(stat.name):
            counted = found.admitted if own["what"] == "ok" else found.over
            key = (own["service"], own["limit"])
            counted[key] = counted.get(key, 0) + stat.value
        elif asked := _ASKED.fullmatch(stat.name):
            lost = found.passed if asked["kind"] == "open" else found.refused
            service = f"{asked['environment']}/{asked['service']}"
            lost[service] = lost.get(service, 0) + stat.value
    return found
