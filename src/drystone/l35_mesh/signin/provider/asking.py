"""What a client asks for when it sends somebody here, checked before anybody is shown anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l35_mesh.signin.provider.words import Client

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST = 4096


class AskedCode(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a code (OpenID Connect Core 1.0 section 3.1.2.1).

    Attributes:
        client: Who asks.
        redirect: Where the answer goes: one of the client's own addresses.
        state: Comes back as it was.
        nonce: Likewise, inside the token.
        challenge: Of PKCE, by S256.
        scope: What is asked for.
        prompt: ``none``, ``login`` or nothing.
        form: Recognises the browser that was shown a form for it.
    """

    client: str
    redirect: str
    state: str = ""
    nonce: str = ""
    challenge: str = ""
    scope: str = ""
    prompt: str = ""
    form: str = ""


class Mistaken(Exception):
    """The client asks for something that it cannot have; it is told at its own address.

    Args:
        asked: Where the answer goes.
        error: The code of it.
        description: For the developer of the client.
    """

    def __init__(self, asked: AskedCode, error: str, description: str) -> None:
        super().__init__(description)
        self.asked = asked
        self.error = error


def read_request(fields: Mapping[str, str], clients: Mapping[str, Client]) -> AskedCode:
    """Return what a client asks for.

    Raises:
        Invalid: The client or the address is not known: nobody is led there.
        Mistaken: Something else is wrong.
    """
    client = clients.get(fields.get("client_id", ""))
    if client is None:
        raise Invalid("The application that sent you here is not known.")
    redirect = fields.get("redirect_uri", "")
    if redirect not in client.redirects:
        raise Invalid("The application asks to be answered at an address that is not its own.")
    state, nonce = fields.get("state", ""), fields.get("nonce", "")
    asked = AskedCode(
        client=client.id,
        redirect=redirect,
        state=state if len(state) <= _LONGEST else "",
        nonce=nonce,
        challenge=fields.get("code_challenge", ""),
        scope=fields.get("scope", ""),
        prompt=fields.get("prompt", ""),
    )
    for is_wrong, error, description in (
        (len(state) > _LONGEST, "invalid_request", "state is too long"),
        (len(nonce) > _LONGEST, "invalid_request", "nonce is too long"),
        (len(asked.scope) > _LONGEST, "invalid_scope", "scope is too long"),
        ("request" in fields, "request_not_supported", "request is not supported"),
        ("request_uri" in fields, "request_uri_not_supported", "request_uri is not supported"),
        (fields.get("response_type") != "code", "unsupported_response_type", "use code"),
        (
            fields.get("response_mode", "query") != "query",
            "invalid_request",
            "use the response_mode query",
        ),
        ("openid" not in asked.scope.split(), "invalid_scope", "the scope needs openid"),
        (
            fields.get("code_challenge_method") != "S256"
            or not _CHALLENGE.fullmatch(asked.challenge),
            "invalid_request",
            "a code_challenge by S256 is needed (RFC 7636)",
        ),
        (asked.prompt not in ("", "none", "login"), "invalid_request", "this prompt is not known"),
    ):
        if is_wrong:
            raise Mistaken(asked, error, description)
    return asked


def answer_address(asked: AskedCode, issuer: str, **said: str) -> str:
    """Return the address to which an answer leads, with who gives it (RFC 9207)."""
    fields = {**said, **({"state": asked.state} if asked.state else {}), "iss": issuer}
    joint = "&" if "?" in asked.redirect else "?"
    return f"{asked.redirect}{joint}{urlencode(fields)}"
