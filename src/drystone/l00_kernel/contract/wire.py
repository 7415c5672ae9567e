"""The wire form: how arguments, results and errors travel. Server and client share it.

============================  ==========================================================================
``Drystone-Timeout``          seconds that the caller still waits, decimal; absent: without limit
``Drystone-Request-Id``       names the request; 1 to 64 of ``A-Z a-z 0-9 . _ -``; echoed in the answer
``Idempotency-Key``           with POST, 1 to 255 visible ASCII characters
``Idempotent-Replayed: true`` the answer was given before, to an earlier request with the same key
============================  ==========================================================================

A result is JSON with status 200, or 204 without content where a call returns nothing. An error is a problem
document (RFC 9457) whose ``type`` is the error's code. A stream is NDJSON (``application/x-ndjson``): one
item per line, blank lines as signs of life, and a line ``{"application/problem+json": {…}}`` last where it
failed; no field of a Struct can have that name, so that no item can be taken for it.
"""

from __future__ import annotations

import functools
import math
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

import msgspec

from drystone.l00_kernel.contract import errors as own
from drystone.l00_kernel.contract.declaration import Api, Argument, Call
from drystone.l00_kernel.contract.scalars import from_text, to_text
from drystone.l00_kernel.contract.unknown import finder
from drystone.l00_kernel.errors import (
    Conflict,
    DeadlineExceeded,
    Denied,
    Invalid,
    NotFound,
    PlatformError,
    TooMany,
    Unauthenticated,
    Unavailable,
)

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
TIMEOUT = "drystone-timeout"
REQUEST_ID = "drystone-request-id"
KEY = "idempotency-key"
REPLAYED = "idempotent-replayed"

