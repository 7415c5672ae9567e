"""What the proxy of a service does about people and builds: pure, from doors to Envoy's configuration.

A door says who may send some requests. Of the doors that a request fits, the first decides, and what it says of people and
builds is all that holds for them; services that call are another matter, which their dependencies decide. The proxy verifies
tokens by itself, so a request costs no call to the sign-in. Whoever puts a listener together adds these parts to its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.request_words import HIDDEN, path_matcher, split
from drystone.l35_mesh.signin.words import AT, COOKIE, NAME, PATH, STEPS, TICKET

USER, GROUPS, BUILD = "x-drystone-user", "x-drystone-groups", "x-drystone-build"
"""Headers by which a service learns who asks; taken from whoever sends them himself."""

JWT_FILTER = "envoy.filters.http.jwt_authn"
_SAFE = ("GET", "HEAD", "OPTIONS")
REMEMBERED = 1 << 14
"""How many results are kept, so that a change of one service costs next to nothing for each of the others."""

_LONGEST_RETURN = 513
"""One more than the sign-in takes, so that it sees when a path was cut."""


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
        routes: Of the service's virtual host, before others; they lead to the cluster of the sign-in.
        mappers: Of local replies, before others: the first that fits answers.
        identity_headers: What no client may say of itself. The filter of tokens takes away its own headers only where it looks
            at its own tokens, which a request with another token, or to an open path, does not reach.
    """

    providers: Mapping[str, Config] = {}
    requirements: tuple[Config, ...] = ()
    open_paths: tuple[str, ...] = ()
    policies: Mapping[str, Config] = {}
    routes: tuple[Config, ...] = ()
    mappers: tuple[Config, ...] = ()
    identity_headers: tuple[str, ...] = (USER, GROUPS, BUILD, TICKET)


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
    if not (people or builds):
        return Gate(requirements=strangers, policies=_policies(doors, people=False))
    return Gate(
        providers={NAME: _provider(doors, jwks)},
        requirements=({"provider_name": NAME}, *strangers),
        open_paths=tuple(PATH + one for one in STEPS) if people else (),
        policies=_policies(doors, people=people),
        routes=(_route(doors),) if people else (),
        mappers=_mappers(people=people),
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
    for number, door in enumerate(doors.doors):
        principals = _principals(door)
        if not principals:
            continue
        fits: list[Config] = [_fits(door)]
        fits += [{"not_rule": _fits(earlier)} for earlier in doors.doors[:number]]
        if chooses:
            # What a path hides from one door, another must not let pass.
            fits.append({"not_rule": HIDDEN})
        if not door.public and (door.staff or door.groups):
            fits.append({"not_rule": _FORGED})
        found[f"{NAME}:{number}"] = {
            "permissions": [{"and_rules": {"rules": fits}}],
            "principals": principals,
        }
    return found


def _fits(door: Door) -> Config:
    method, path = split(door.match)
    rules: list[Config] = []
    if method != "*":
        rules.append(_method((method, "HEAD") if method == "GET" else (method,)))
    if path != "*":
        rules.append({"url_path": {"path": path_matcher(path)}})
    return {"and_rules": {"rules": rules}} if rules else {"any": True}


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
        "request_headers_to_add": [
            {
                "header": {"key": TICKET, "value": doors.ticket},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ],
        "request_headers_to_remove": ["authorization"],
    }


def _mappers(*, people: bool) -> tuple[Config, ...]:
    """Return how refusals are told: a browser is led to the sign-in, everybody else gets a problem document."""
    refused: Config = _status(403)
    nobody = _all(refused, *(_without(each) for each in (USER, BUILD, "x-asap-issuer")))
    unknown = {"or_filter": {"filters": [_status(401), _flag("UAEX"), nobody]}}
    mappers: list[Config] = []
    if people:
        where = f"{PATH}begin?to=%REQ(:PATH):{_LONGEST_RETURN}%"
        mappers.append(
            {
                "filter": _all(
                    unknown, _has(":method", exact="GET"), _has("accept", contains="text/html")
                ),
                "status_code": 302,
                "headers_to_add": [
                    _header("location", where),
                    _header("cache-control", "no-store"),
                ],
                "body_format_override": {"text_format_source": {"inline_string": ""}},
            }
        )
    way = "open the page in a browser, or sign in with `drystone login`; " if people else ""
    mappers += [
        {
            # A token that is refused is told of by those whose it is.
            "filter": _all(unknown, _without("authorization")),
            "status_code": 401,
            "headers_to_add": [
                _header("www-authenticate", "Bearer"),
                _header("cache-control", "no-store"),
            ],
            "body_format_override": _problem(
                "Unauthenticated",
                "Who asks is not known",
                f"This request needs a token: {way}a build exchanges its own for one of this service; a service"
                " declares this one among its dependencies, and calls at the address that it is then given.",
                401,
            ),
        },
        {
            "filter": _all(refused, _has(USER)),
            "body_format_override": _problem(
                "NotPermitted",
                "This user may not do this",
                f"%REQ({USER}):200% is signed in and in no group that may send this request; or a page of"
                " another host has sent it. network.ingress of the descriptor says who may.",
                403,
            ),
        },
        {
            "filter": _all(refused, _has(BUILD)),
            "body_format_override": _problem(
                "NotPermitted",
                "This build may not do this",
                f"%REQ({BUILD}):200% is not among the builds that may send this request: add it to"
                " network.ingress.builds of the descriptor.",
                403,
            ),
        },
    ]
    return tuple(mappers)


def _flag(flag: str) -> Config:
    return {"response_flag_filter": {"flags": [flag]}}


def _has(header: str, **how: str) -> Config:
    match: Config = {"string_match": how} if how else {"present_match": True}
    return {"header_filter": {"header": {"name": header, **match}}}


def _status(status: int) -> Config:
    return {
        "status_code_filter": {
            "comparison": {
                "op": "EQ",
                "value": {"default_value": status, "runtime_key": f"signin.status.{status}"},
            }
        }
    }


def _without(header: str) -> Config:
    return {
        "header_filter": {"header": {"name": header, "present_match": True, "invert_match": True}}
    }


def _all(*filters: Config) -> Config:
    return {"and_filter": {"filters": list(filters)}}


def _header(name: str, value: str) -> Config:
    return {
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _problem(code: str, title: str, detail: str, status: int) -> Config:
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": f"{NAME}.{code}",
            "title": title,
            "status": status,
            "detail": detail,
            "instance": "%REQ(X-REQUEST-ID):128%",
        },
    }
