"""Answers by the protocol of Lambda (its API reference, version 2015-03-31): calls, and what functions there are."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.aws.access import REGION
from drystone.l10_engines.aws.handing_over import Answered, Handed, Head
from drystone.l25_deployer.local.functions.describing import VERSION
from drystone.l25_deployer.local.functions.errors import (
    CallRefused,
    FunctionNotFound,
    FunctionNotReady,
    TooManyCalls,
)
from drystone.l25_deployer.local.functions.worker import new_id

if TYPE_CHECKING:
    from drystone.l25_deployer.local.functions.service import Called, Functions

_PATH = re.compile(r"/2015-03-31/functions(?:/([^/]*)(?:/(invocations|configuration))?)?/?")
_ARN = re.compile(r"(?:arn:aws:lambda:[a-z0-9-]*:)?(\d{12}):function:([A-Za-z0-9_-]+)(?::(.+))?")
_CODES: dict[type[PlatformError], tuple[int, str]] = {
    CallRefused: (400, "InvalidRequestContentException"),
    TooManyCalls: (429, "TooManyRequestsException"),
    FunctionNotFound: (404, "ResourceNotFoundException"),
    FunctionNotReady: (409, "ResourceConflictException"),
}
_RUNTIMES = {"python": "python3.11", "javascript": "nodejs22.x", "typescript": "nodejs22.x"}


def arn_of(account: str, function: str) -> str:
    """Return the name of a function among all things."""
    return f"arn:aws:lambda:{REGION}:{account}:function:{function}"


async def answer(functions: Functions, handed: Handed, body: bytes) -> Answered:
    """Answer one request.

    Args:
        functions: Whom it is for.
        handed: The request.
        body: Of it.
    """
    try:
        return await _answer(functions, handed, body)
    except PlatformError as e:
        status, code = _CODES.get(type(e), (503, "ServiceException"))
        return refusal(status, code, str(e))


def refusal(status: int, code: str, message: str) -> Answered:
    """Write a refusal as protocols by REST and JSON have it."""
    head = Head(status, {"content-type": "application/json", "x-amzn-errortype": code})
    said = {"Type": "User" if status < 500 else "Service", "message": message, "Message": message}
    return head, json.dumps(said).encode()


async def _answer(functions: Functions, handed: Handed, body: bytes) -> Answered:
    environment, _, service = handed.owner.partition(".")
    found = _PATH.fullmatch(handed.path)
    asked = (handed.method, found[2] if found else "nothing")
    if found is not None and not found[1] and asked == ("GET", None):
        every = functions.all(environment, service)
        return _said({"Functions": [_configuration(one, handed.account) for one in every]})
    if found is None or asked not in _ASKED or not found[1]:
        return refusal(403, "AccessDeniedException", _OFFERED)
    called = functions.find(environment, service, _name(unquote(found[1]), handed.account))
    if asked == ("POST", "invocations"):
        return await _invoke(functions, called, handed, body)
    configuration = _configuration(called, handed.account)
    is_whole = asked == ("GET", None)
    return _said(
        {"Configuration": configuration, "Code": {}, "Tags": {}} if is_whole else configuration
    )


_ASKED = {("POST", "invocations"), ("GET", None), ("GET", "configuration")}
_OFFERED = (
    "here functions come with the descriptor of their service; clients may call them (Invoke), and ask for them"
    " (GetFunction, GetFunctionConfiguration, ListFunctions)"
)


def _name(said: str, account: str) -> str:
    """Return the name of a function, which may be said by its ARN, or a part of it.

    Raises:
        FunctionNotFound: It is of another account, or a version that is not there.
    """
    found = _ARN.fullmatch(said)
    if found is None:
        name, _, version = said.partition(":")
    elif found[1] != account:
        raise FunctionNotFound(f"{said!r} is not of this account ({account})")
    else:
        name, version = found[2], found[3] or ""
    if version not in {"", VERSION}:
        raise FunctionNotFound(
            f"functions have no versions here but {VERSION}, and not {version!r}"
        )
    return name


async def _invoke(functions: Functions, called: Called, handed: Handed, body: bytes) -> Answered:
    arn = arn_of(handed.account, called.name)
    kind = handed.headers.get("x-amz-invocation-type", "RequestResponse")
    if kind == "DryRun":
        return Head(204), b""
    if kind == "Event":
        name = await functions.enqueue(called, body)
        return Head(202, {"x-amzn-requestid": name}), b""
    if kind != "RequestResponse":
        raise CallRefused(f"there is no invocation type {kind!r}")
    name = new_id()
    made = await functions.call(called, body, arn=arn, id_=name)
    headers = {
        "content-type": "application/json",
        "x-amzn-requestid": name,
        "x-amz-executed-version": VERSION,
    }
    if made.is_failure:
        headers["x-amz-function-error"] = "Unhandled"
    if handed.headers.get("x-amz-log-type") == "Tail":
        headers["x-amz-log-result"] = base64.b64encode(made.log).decode()
    return Head(200, headers), made.payload


def _said(content: dict[str, Any]) -> Answered:
    return Head(200, {"content-type": "application/json"}), json.dumps(content).encode()


def _configuration(called: Called, account: str) -> dict[str, Any]:
    function = called.function
    return {
        "FunctionName": called.name,
        "FunctionArn": arn_of(account, called.name),
        "Runtime": _RUNTIMES[function.runtime],
        "Handler": function.handler,
        "Timeout": function.timeout,
        "MemorySize": function.memory // 1024**2,
        "Version": VERSION,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "RevisionId": f"release-{called.release}",
        "Description": f"release {called.release} of {called.service}",
    }