PROBLEM_LINE = b'{"application/problem+json":'
LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of the longest line that a client reads."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_QUERY_FIELDS = 200
_KERNEL: tuple[type[PlatformError], ...] = (
    PlatformError,
    Invalid,
    Unauthenticated,
    Denied,
    NotFound,
    Conflict,
    TooMany,
    Unavailable,
    DeadlineExceeded,
)
_OWN: tuple[type[PlatformError], ...] = (
    own.NoSuchCall,
    own.WrongMethod,
    own.BodyTooLarge,
    own.BodyTooSlow,
    own.WrongMediaType,
    own.KeyReused,
    own.CallRunning,
    own.Unreachable,
    own.BadAnswer,
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error on its way (RFC 9457).

    Attributes:
        type: The error's code, for example ``secrets.SecretNotFound``.
        title: What the class of errors is, the same each time.
        status: The HTTP status.
        detail: What, which, and what to do next.
        request_id: The request that failed.
        details: Names of the things concerned, for machines.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    request_id: str | None = None
    details: dict[str, str] = {}


def to_problem(error: PlatformError, request_id: str | None = None) -> Problem:
    """Write an error down."""
    title = (type(error).__doc__ or "").strip().partition("\n")[0]
    details = {name: _unicode(str(value)) for name, value in error.details.items()}
    detail = _unicode(error.message)
    return Problem(error.code(), title, error.status.value, detail, request_id, details)


def _unicode(text: str) -> str:
    """Return text that can be encoded; a file's name, for one, may hold bytes that are no Unicode."""
    return text.encode(errors="backslashreplace").decode()


def to_error(problem: Problem, contract: type[Api]) -> PlatformError:
    """Return the error that a problem stands for, of the class that was raised on the other side.

    A code that this contract does not know gives the kernel's class for the same status, with the code
    among the details.
    """
    known = _known(contract).get(problem.type)
    error_class = known or _by_status(problem.status)
    # Not through the class's own constructor, which may want other arguments.
    error = error_class.__new__(error_class)
    PlatformError.__init__(error, problem.detail or problem.title)
    error.details = dict(problem.details) if known else {**problem.details, "code": problem.type}
    return error


@functools.cache
def _known(contract: type[Api]) -> dict[str, type[PlatformError]]:
    return {e.code(): e for e in (*_KERNEL, *_OWN, *contract.errors)}


def _by_status(status: int) -> type[PlatformError]:
    exact = next((e for e in _KERNEL if e.status == status), None)
    if exact:
        return exact
    if status >= 500:
        return Unavailable if status == HTTPStatus.BAD_GATEWAY else PlatformError
    return Invalid


def problem_of_answer(status: int, media_type: str, body: bytes) -> Problem:
    """Read an answer that is no success, whoever gave it: a proxy's page has no problem document."""
    if media_type.partition(";")[0].strip() == PROBLEM:
        try:
            return msgspec.json.decode(body, type=Problem)
        except (msgspec.MsgspecError, RecursionError):
            pass
    return Problem("unknown", "", status, f"answered {status} without a problem document")


def problem_line(problem: Problem) -> bytes:
    """Write the last line of a stream that failed."""
    return PROBLEM_LINE + msgspec.json.encode(problem) + b"}\n"


def problem_of_line(line: bytes) -> Problem | None:
    """Return the problem that a line of a stream holds; None for an item."""
    if not line.startswith(PROBLEM_LINE):
        return None
    return msgspec.json.decode(line, type=dict[str, Problem])["application/problem+json"]


def encode(value: Any) -> bytes:
    """Write JSON.

    Raises:
        ValueError: The value holds a number that is not finite, for which JSON has no word and msgspec
            would write ``null``; or text that is not Unicode.
    """
    encoded = msgspec.json.encode(value)
    if b"null" in encoded and _has_infinity(msgspec.to_builtins(value)):
        raise ValueError("a number is not finite; JSON cannot carry it")
    return encoded


def encode_item(value: Any) -> bytes:
    """Write one line of a stream.

    Raises:
        ValueError: As :func:`encode`; or the item looks like the end of a stream that failed.
    """
    line = encode(value)
    if line.startswith(PROBLEM_LINE):
        raise ValueError("an item of a stream may not begin like a problem")
    return line + b"\n"


def _has_infinity(plain: Any) -> bool:
    if isinstance(plain, float):
        return not math.isfinite(plain)
    if isinstance(plain, dict):
        return any(map(_has_infinity, plain.values()))
    return isinstance(plain, (list, tuple)) and any(map(_has_infinity, plain))


def check_key(key: str) -> str:
    """Return an Idempotency-Key that can travel.

    Raises:
        Invalid: It is empty, too long, or holds other than visible ASCII characters.
    """
    if not _KEY.fullmatch(key):
        raise Invalid("the Idempotency-Key must be 1 to 255 visible ASCII characters")
    return key


def write_target(call: Call, given: dict[str, Any], others: msgspec.Struct) -> str:
    """Return path and query of a request.

    Args:
        call: What is called.
        given: Values of the arguments in the path.
        others: The other arguments; they go into the query unless the call has a body. What has its default is left out.

    Raises:
        Invalid: A value cannot stand in a path or a query.
    """
    path = call.path
    for argument in call.in_path:
        text = _text(call, argument, given[argument.name])
        _refuse_dots(call, argument.name, text)
        path = path.replace("{" + argument.name + "}", quote(text, safe=""))
    if call.has_body:
        return path
    query = [
        (argument.name, _text(call, argument, value))
        for argument in call.arguments
        if (value := getattr(others, argument.name)) != argument.default or argument.required
    ]
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path


def _text(call: Call, argument: Argument, value: Any) -> str:
    try:
        text = to_text(value) if argument.scalar else encode(value).decode()
        text.encode()
    except ValueError as e:
        raise Invalid(f"{call.id}: {argument.name}: {e}", argument=argument.name) from e
    return text


def _refuse_dots(call: Call, name: str, text: str) -> None:
    if text in {"", ".", ".."}:
        what = f"{text!r}" if text else "empty"
        raise Invalid(
            f"{call.id}: {name} is {what}; it stands in the path and must be a real name",
            argument=name,
        )


def read_path(call: Call, segments: dict[str, str]) -> dict[str, Any]:
    """Return the arguments in the path, from its still encoded segments.

    Raises:
        Invalid: A segment is not UTF-8, is empty or a dot segment, or has the wrong type.
    """
    given = {}
    for argument in call.in_path:
        try:
            text = unquote_to_bytes(segments[argument.name]).decode()
            _refuse_dots(call, argument.name, text)
            given[argument.name] = from_text(text, argument.type)
        except ValueError as e:
            raise Invalid(f"{call.id}: {argument.name}: {e}", argument=argument.name) from e
    return given


def read_query(call: Call, query: str) -> msgspec.Struct:
    """Return the arguments that travelled in a query.

    Raises:
        Invalid: One is unknown, missing, given twice or of the wrong type.
    """
    known = {argument.name: argument for argument in call.arguments}
    values: dict[str, Any] = {}
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS
        )
    except ValueError as e:
        raise Invalid(f"{call.id}: the query is malformed: {e}") from e
    for name, text in pairs:
        if name not in known:
            raise Invalid(f"{call.id} has no argument {name!r}{_say(known)}", argument=name)
        if name in values:
            raise Invalid(f"{call.id}: {name} is given twice", argument=name)
        argument = known[name]
        try:
            values[name] = (
                from_text(text, argument.type)
                if argument.scalar
                else msgspec.json.decode(text, type=argument.type)
            )
        except (ValueError, RecursionError) as e:
            raise Invalid(f"{call.id}: {name}: {e}", argument=name) from e
    if missing := [a.name for a in call.arguments if a.required and a.name not in values]:
        raise Invalid(f"{call.id}: {', '.join(missing)} is missing", argument=missing[0])
    return call.others(**values)


def _say(known: dict[str, Argument]) -> str:
    return f"; it has {', '.join(sorted(known))}" if known else " in its query"


def read_body(call: Call, body: bytes) -> msgspec.Struct:
    """Return the arguments that travelled as a JSON object; no body stands for an empty object.

    Raises:
        Invalid: The body is malformed, or a field is unknown, missing or of the wrong type.
    """
    try:
        others = msgspec.json.decode(body or b"{}", type=call.others)
        search = finder(call.others)
        if search and (unknown := next(search(msgspec.json.decode(body), "$"), None)):
            field = unknown.rpartition(".")[2]
            raise Invalid(f"{call.id}: unknown field `{field}` at `{unknown}`", argument=field)
    except msgspec.MsgspecError as e:
        raise Invalid(f"{call.id}: {e}") from e
    except RecursionError as e:
        raise Invalid(f"{call.id}: the body is nested too deeply") from e
    return others
