"""What the mock answers: a pure function of the document, the request and how many there were before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from drystone.l85_surfaces.sandbox.mocking.operations import Operation, Operations
from drystone.l85_surfaces.sandbox.mocking.requests import Asked, is_json, media_type, problems
from drystone.l85_surfaces.sandbox.mocking.samples import Samples
from drystone.l85_surfaces.sandbox.mocking.schemas import Schemas
from drystone.l85_surfaces.sandbox.mocking.words import Json, Unfit

STATUS, DELAY = "x-sandbox-status", "x-sandbox-delay"
"""Headers by which a request asks to fail, or to wait."""
LONGEST_DELAY = 60.0
PROBLEM = "application/problem+json"
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s)")
_EMPTY = {204, 205, 304}


@dataclass(frozen=True)
class Answered:
    """An answer.

    Attributes:
        status: Of HTTP.
        verdict: In words, for people.
        headers: Its headers.
        body: Its bytes.
        delay: Seconds to wait before.
    """

    status: int
    verdict: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0


@dataclass(frozen=True)
class Faults:
    """What is wrong with the mock on purpose.

    Attributes:
        delay: Seconds before each answer.
        errors: Share of the requests that fail, from 0 to 1, evenly spread.
        instead: What every request is refused with, as a bad gateway does.
    """

    delay: float = 0.0
    errors: float = 0.0
    instead: str = ""


class Mock:
    """Answers as an OpenAPI document says.

    Args:
        document: It, version 3, with all references in itself.
        faults: What is wrong on purpose.
    """

    def __init__(self, document: Mapping[str, Json], faults: Faults | None = None) -> None:
        self._operations = Operations(document)
        self._schemas = Schemas(document)
        self._samples = Samples(self._schemas)
        self._faults = faults or Faults()

    def answer(self, asked: Asked, number: int = 0) -> Answered:
        """Answer a request.

        Args:
            asked: It.
            number: How many there were before.
        """
        try:
            answered = self._injected(asked, number) or self._meant(asked)
        except Unfit as e:
            answered = refused(HTTPStatus.NOT_IMPLEMENTED, f"the document cannot be followed: {e}")
        wanted = asked.headers.get(DELAY)
        delay = self._faults.delay if wanted is None else seconds(wanted) or 0.0
        return Answered(answered.status, answered.verdict, answered.headers, answered.body, delay)

    def _injected(self, asked: Asked, number: int) -> Answered | None:
        """Fail, where the request or the settings want that."""
        if self._faults.instead:
            return refused(502, self._faults.instead)
        wanted = asked.headers.get(STATUS, "")
        if re.fullmatch("[45][0-9][0-9]", wanted):
            return refused(int(wanted), f"the request asked to fail, by {STATUS}")
        share = self._faults.errors
        if int((number + 1) * share) > int(number * share):
            return refused(503, f"{share:.0%} of the requests fail here on purpose")
        return None

    def _meant(self, asked: Asked) -> Answered:
        found = self._operations.find(asked.method, asked.path)
        if found.operation is None:
            if found.allowed:
                return refused(
                    405,
                    f"{asked.path[:200]} has no {asked.method}; it has {', '.join(found.allowed)}",
                    headers={"allow": ", ".join(found.allowed)},
                )
            near = self._operations.near(asked.method, asked.path)
            return refused(
                404,
                f"the document has no {asked.method} {asked.path[:200]}; near it are"
                f" {', '.join(near) or 'no paths at all'}",
                near=near,
            )
        wrong = problems(asked, found.operation, found.values, self._operations, self._schemas)
        if wrong:
            return refused(400, "; ".join(wrong), problems=wrong)
        return self._well(asked, found.operation)

    def _well(self, asked: Asked, operation: Operation) -> Answered:
        wanted = _preferred(asked.headers.get("prefer", ""))
        code, response = self._response(operation, wanted.get("code"))
        what = f"{operation.method} {operation.template}"
        headers = self._headers(response)
        content = response.get("content", {})
        if code in _EMPTY or not content:
            return Answered(code, f"{what}: {code} without a body", headers)
        kind = _chosen(content, asked.headers.get("accept", ""))
        if kind is None:
            offered = ", ".join(content)
            return refused(406, f"{what} answers {offered}, and the request accepts none of it")
        body, source = self._body(kind, content[kind] or {}, wanted.get("example"))
        headers["content-type"] = kind
        return Answered(code, f"{what}: {code} {source}", headers, body)

    def _response(self, operation: Operation, wanted: str | None) -> tuple[int, Mapping[str, Json]]:
        said = operation.said.get("responses", {})
        if wanted is not None and wanted not in said:
            raise Unfit(f"{operation.method} {operation.template} has no response {wanted}")
        good = sorted(code for code in map(str, said) if code.startswith("2"))
        code = wanted or next(iter([*good, *(["default"] if "default" in said else [])]), None)
        code = code or next(iter(said), None)
        if code is None:
            raise Unfit(f"{operation.method} {operation.template} has no responses")
        response = self._operations.followed(said[code])
        number = (
            int(code) if code.isdecimal() else int(f"{code[0]}00") if code[0] in "12345" else 200
        )
        return number, response if isinstance(response, dict) else {}

    def _headers(self, response: Mapping[str, Json]) -> dict[str, str]:
        made = {}
        for name, said in response.get("headers", {}).items():
            header = self._operations.followed(said)
            if isinstance(header, dict) and name.lower() not in {"content-type", "content-length"}:
                given = header.get("example", header.get("schema", {}).get("example"))
                value = given if given is not None else self._samples.of(header.get("schema", True))
                made[name.lower()] = re.sub(r"[^ -~]", " ", _text(value))
        return made

    def _body(self, kind: str, said: Mapping[str, Json], wanted: str | None) -> tuple[bytes, str]:
        """Return a body and where it comes from."""
        schema = said.get("schema", True)
        named = {
            name: self._operations.followed(one) for name, one in said.get("examples", {}).items()
        }
        if wanted is not None and wanted not in named:
            raise Unfit(f"there is no example {wanted[:100]!r}; there are {', '.join(named)}")
        given = [(name, one["value"]) for name, one in named.items() if "value" in (one or {})]
        given = [one for one in given if wanted in {None, one[0]}]
        if "example" in said and wanted is None:
            given.insert(0, ("example", said["example"]))
        for name, value in given:
            if not is_json(kind) or self._schemas.satisfies(schema, value):
                return _encoded(
                    kind, value
                ), f"from {name if name == 'example' else f'example {name}'}"
        made = _encoded(kind, self._samples.of(schema))
        return made, "made up; the example breaks its schema" if given else "made up"


def refused(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Json
) -> Answered:
    """Refuse with a problem document (RFC 9457)."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Refused"
    body = {"title": title, "status": int(status), "detail": detail, **more}
    return Answered(
        int(status), detail, {**(headers or {}), "content-type": PROBLEM}, json.dumps(body).encode()
    )


def seconds(text: str) -> float | None:
    """Return the seconds of ``300ms`` or ``2s``, a minute at most; None where it is neither."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        return None
    return min(LONGEST_DELAY, float(found[1]) / (1000 if found[2] == "ms" else 1))


def _preferred(text: str) -> dict[str, str]:
    """Read a header ``Prefer: code=404, example=none`` (RFC 7240)."""
    pairs = (one.partition("=") for one in re.split("[,;]", text))
    return {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs if value}


def _chosen(content: Mapping[str, Json], accept: str) -> str | None:
    """Choose a media type: JSON first among those that the request accepts; None when it accepts none."""
    offered = sorted(content, key=lambda kind: not is_json(media_type(kind)))
    for kind in offered:
        wanted = [media_type(one) for one in accept.split(",")] if accept else ["*/*"]
        ranges = {"*/*", media_type(kind), f"{media_type(kind).partition('/')[0]}/*"}
        if ranges & set(wanted):
            return kind
    return None


def _encoded(kind: str, value: Json) -> bytes:
    return json.dumps(value).encode() if is_json(media_type(kind)) else _text(value).encode()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
