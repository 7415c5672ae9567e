"""What a proxy answers itself: problem documents (RFC 9457) that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.occasions import all_of, any_error, flags

_SERVICE = "%ROUTE_NAME%"

_GRPC_CALL = {
    "header_filter": {
        "header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    }
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer.

    Attributes:
        when: Envoy's ``AccessLogFilter`` that recognises the occasion; the first of several that does counts.
        code: What happened, in a word; the stable part of the document's type.
        title: The same as a sentence.
        detail: What happened to which, and what to do; ``%COMMAND%`` operators are filled in.
        status: In place of the one that Envoy chose.
        headers: To be added.
    """

    when: Config
    code: str
    title: str
    detail: str
    status: int | None = None
    headers: Mapping[str, str] = {}


def local_replies(area: str, answers: Iterable[Answer], more: Iterable[Config] = ()) -> Config:
    """Return a ``LocalReplyConfig``.

    A gRPC call gets a status and the sentence alone: Envoy would put the whole document into ``grpc-message``.

    Args:
        area: What the types of the documents begin with.
        answers: By occasion.
        more: ``ResponseMapper`` messages that come before.
    """
    mappers = list(more)
    for answer in answers:
        changes: dict[str, Any] = {}
        if answer.status is not None:
            changes["status_code"] = answer.status
        if answer.headers:
            changes["headers_to_add"] = [
                set_header(name, value) for name, value in answer.headers.items()
            ]
        mappers += [
            {
                "filter": all_of(_GRPC_CALL, answer.when),
                "body_format_override": {"text_format_source": {"inline_string": answer.detail}},
                **changes,
            },
            {
                "filter": answer.when,
                "body_format_override": problem(area, answer.code, answer.title, answer.detail),
                **changes,
            },
        ]
    return {"mappers": mappers}


def problem(area: str, code: str, title: str, detail: str) -> dict[str, Any]:
    """Return the ``SubstitutionFormatString`` of a problem document."""
    return {
        "content_type": "application/problem+json",
        "json_format": {
            "type": f"{area}.{code}",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "instance": "%REQ(X-REQUEST-ID):128%",
        },
    }


def otherwise(area: str, who: str) -> Answer:
    """Return what is said of each refusal that no other answer is for, in Envoy's words.

    Args:
        area: As for :func:`local_replies`.
        who: The proxy that refuses, as its users call it.
    """
    return Answer(
        when=any_error(area),
        code="RequestRefused",
        title=f"The {who} refused the request",
        detail="%LOCAL_REPLY_BODY%",
    )


INSTANCE_ANSWERS = (
    Answer(
        when=flags("UH", "NC"),
        code="NoHealthyInstance",
        title="The service has no healthy instance",
        detail=f"{_SERVICE} has no instance that can answer now. `drystone services` shows its state.",
    ),
    Answer(
        when=flags("SI", "UT"),
        code="InstanceSilent",
        title="The service did not answer in time",
        detail=f"{_SERVICE} was silent for longer than its descriptor allows.",
    ),
    Answer(
        when=flags("UF", "UC", "UR", "LR", "URX", "UPE"),
        code="InstanceFailed",
        title="The service broke off the connection",
        detail=f"An instance of {_SERVICE} broke off the connection. `drystone logs` shows what it wrote.",
    ),
)
"""What is said of a service, by the name of the route, that cannot be reached or breaks off."""
