"""How the proxy of a service tells a refusal: a browser is led to the sign-in, everybody else gets a problem document."""

from __future__ import annotations

from drystone.l10_engines.proxy.headers import set_header
from drystone.l10_engines.proxy.messages import Config
from drystone.l10_engines.proxy.occasions import all_of, flags, status_is
from drystone.l35_mesh.signin.words import BUILD, NAME, PATH, USER

_LONGEST_RETURN = 513
"""One more than the sign-in takes, so that it sees when a path was cut."""


def mappers(*, people: bool) -> tuple[Config, ...]:
    """Return ``ResponseMapper`` messages; the first that fits answers.

    Args:
        people: Whether people may sign in.
    """
    refused: Config = _status_is(403)
    nobody = all_of(refused, *(_without(each) for each in (USER, BUILD, "x-asap-issuer")))
    unknown = {"or_filter": {"filters": [_status_is(401), flags("UAEX"), nobody]}}
    told: list[Config] = []
    if people:
        where = f"{PATH}begin?to=%REQ(:PATH):{_LONGEST_RETURN}%"
        told.append(
            {
                "filter": all_of(
                    unknown, _has(":method", exact="GET"), _has("accept", contains="text/html")
                ),
                "status_code": 302,
                "headers_to_add": [
                    set_header("location", where),
                    set_header("cache-control", "no-store"),
                ],
                "body_format_override": {"text_format_source": {"inline_string": ""}},
            }
        )
    way = "open the page in a browser, or sign in with `drystone login`; " if people else ""
    told += [
        {
            # A token that is refused is told of by those whose it is.
            "filter": all_of(unknown, _without("authorization")),
            "status_code": 401,
            "headers_to_add": [
                set_header("www-authenticate", "Bearer"),
                set_header("cache-control", "no-store"),
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
            "filter": all_of(refused, _has(USER)),
            "body_format_override": _problem(
                "NotPermitted",
                "This user may not do this",
                f"%REQ({USER}):200% is signed in and in no group that may send this request; or a page of"
                " another host has sent it, or its path is that of a route in other letters. network.ingress of the"
                " descriptor says who may.",
                403,
            ),
        },
        {
            "filter": all_of(refused, _has(BUILD)),
            "body_format_override": _problem(
                "NotPermitted",
                "This build may not do this",
                f"%REQ({BUILD}):200% is not among the builds that may send this request: add it to"
                " network.ingress.builds of the descriptor.",
                403,
            ),
        },
    ]
    return tuple(told)


def _has(header: str, **how: str) -> Config:
    match: Config = {"string_match": how} if how else {"present_match": True}
    return {"header_filter": {"header": {"name": header, **match}}}


def _status_is(status: int) -> Config:
    return status_is(status, runtime_key=f"signin.status.{status}")


def _without(header: str) -> Config:
    return {
        "header_filter": {"header": {"name": header, "present_match": True, "invert_match": True}}
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
