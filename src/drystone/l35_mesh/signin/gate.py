"""What the proxy of a service does about people and builds: pure, from doors to Envoy's configuration.

A door says who may send some requests. Of the doors that a request fits, the first decides, and what it says of people and
builds is all that holds for them; services that call are another matter, which their dependencies decide. The proxy verifies
tokens by itself, so a request costs no call to the sign-in. Whoever puts a listener together adds these parts to its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache

import msgspec

from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.request_words import HIDDEN, split
from drystone.l35_mesh.signin.telling import mappers
from drystone.l35_mesh.signin.words import (
    AT,
    BUILD,
    COOKIE,
    GROUPS,
    NAME,
    PATH,
    STEPS,
    TICKET,
    USER,
)

JWT_FILTER = "envoy.filters.http.jwt_authn"
_SAFE = ("GET", "HEAD", "OPTIONS")
REMEMBERED = 1 << 14
"""How many results are kept, so that a change of one service costs next to nothing for each of the others."""

GOES_ON = timedelta(hours=1)
"""How long a request may go on, such as a WebSocket: who sent it was asked for when it began, and may have signed out."""

_OF_WHO_ASKS = (USER, GROUPS, BUILD, TICKET)
_OTHER_METHOD = ("x-http-method-override", "x-http-method", "x-method-override")
"""By these, frameworks take a request for one of another method than the proxy has seen."""

_LUA = TYPE_PREFIX + "envoy.extensions.filters.http.lua.v3.Lua"
_OWN_COOKIES: Config = {
    "name": "drystone.signin.cookies",
    "typed_config": {
        "@type": _LUA,
        "default_source_code": {
            "inline_string": f"""\
