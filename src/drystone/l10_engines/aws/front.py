"""What clients talk to: sees who signed a request and what it asks for, has it answered, and answers when it is on disk.

Bodies come whole, 16 MiB at most, as the largest request of these protocols. Every answer that refuses has the form of the
protocol, so that clients show its sentence.
"""

from __future__ import annotations

import hmac
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import msgspec

from drystone.l10_engines.aws import actions, guard, sealing, simulator, versions
from drystone.l10_engines.aws.access import REGION
from drystone.l10_engines.aws.accounts import Accounts
from drystone.l10_engines.aws.errors import NotDeclarable
from drystone.l10_engines.aws.handing_over import (
    SERVICES,
    URL,
    URLS,
    Handed,
    hand_over,
    rest_of_url,
    safe_headers,
)
from drystone.l10_engines.aws.keeping import Kept
from drystone.l10_engines.aws.key_finding import Asker
from drystone.l10_engines.aws.orders import ADMINISTRATION, TOKEN
from drystone.l10_engines.aws.signature import Refused, claimed_key, claimed_service, verify
from drystone.l10_engines.aws.simulator import Answer
from drystone.l10_engines.aws.writing import Keeper

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY = 16 * 1024 * 1024
"""Bytes that a request may have: one of BatchWriteItem."""

_log = logging.getLogger(__name__)


class _Asked(msgspec.Struct, frozen=True):
    """What a request asks for."""

    service: str
    action: str
    data: dict[str, Any]


