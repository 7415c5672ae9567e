"""What the provider says about itself and how it refuses (OpenID Connect Core 1.0, RFC 6749, RFC 8628)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from starlette.responses import JSONResponse

from drystone.l35_mesh.signin.html import HEADERS

CODE_LIVES = timedelta(minutes=1)
TOKEN_LIVES = timedelta(minutes=10)
REFRESH_LIVES = timedelta(days=7)
DEVICE_LIVES = timedelta(minutes=10)
SIGNED_IN = timedelta(hours=12)
POLL_EVERY = timedelta(seconds=2)
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Client(msgspec.Struct, frozen=True):
    """Who may ask the provider; public clients, which prove themselves by PKCE (RFC 7636).

    Attributes:
        id: Its name.
        redirects: Addresses to which answers may go, compared byte for byte.
        after: Addresses to which a sign-out may lead.
    """

    id: str
    redirects: tuple[str, ...]
    after: tuple[str, ...] = ()


class Refused(Exception):
    """A request for tokens is refused (RFC 6749 section 5.2).

    Args:
        error: The code of it.
        description: For the developer of the client.
        status: Of HTTP.
    """

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


def discovery(issuer: str) -> dict[str, Any]:
    """Return what clients look up first (OpenID Connect Discovery 1.0 section 3)."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/end_session",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["sub", "name", "preferred_username", "email", "groups", "auth_time"],
        "authorization_response_iss_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "request_parameter_supported": False,
    }


def answer(document: Any, status: int = 200) -> JSONResponse:
    """Return a document that nobody keeps."""
    kept = {name: HEADERS[name] for name in ("cache-control", "x-content-type-options")}
    return JSONResponse(document, status, kept)
