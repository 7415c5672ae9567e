"""Plain HTTP to a function and back, by the payload format 2.0 of Lambda's function URLs. Pure."""

from __future__ import annotations

import base64
import json
import re
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from drystone.l10_engines.aws.handing_over import Answered, Handed, Head
from drystone.l25_deployer.local.functions.worker import Answer

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,200}")
_OURS = frozenset(("content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"))
"""Headers that say how a response ends: its server says that."""

_TEXT = ("text/", "application/json", "application/xml", "application/javascript")


def event_of(handed: Handed, body: bytes, *, name: str) -> dict[str, Any]:
    """Write the event of a request.

    Args:
        handed: The request.
        body: Of it.
        name: Of the call.
    """
    headers = {k: v for k, v in handed.headers.items() if k != "cookie"}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(handed.path),
        "rawQueryString": handed.query,
        "headers": headers,
        "requestContext": {
            "accountId": handed.account,
            "apiId": handed.function,
            "domainName": headers.get("host", ""),
            "domainPrefix": handed.function,
            "http": {
                "method": handed.method,
                "path": unquote(handed.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": name,
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := handed.headers.get("cookie"):
        event["cookies"] = [one.strip() for one in cookies.split(";")]
    if handed.query:
        pairs: dict[str, str] = {}
        for key, value in parse_qsl(handed.query, keep_blank_values=True):
            pairs[key] = f"{pairs[key]},{value}" if key in pairs else value
        event["queryStringParameters"] = pairs
    if body:
        event |= _body_of(headers.get("content-type", ""), body)
    return event


def _body_of(kind: str, body: bytes) -> dict[str, Any]:
    if kind.startswith(_TEXT) or "x-www-form-urlencoded" in kind:
        try:
            return {"body": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def response_of(answer: Answer) -> Answered:
    """Read what a function returned: a whole response, or its body alone."""
    if answer.is_failure:
        return _plain(502, b"Internal Server Error")
    made = json.loads(answer.payload)
    if not isinstance(made, dict) or "statusCode" not in made:
        content = made.encode() if isinstance(made, str) else answer.payload
        return Head(200, {"content-type": "application/json"}), content
    try:
        status = int(made["statusCode"])
        if not 200 <= status <= 599:
            return _plain(502, b"Internal Server Error")
        headers = {
            _token(str(name).lower()): _one_line(str(value))
            for name, value in (made.get("headers") or {}).items()
            if str(name).lower() not in _OURS
        }
        if cookies := made.get("cookies"):
            headers["set-cookie"] = _one_line(str(cookies[0]))
        said = made.get("body", "")
        text = said if isinstance(said, str) else json.dumps(said)
        content = base64.b64decode(text) if made.get("isBase64Encoded") else text.encode()
    except (ValueError, TypeError, AttributeError, LookupError):
        return _plain(502, b"Internal Server Error")
    return Head(status, {"content-type": "application/json", **headers}), content


def _token(name: str) -> str:
    """Keep a function from writing a second header into the name of one (RFC 9110, 5.6.2)."""
    if not _NAME.fullmatch(name):
        raise ValueError("a header has a name")
    return name


def _one_line(value: str) -> str:
    """Keep a function from ending a header early."""
    value.encode("latin-1")
    if "\r" in value or "\n" in value or "\0" in value:
        raise ValueError("a header has one line")
    return value


def _plain(status: int, text: bytes) -> Answered:
    return Head(status, {"content-type": "text/plain"}), text