class _Sent(msgspec.Struct, frozen=True):
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Front:
    """An ASGI application.

    Args:
        accounts: Who may ask, and what is declared.
        keeper: Has changes on disk.
        kept: Knows how much an account holds.
        token: What the agent proves itself with.
        most: Bytes that an account may hold.
        agent: Socket at which requests for functions and jobs are handed over; None where nobody takes them.
    """

    def __init__(
        self,
        accounts: Accounts,
        keeper: Keeper,
        kept: Kept,
        *,
        token: str,
        most: int,
        agent: Path | None = None,
    ) -> None:
        self._agent = agent
        self._accounts = accounts
        self._keeper = keeper
        self._kept = kept
        self._token = token
        self._most = most
        self._told: set[tuple[str, str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
            headers[name] = f"{headers[name]},{text}" if name in headers else text
        is_ours = scope["path"].startswith(ADMINISTRATION)
        # A body is read only for somebody who may be known: who is not cannot fill the memory.
        is_known = is_ours or self._may_be_known(headers) or self._has_url(scope["path"])
        body = await _whole(receive) if is_known else b""
        if body is None:
            status, answered, content = _refusal(
                Refused("RequestEntityTooLarge", f"a request has {BODY} bytes at most"),
                headers,
                413,
            )
        elif scope["path"].startswith(URLS):
            try:
                status, answered, content = await self._call(scope, headers, body)
            except Refused as e:
                status, answered, content = _refusal(e, headers, is_plain=True)
        elif is_ours:
            status, answered, content = await self._administer(scope["path"], headers, body)
        else:
            try:
                status, answered, content = await self._answer(scope, headers, body)
            except Refused as e:
                status, answered, content = _refusal(e, headers)
        start: list[tuple[bytes, bytes]] = [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in answered.items()
            if name.lower() != "content-length"
        ]
        start.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": content})

    def _may_be_known(self, headers: dict[str, str]) -> bool:
        key = claimed_key(headers)
        return key is not None and self._accounts.secret_of(key) is not None

    def _has_url(self, path: str) -> bool:
        found = rest_of_url(path)
        return found is not None and self._accounts.may_call(*found[:3])

    async def _call(self, scope: Scope, headers: dict[str, str], body: bytes) -> Answer:
        """Have a function answer a plain request."""
        found = rest_of_url(scope["path"])
        if found is None or not self._accounts.may_call(*found[:3]):
            raise Refused(
                "AccessDeniedException",
                "no function has this URL; a service finds its own in <NAME>_URL",
            )
        account, function, _, rest = found
        query = scope["query_string"].decode("latin-1")
        handed = Handed(
            URL,
            self._accounts.owner_of(account) or "",
            account,
            scope["method"],
            rest,
            query,
            safe_headers(headers),
            function,
        )
        return await self._hand_over(handed, body)

    async def _hand_over(self, handed: Handed, body: bytes) -> Answer:
        if self._agent is None:
            raise Refused("ServiceUnavailable", "nobody runs functions and jobs here")
        try:
            head, content = await hand_over(self._agent, handed, body)
        except OSError as e:
            raise Refused(
                "ServiceUnavailable",
                "the platform's agent, which runs functions and jobs, does not answer now; try again",
            ) from e
        return head.status, head.headers, content

    async def _answer(self, scope: Scope, headers: dict[str, str], body: bytes) -> Answer:
        signer = verify(
            method=scope["method"],
            path=scope.get("raw_path") or scope["path"].encode(),
            query=scope["query_string"],
            headers=headers,
            body=body,
            secret_of=self._accounts.secret_of,
            now=datetime.now(UTC),
        )
        account = self._accounts.number_of(signer.access_key)
        if signer.service in SERVICES:
            handed = Handed(
                signer.service,
                self._accounts.owner_of(account) or "",
                account,
                scope["method"],
                scope["path"],
                scope["query_string"].decode("latin-1"),
                safe_headers(headers),
            )
            return await self._hand_over(handed, body)
        if scope["method"] != "POST" or scope["query_string"]:
            raise Refused("AccessDeniedException", f"{_elsewhere(signer.service)}")
        asked = _asked(signer.service, headers, body)
        named = {**asked.data, "path": scope["path"]}
        if _is_sealing(asked):  # which account's key it is, and who may use it, is seen there
            named = {name: value for name, value in named.items() if name not in sealing.NAMES}
        guard.check(asked.service, asked.action, named, account)
        if asked.action in actions.GROWING and self._kept.size(account) >= self._most:
            raise Refused(
                "LimitExceededException",
                f"the service holds {self._kept.size(account)} bytes in queues, tables and streams of the platform, and"
                f" may hold {self._most}; remove something, or give it a database or a bucket",
            )
        answer = await self._ask(asked, account, _Sent(scope["path"], headers, body))
        try:
            if asked.action in actions.WRITES[asked.service]:
                touched = simulator.touched(asked.service)
                is_grown = asked.action in actions.ADDING
                await self._keeper.settle(touched, account, is_grown=is_grown)
                if is_grown:
                    self._accounts.note_added(account)
            else:
                await self._keeper.settled()
        except (sqlite3.Error, OSError, ValueError, TypeError) as e:
            raise Refused("ServiceUnavailable", "it cannot be written to disk; try again") from e
        return answer

    async def _ask(self, asked: _Asked, account: str, sent: _Sent) -> Answer:
        try:
            if _is_sealing(asked) or _is_about_versions(asked):
                asker = Asker(account, self._accounts.owner_of(account) or "", REGION)
                sealed = sealing.answer(asked.action, asked.data, asker, datetime.now(UTC))
                if sealed is not None:
                    for owner in sealed.changed:
                        await self._keeper.settle(simulator.touched("kms"), owner)
                    content = json.dumps(sealed.content).encode()
                    return 200, {"content-type": "application/x-amz-json-1.1"}, content
            return await simulator.call(
                asked.service,
                account=account,
                region=REGION,
                path=sent.path,
                headers=sent.headers,
                body=sent.body,
                query={},
            )
        except Refused:
            raise
        except Exception as e:
            trouble = (asked.service, asked.action, type(e).__name__)
            if trouble not in self._told:  # once, or whoever repeats it fills the disk
                self._told.add(trouble)
                _log.exception("%s %s", asked.service, asked.action)
            raise Refused(
                "InternalFailure", f"{asked.service} cannot do this: {type(e).__name__}"
            ) from e

    async def _administer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if not hmac.compare_digest(headers.get(TOKEN, "").encode(), self._token.encode()):
            return 403, {}, b"{}"
        try:
            made = await self._accounts.administer(path.removeprefix(ADMINISTRATION), body)
        except (NotDeclarable, msgspec.MsgspecError) as e:
            code = str(getattr(e, "details", {}).get("code", ""))
            return 422, {}, msgspec.json.encode({"message": str(e), "code": code})
        except OSError as e:  # a file of a copy
            said = f"{e.filename}: {e.strerror}"
            return 422, {}, msgspec.json.encode({"message": said, "code": "File"})
        return 200, {}, msgspec.json.encode(made)


def _is_sealing(asked: _Asked) -> bool:
    return asked.service == "kms" and asked.action in sealing.ACTIONS


def _is_about_versions(asked: _Asked) -> bool:
    return asked.service == "kms" and asked.action in versions.ACTIONS


def _asked(signed_for: str, headers: dict[str, str], body: bytes) -> _Asked:
    """Read what a request asks for.

    Raises:
        Refused: Nothing that is offered here.
    """
    prefix, _, action = headers.get("x-amz-target", "").partition(".")
    if "cbor" in headers.get("content-type", ""):
        raise Refused("SerializationException", "CBOR is not read here; send JSON")
    try:
        if prefix:
            service = actions.TARGETS.get(prefix, "")
            data = json.loads(body or b"{}")
            if b"\\ud" in body.lower():
                json.dumps(data, ensure_ascii=False).encode()
        else:
            service = actions.FORMS.get(signed_for, "")
            said = parse_qs(body.decode())
            if any(len(values) > 1 for values in said.values()):
                raise Refused("MalformedQueryString", "the body says something twice")
            data = {key: values[0] for key, values in said.items()}
            action = data.get("Action", "")
    except (ValueError, RecursionError) as e:
        raise Refused("SerializationException", "the body is not what its headers say") from e
    if not isinstance(data, dict):
        raise Refused("SerializationException", "the body is not an object")
    if not service or actions.SIGNED_AS.get(service, service) != signed_for:
        raise Refused("AccessDeniedException", _elsewhere(signed_for))
    if action not in actions.READS[service] and action not in actions.WRITES[service]:
        raise Refused("AccessDeniedException", f"{service} does not offer {action[:80]!r} here")
    return _Asked(service, action, data)


def _elsewhere(service: str) -> str:
    if service == "s3":
        return "buckets are not here: give the client the endpoint and the keys of the bucket, <NAME>_ENDPOINT and others"
    return f"{service!r} is not offered by the platform; it has sqs, sns, dynamodb, kinesis, kms, lambda and batch"


async def _whole(receive: Receive) -> bytes | None:
    """Read a body; None when it is too long or the client went away."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _refusal(
    refused: Refused, headers: dict[str, str], status: int = 0, *, is_plain: bool = False
) -> Answer:
    is_about_who = any(word in refused.code for word in ("Denied", "Signature", "Token", "Client"))
    own = {"InternalFailure": 500, "ServiceUnavailable": 503}.get(refused.code)
    status = status or own or (403 if is_about_who else 400)
    if "x-amz-target" in headers:
        content = json.dumps({"__type": refused.code, "message": str(refused)}).encode()
        return status, {"content-type": "application/x-amz-json-1.1"}, content
    if is_plain or claimed_service(headers) in SERVICES:
        content = json.dumps({"Type": "User", "message": str(refused)}).encode()
        return (
            status,
            {"content-type": "application/json", "x-amzn-errortype": refused.code},
            content,
        )
    text = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{refused.code}</Code>"
        f"<Message>{escape(str(refused))}</Message></Error></ErrorResponse>"
    )
    return status, {"content-type": "text/xml"}, text.encode()