function envoy_on_request(handle)
  local headers = handle:headers()
  local said = headers:get("cookie")
  if said == nil or not said:find("{COOKIE}", 1, true) then return end
  local path = headers:get(":path") or ""
  if path:sub(1, {len(PATH)}) == "{PATH}" then return end
  local kept = {{}}
  for pair in said:gmatch("[^;]+") do
    pair = pair:match("^[ \\t]*(.-)[ \\t]*$")
    if pair:sub(1, {len(COOKIE)}) ~= "{COOKIE}" then kept[#kept + 1] = pair end
  end
  if #kept == 0 then headers:remove("cookie") else headers:replace("cookie", table.concat(kept, "; ")) end
end
"""
        },
    },
}
"""Keeps from a service the cookies by which people are known to its proxy: what it logs or shows of a request holds none."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Who may send some requests.

    Attributes:
        match: Which, in the words of a descriptor: ``*``, or a method and a path such as ``GET /reports/*``.
        public: Everybody.
        staff: Everybody who is signed in.
        groups: Who is signed in and in one of these groups.
        builds: These builds.
    """

    match: str = "*"
    public: bool = False
    staff: bool = False
    groups: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """Who may send what to one service.

    Attributes:
        audience: The service: ``<environment>/<service>``.
        doors: The first that a request fits decides.
        issuer: Address of the sign-in, which its tokens name.
        ticket: Introduces the service to the sign-in: :class:`~drystone.l35_mesh.signin.words.Place`, sealed.
    """

    audience: str
    doors: tuple[Door, ...]
    issuer: str
    ticket: str


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of Envoy's configuration for the inbound side of one service.

    Attributes:
        providers: Of ``jwt_authn``, by name.
        requirements: Of ``jwt_authn``: each is enough by itself.
        open_paths: Where ``jwt_authn`` requires nothing.
        policies: Of ``rbac``, by name; each allows something.
        filters: Behind the decision.
        routes: Of the service's virtual host, before others; they lead to the cluster of the sign-in.
        mappers: Of local replies, before others: the first that fits answers.
        identity_headers: What no client may say of itself, nor of its request where methods decide. The filter of tokens takes away its own headers only where it looks
            at its own tokens, which a request with another token, or to an open path, does not reach.
        lasting: How long a request may go on that has one of these headers.
    """

    providers: Mapping[str, Config] = {}
    requirements: tuple[Config, ...] = ()
    open_paths: tuple[str, ...] = ()
    policies: Mapping[str, Config] = {}
    filters: tuple[Config, ...] = ()
    routes: tuple[Config, ...] = ()
    mappers: tuple[Config, ...] = ()
    identity_headers: tuple[str, ...] = ()
    lasting: Mapping[str, timedelta] = {}


@lru_cache(maxsize=REMEMBERED)
def gate_of(doors: Doors, jwks: str) -> Gate:
    """Return what the proxy of a service does about people and builds.

    Args:
        doors: Who may send what.
        jwks: What verifies tokens of the sign-in: a JSON Web Key Set (RFC 7517 section 5) in JSON.

    Raises:
        InvalidProxyConfig: A door names no requests.
    """
    people = any(door.staff or door.groups for door in doors.doors)
    builds = any(door.builds for door in doors.doors)
    strangers: tuple[Config, ...] = (
        ({"allow_missing": {}},) if any(door.public for door in doors.doors) else ()
    )
    headers = (*_OF_WHO_ASKS, *(_OTHER_METHOD if _by_method(doors) else ()))
    if not (people or builds):
        policies = _policies(doors, people=False)
        return Gate(requirements=strangers, policies=policies, identity_headers=headers)
    return Gate(
        providers={NAME: _provider(doors, jwks)},
        requirements=({"provider_name": NAME}, *strangers),
        open_paths=tuple(PATH + one for one in STEPS) if people else (),
        policies=_policies(doors, people=people),
        filters=(_OWN_COOKIES,) if people else (),
        routes=(_route(doors),) if people else (),
        mappers=mappers(people=people),
        identity_headers=headers,
        lasting={USER: GOES_ON, BUILD: GOES_ON},
    )


def _provider(doors: Doors, jwks: str) -> Config:
    return {
        "issuer": doors.issuer,
        "audiences": [doors.audience],
        "local_jwks": {"inline_string": jwks},
        "forward": False,
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "from_cookies": [COOKIE],
        "require_expiration": True,
        "clock_skew_seconds": 5,
        "payload_in_metadata": NAME,
        "clear_route_cache": True,  # who is known by now chooses among the routes
        "claim_to_headers": [
            {"header_name": USER, "claim_name": "user"},
            {"header_name": GROUPS, "claim_name": "group_names"},
            {"header_name": BUILD, "claim_name": "build"},
        ],
        "jwt_cache_config": {"jwt_cache_size": 500},
    }


def _policies(doors: Doors, *, people: bool) -> dict[str, Config]:
    """Return a policy for each door: what it fits and no earlier one does, for those whom it lets in."""
    found: dict[str, Config] = {}
    if people:
        found[f"{NAME}:steps"] = {
            "permissions": [{"url_path": {"path": {"exact": PATH + one}}} for one in STEPS],
            "principals": [{"any": True}],
        }
    chooses = any(split(door.match)[1] != "*" for door in doors.doors)
    by_method = _by_method(doors)
    for number, door in enumerate(doors.doors):
        principals = _principals(door)
        if not principals:
            continue
        fits: list[Config] = [_fits(door)]
        fits += [{"not_rule": _fits(earlier, loosely=True)} for earlier in doors.doors[:number]]
        if chooses:
            # What a path hides from one door, another must not let pass.
            fits.append({"not_rule": HIDDEN})
        if by_method:
            # Some frameworks write it large before they look.
            fits.append({"not_rule": _method((".*[a-z].*",))})
        if not door.public and (door.staff or door.groups):
            fits.append({"not_rule": _FORGED})
        found[f"{NAME}:{number}"] = {
            "permissions": [{"and_rules": {"rules": fits}}],
            "principals": principals,
        }
    return found


def _by_method(doors: Doors) -> bool:
    return any(split(door.match)[0] != "*" for door in doors.doors)


def _fits(door: Door, *, loosely: bool = False) -> Config:
    """Match the requests of a door; loosely, also those that some applications take for them."""
    method, path = split(door.match)
    rules: list[Config] = []
    if method != "*":
        rules.append(_method((method, "HEAD") if method == "GET" else (method,)))
    if path != "*":
        rules.append({"url_path": {"path": _path(path, loosely=loosely)}})
    return {"and_rules": {"rules": rules}} if rules else {"any": True}


def _path(path: str, *, loosely: bool) -> Config:
    """Match a path with and without a slash at its end: to most applications both are one.

    Args:
        path: As a descriptor writes it; ``/a/*`` is what lies below ``/a``, and ``/a``.
        loosely: In letters of any size. Nobody passes by what a door fits only so: to one application it is the
            path of that door, and to the next another one.
    """
    if path.endswith("/*"):
        pattern = rf"{_pattern(path[:-2])}(/.*)?"
    elif path.endswith("*"):
        pattern = f"{_pattern(path[:-1])}.*"
    else:
        pattern = f"{_pattern(path.removesuffix('/'))}/?"
    return {"safe_regex": {"regex": f"(?i){pattern}" if loosely else pattern}}


def _pattern(path: str) -> str:
    return "[^/]*".join(map(re.escape, path.split("*")))


def _method(methods: Sequence[str]) -> Config:
    pattern = "|".join(methods)
    return {"header": {"name": ":method", "string_match": {"safe_regex": {"regex": pattern}}}}


_FORGED: Config = {
    "and_rules": {
        "rules": [
            {
                "header": {
                    "name": "sec-fetch-site",
                    "string_match": {"safe_regex": {"regex": "cross-site|same-site"}},
                }
            },
            {
                "or_rules": {
                    "rules": [
                        {"not_rule": _method(_SAFE)},
                        {"header": {"name": "upgrade", "present_match": True}},
                    ]
                }
            },
        ]
    }
}
"""A request that changes something, or opens a WebSocket, from a page of another host: browsers send the cookie along from
every host below the same two labels (``a.dev.localhost`` and ``b.dev.localhost``), and say so (W3C Fetch Metadata)."""


def _principals(door: Door) -> list[Config]:
    if door.public:
        return [{"any": True}]
    principals: list[Config] = []
    if door.staff:
        principals.append(_says("user", {"present_match": True}))
    else:
        principals += [
            _says("groups", {"list_match": {"one_of": {"string_match": {"exact": group}}}})
            for group in door.groups
        ]
    principals += [_says("build", {"string_match": {"exact": build}}) for build in door.builds]
    return principals


def _says(claim: str, value: Config) -> Config:
    return {
        "sourced_metadata": {
            "metadata_matcher": {
                "filter": JWT_FILTER,
                "path": [{"key": NAME}, {"key": claim}],
                "value": value,
            }
        }
    }


def _route(doors: Doors) -> Config:
    return {
        "name": NAME,
        "match": {"prefix": PATH},
        "route": {"cluster": NAME, "prefix_rewrite": f"{AT}/", "timeout": "30s"},
        "request_headers_to_add": [set_header(TICKET, doors.ticket)],
        "request_headers_to_remove": ["authorization"],
    }
