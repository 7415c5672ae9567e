"""The vocabulary of values: names, paths, hosts, requests and the like, each declared once."""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from typing import Annotated, TypeAlias

from drystone.l00_kernel.addresses import PRIVATE, is_private
from drystone.l25_deployer.descriptor.forms import Mistake, Text

_SEGMENT = (
    r"(?!\.{1,2}(?:[/?]|$))"
    r"(?:[A-Za-z0-9._~!&'()*+,;=:@-]|%(?!0|1|2[eEfF]|5[cC]|7[fF])[0-9A-Fa-f]{2})+"
)
_PATH = rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?"
_QUERY = r"(?:\?[A-Za-z0-9._~!&'()*+,;=:@/?%-]*)?"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_NAME = r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"
_ARI = r"ari:cloud:[a-z0-9-]+:[a-z0-9-]*:[a-z0-9-]+/[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_EDGE_OWN = frozenset(
    [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


def _relative(text: str) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts:
        why = "is absolute" if text.startswith("/") else "leaves the descriptor's folder"
        raise Mistake(f"{text!r} {why}", "write a path below the folder that holds the descriptor")
    return "/".join(parts) or "."


def _header_name(text: str) -> str:
    if text.lower() in _EDGE_OWN:
        raise Mistake(f"the edge itself sets the header '{text}'", "remove it")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Mistake(f"there is no day '{text}'", "write it as year-month-day") from None


def _no_dots(text: str) -> str:
    if ".." in text:
        raise Mistake(f"'{text}' holds '..'")
    return text


def _variable(text: str) -> str:
    if text.startswith("DRYSTONE_"):
        raise Mistake(
            f"'{text}' is set by the platform", "names starting with DRYSTONE_ are reserved"
        )
    return text


def _private_range(text: str) -> str:
    try:
        range_ = str(ipaddress.ip_network(text))
    except ValueError:
        try:
            nearest = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise Mistake(
                f"'{text}' is no range of addresses", "write one such as 10.0.0.0/8"
            ) from None
        raise Mistake(f"'{text}' has bits behind the prefix", f"write {nearest}") from None
    if not is_private(range_):
        raise Mistake(
            f"'{text}' is no range of private addresses",
            f"private ones lie in {', '.join(PRIVATE)}; to others no range is needed",
        )
    return range_


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")[:40]


def _as_variable(text: str) -> str:
    return re.sub(r"[^A-Z0-9_]+", "_", text.upper())


def _as_path(text: str) -> str:
    return f"/{text}"


Words: TypeAlias = Annotated[str, Text("text", "a text", most=4000)]
Name: TypeAlias = Annotated[
    str,
    Text(
        "name",
        "a name such as 'order-db' (a-z, 0-9 and -, at most 40, starting with a letter)",
        _NAME,
        repair=_as_name,
    ),
]
Variable: TypeAlias = Annotated[
    str,
    Text(
        "variable",
        "a name such as LOG_LEVEL (A-Z, 0-9 and _)",
        "[A-Z_][A-Z0-9_]{0,127}",
        convert=_variable,
        repair=_as_variable,
    ),
]
ServiceName: TypeAlias = Annotated[
    str,
    Text(
        "service",
        "a service such as 'billing', or an identifier such as ari:cloud:payments::service/billing",
        f"{_NAME}|{_ARI}",
        repair=_as_name,
        most=300,
    ),
]
GrpcService: TypeAlias = Annotated[
    str,
    Text(
        "gRPC service",
        "the name of a gRPC service such as shop.Orders",
        "[A-Za-z0-9_][A-Za-z0-9_./-]*",
        most=200,
    ),
]
Ari: TypeAlias = Annotated[
    str,
    Text(
        "ARI",
        "a resource identifier such as ari:cloud:commerce:orders:postgres/db",
        _ARI,
        convert=_no_dots,
        most=300,
    ),
]
UrlPath: TypeAlias = Annotated[
    str,
    Text(
        "path of a URL",
        "a path such as /healthcheck",
        _PATH + _QUERY,
        repair=_as_path,
        most=1000,
    ),
]
Request: TypeAlias = Annotated[
    str,
    Text(
        "request",
        "a method and a path such as GET /orders",
        rf"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) {_PATH}{_QUERY}",
        repair=lambda text: f"GET {text}" if text.startswith("/") else text[:7].upper() + text[7:],
        most=1000,
    ),
]
Match: TypeAlias = Annotated[
    str,
    Text(
        "pattern of requests",
        "'*', or a method and a path such as GET /reports/*",
        rf"\*|(?:\*|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) {_PATH}",
        most=1000,
    ),
]
LimitedRequests: TypeAlias = Annotated[
    str,
    Text(
        "pattern of requests",
        "'*', 'none', or a method and a path such as GET /reports/*",
        rf"\*|none|(?:\*|GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) {_PATH}",
        most=1000,
    ),
]
Group: TypeAlias = Annotated[
    str,
    Text(
        "group",
        "a group of people such as finance (letters, digits, blanks and . _ : / @ + -)",
        r"[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,126}",
    ),
]
Pattern: TypeAlias = Annotated[
    str,
    Text(
        "pattern of files",
        "a pattern of files such as *.js or assets/*",
        r"/?[A-Za-z0-9_*@+-][A-Za-z0-9._*@+/-]*",
        convert=_no_dots,
        most=255,
    ),
]
RelativePath: TypeAlias = Annotated[
    str,
    Text(
        "path of a file",
        "a path such as dist or schemas/order.json (letters, digits and . _ - @ + /)",
        r"/?[A-Za-z0-9._@+][A-Za-z0-9._@+/-]*|/",
        convert=_relative,
        most=255,
    ),
]
Host: TypeAlias = Annotated[
    str,
    Text(
        "host",
        "a host such as orders.example.com",
        rf"(?:\*\.)?{_HOST}",
        most=253,
        repair=str.lower,
    ),
]
HostPort: TypeAlias = Annotated[
    str,
    Text(
        "host and port",
        "a host and a port such as api.stripe.com:443",
        rf"(?:\*\.)?{_HOST}(?::[0-9]{{1,5}})?",
        most=260,
        repair=lambda text: re.sub(r"^[a-z]+://", "", text.lower()).partition("/")[0],
    ),
]
PrivateRange: TypeAlias = Annotated[
    str,
    Text(
        "range of addresses",
        "private addresses such as 10.0.0.0/8",
        r"[0-9a-f:.]+/[0-9]{1,3}",
        convert=_private_range,
        most=60,
    ),
]
Origin: TypeAlias = Annotated[
    str,
    Text(
        "origin",
        "'*', or an origin such as https://example.com",
        rf"\*|https?://{_HOST}(?::[0-9]{{1,5}})?",
        most=260,
        repair=lambda text: (
            f"https://{text.rstrip('/')}" if "://" not in text else text.rstrip("/")
        ),
    ),
]
Link: TypeAlias = Annotated[
    str,
    Text(
        "link",
        "a link such as https://wiki.example.com/orders",
        r"(?:https?|ssh|git|git\+ssh|git\+https)://[A-Za-z0-9._~!$&'()*+,;=:@/?#%\[\]-]+",
        most=2000,
        repair=lambda text: f"https://{text}",
    ),
]
HeaderName: TypeAlias = Annotated[
    str,
    Text(
        "header",
        "a header such as X-Frame-Options (letters, digits, - and _)",
        r"[A-Za-z][A-Za-z0-9_-]{0,99}",
        convert=_header_name,
    ),
]
HeaderValue: TypeAlias = Annotated[
    str,
    Text(
        "value of a header",
        "the value of a header: visible ASCII characters, with spaces only between them (RFC 9110)",
        "[!-~](?:[ -~\\t]*[!-~])?",
        most=4000,
    ),
]
SecretName: TypeAlias = Variable
Namespace: TypeAlias = Annotated[
    str,
    Text(
        "namespace",
        "a namespace such as commerce/pricing",
        "[a-z][a-z0-9-]*(?:/[a-z0-9-]+)*",
        most=200,
        repair=str.lower,
    ),
]
EventType: TypeAlias = Annotated[
    str,
    Text(
        "type of event",
        "a type of event such as order.created",
        r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*",
        most=200,
        repair=lambda text: re.sub(r"[^a-z0-9.-]+", "-", text.lower()),
    ),
]
DataClass: TypeAlias = Annotated[
    str,
    Text(
        "data class",
        "a data class such as pii/contact",
        "[a-z][a-z0-9-]*(?:/[a-z0-9-]+)*",
        most=100,
    ),
]
Identifier: TypeAlias = Annotated[
    str,
    Text(
        "identifier",
        "a name such as customer_id (letters, digits, _, - and .)",
        "[A-Za-z_][A-Za-z0-9_.-]{0,254}",
        convert=_no_dots,
    ),
]
Extension: TypeAlias = Annotated[
    str,
    Text("extension", "an extension such as pg_trgm", "[a-z][a-z0-9_-]{0,62}", repair=str.lower),
]
MajorVersion: TypeAlias = Annotated[
    str, Text("major version", "a major version such as 18", "[1-9][0-9]")
]
Module: TypeAlias = Annotated[
    str,
    Text(
        "Python module",
        "a Python module such as drystone.l40_messaging.events",
        r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*",
        most=200,
    ),
]
Cron: TypeAlias = Annotated[
    str,
    Text(
        "cron line",
        "a cron line of five fields such as '15 2 * * *'",
        r"(?:[0-9A-Za-z*/,#?L-]+ +){4}[0-9A-Za-z*/,#?L-]+",
        most=200,
    ),
]
Moment: TypeAlias = Annotated[
    str,
    Text(
        "moment",
        "a moment such as 2030-01-31T09:00:00Z (RFC 3339)",
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9](?::[0-5][0-9])?(?:Z|[+-][0-2][0-9]:[0-5][0-9])",
    ),
]
Day: TypeAlias = Annotated[
    date,
    Text(
        "day",
        "a day such as 2027-01-31",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        convert=_day,
        most=10,
    ),
]
Zone: TypeAlias = Annotated[
    str,
    Text(
        "time zone",
        "a time zone such as Australia/Sydney",
        "[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*",
        most=60,
    ),
]
Window: TypeAlias = Annotated[
    str,
    Text(
        "window",
        "days, hours and a time zone such as 'mon-fri 09:00-16:00 Australia/Sydney'",
        r"(?:mon|tue|wed|thu|fri|sat|sun)(?:[-,](?:mon|tue|wed|thu|fri|sat|sun))*"
        r" [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9](?: [A-Za-z0-9_+/-]+)?",
        most=120,
        repair=str.lower,
    ),
]
AlarmLine: TypeAlias = Annotated[
    str,
    Text(
        "alarm",
        "'<metric> <op> <value> [for <duration>] [-> page|ticket|chat]' such as 'errors > 1% for 5m -> page'",
        r"[a-z][a-z0-9_.-]* *(?:>=|<=|>|<) *[0-9]+(?:\.[0-9]+)?(?:%|ms|s|m|h|d|Ki|Mi|Gi|Ti)?"
        r"(?: +for +[0-9]+(?:s|m|h|d))?(?: *-> *(?:page|ticket|chat))?",
        most=200,
    ),
]
