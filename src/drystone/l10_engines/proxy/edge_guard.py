"""The guard of ways in: a small set of rules on path and query, for what tools that look for holes send.

It is no replacement for an application that escapes what it writes and binds what it asks a database: bodies, cookies and
headers are not looked at, and whoever knows the rules gets around them. What it does is written in ``docs/reference/guard.md``,
and a corpus in the tests holds how much of what is meant well it takes for an attack. The rules are in ``guard.lua``.
"""

from __future__ import annotations

from pathlib import Path

from drystone.l10_engines.proxy.edge_ways import Guard
from drystone.l10_engines.proxy.local_replies import Answer
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l10_engines.proxy.occasions import says

GUARD = "envoy.filters.http.lua"
RULE = "%DYNAMIC_METADATA(drystone.guard:rule)%"
"""The rule that a request met, for a log."""

_SCRIPT = "guard"
_LUA = TYPE_PREFIX + "envoy.extensions.filters.http.lua.v3.Lua"
_PER_ROUTE = TYPE_PREFIX + "envoy.extensions.filters.http.lua.v3.LuaPerRoute"

FILTER: Config = Shared(
    {
        "name": GUARD,
        "disabled": True,
        "typed_config": {
            "@type": _LUA,
            "source_codes": {
                _SCRIPT: {"inline_string": Path(__file__).with_name("guard.lua").read_text()}
            },
            "stat_prefix": _SCRIPT,
        },
    }
)
"""The filter; only ways switch it on."""

REFUSED = Answer(
    when=says("response.code_details == 'lua_response'"),
    code="RequestGuarded",
    title="The request looks like an attack",
    detail=f"The edge refuses it by the rule {RULE}. If it is meant well, the owner of %ROUTE_NAME% can say"
    " 'waf_report: true' or 'waf: false' for this way in.",
)
"""What is answered then."""


ON_HOST: Config = Shared({"@type": _PER_ROUTE, "name": _SCRIPT})
"""What a host says of the filter: what a path means is decided before anything is chosen by it."""


def mode_of(guard: Guard) -> Config:
    """Return what the metadata of a route says of the filter; that of the route to which a path leads in the end counts."""
    return Shared({"mode": guard})
