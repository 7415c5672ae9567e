"""How the token of a service is checked: by Envoy's own filter, and by what that leaves to others.

The filter (``jwt_authn``) checks the signature by one set of the keys of all callers, the audience and the times. That alone
would let any of them issue tokens in the name of another. So a script binds the key to the issuer, as the specification of
ASAP demands, and refuses what the filter does not look at. It is the same bytes for every service and only it says who calls:
to the rules (:mod:`~drystone.l35_mesh.sidecar.permissions`), the log, and the service itself by a header.

One provider for each caller would bind them too, but then each request costs as much as there are callers.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE, seconds
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config, Shared
from drystone.l35_mesh.sidecar.model import Inbound
from drystone.l35_mesh.sidecar.permissions import CALLER, NAMESPACE

JWT = "envoy.filters.http.jwt_authn"
ISSUER_HEADER = "x-asap-issuer"
IDENTITY_HEADERS = (
    ISSUER_HEADER,
    "x-asap-subject",
    "x-drystone-user",
    "x-drystone-groups",
)
"""What the mesh says of those who call. Nobody else may."""

LONGEST_LIFETIME = timedelta(hours=1)
"""Of a token, by the specification of ASAP."""

TOLERANCE = timedelta(seconds=5)
"""How far the clocks of who made and who checks a token may lie apart."""

STRANGER = "stranger"
"""Key of a route's metadata for the script: whoever shows a bad token is a stranger there, and not refused."""

_TYPE = TYPE_PREFIX + "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_LUA = TYPE_PREFIX + "envoy.extensions.filters.http.lua.v3.Lua"
_REMEMBERED = 500

_SCRIPT = f"""\
local function owns(issuer, key)
  local before = issuer .. "/"
  return key:sub(1, #before) == before and key:find("^[%w][%w._-]*$", #before + 1) ~= nil
end

local function mistake(claims, header, now)
  local issuer, key = claims["iss"], header["kid"]
  local made, ends, begins = claims["iat"], claims["exp"], claims["nbf"]
  if type(issuer) ~= "string" or issuer == "" or type(key) ~= "string" or not owns(issuer, key) then
    return "its issuer does not own the key that it names"
  end
  if header["crit"] ~= nil then return "it has a critical extension" end
  if claims["sub"] ~= nil and claims["sub"] ~= issuer then
    return "it is about somebody else than its issuer"
  end
  if type(claims["jti"]) ~= "string" or claims["jti"] == "" then return "it has no name of its own (jti)" end
  if type(made) ~= "number" or type(ends) ~= "number" then return "it does not say when it was made and when it ends" end
  if begins ~= nil and type(begins) ~= "number" then return "it does not say when it begins" end
  if not (made >= 0 and ends > made and ends - made <= {LONGEST_LIFETIME.seconds}) then
    return "it lives longer than an hour, or ends before it begins"
  end
  if made > now + {TOLERANCE.seconds} then return "it has not begun" end
  return nil
end

function envoy_on_request(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  local found = metadata:get("{JWT}")
  if found == nil or found["asap"] == nil then return end
  local wrong = mistake(found["asap"], found["asap_header"] or {{}}, handle:timestamp() / 1000)
  if wrong == nil then
    metadata:set("{NAMESPACE}", "{CALLER}", found["asap"]["iss"])
    handle:headers():replace("{ISSUER_HEADER}", found["asap"]["iss"])
  elseif not handle:metadata():get("{STRANGER}") then
    handle:respond({{[":status"] = "401"}}, wrong)
  end
end
"""

LUA = "envoy.filters.http.lua"
BINDING: Config = Shared(
    {
        "name": LUA,
        "typed_config": {
            "@type": _LUA,
            "default_source_code": {"inline_string": _SCRIPT},
            # It keeps nothing, so one state of Lua is enough for all services.
            "shared_vm_id": "tokens",
        },
    }
)
"""The filter behind that of tokens."""


def checks_name(service: str) -> str:
    """Name the configuration by which a service checks tokens."""
    return f"tokens/{service}"


def checks_filter(service: str) -> Config:
    """Return the filter that checks tokens; its configuration is sent apart, since keys change all the time."""
    return {
        "name": checks_name(service),
        "config_discovery": {"config_source": ADS_SOURCE, "type_urls": [_TYPE]},
    }


def checks(inbound: Inbound) -> Config:
    """Return the configuration of that filter, a ``TypedExtensionConfig``.

    Raises:
        InvalidProxyConfig: The keys are no JSON Web Key Set.
    """
    keys = _keys(inbound)
    asap = {
        "audiences": [inbound.audience],
        "local_jwks": {"inline_string": keys},
        "forward": True,
        "require_expiration": True,
        "max_lifetime": seconds(LONGEST_LIFETIME),
        "clock_skew_seconds": TOLERANCE.seconds,
        "payload_in_metadata": "asap",
        "header_in_metadata": "asap_header",
        "jwt_cache_config": {"jwt_cache_size": _REMEMBERED, "jwt_max_token_size": 4096},
        # Only behind Authorization: in a query, where Envoy looks too, tokens get into logs.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
    }
    further = inbound.further
    open_paths = [*inbound.health, *further.open_paths]
    return {
        "name": checks_name(inbound.service.name),
        "typed_config": {
            "@type": _TYPE,
            "providers": {"asap": asap, **further.providers},
            "rules": [
                *({"match": {"path": path}} for path in open_paths),
                {"match": {"prefix": "/"}, "requires": _required(inbound)},
            ],
        },
    }


def _keys(inbound: Inbound) -> str:
    try:
        found = json.loads(inbound.keys)["keys"]
    except (ValueError, KeyError, TypeError):
        raise InvalidProxyConfig(
            f'the keys for {inbound.audience} are no JSON Web Key Set: give {{"keys": […]}}'
        ) from None
    return inbound.keys if found else json.dumps({"keys": [nobodys_key()]})


def accepts_bad(inbound: Inbound) -> bool:
    """Tell whether a bad token makes a stranger, in place of a refusal."""
    return not inbound.enforce or (inbound.public and inbound.own_tokens)


def _required(inbound: Inbound) -> Config:
    ways: list[Config] = [{"provider_name": "asap"}, *inbound.further.requirements]
    if accepts_bad(inbound):
        ways.append({"allow_missing_or_failed": {}})
    elif inbound.public:
        ways.append({"allow_missing": {}})
    return ways[0] if len(ways) == 1 else {"requires_any": {"requirements": ways}}


def nobodys_key() -> dict[str, str]:
    """Return a key on P-256 of which nobody has the private half: a set without any is none to Envoy.

    Its x is a hash of a sentence, so that it cannot have been made from a private key.
    """
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x = (
        int.from_bytes(hashlib.sha256(b"nobody signs for a service without callers").digest())
        % prime
    )
    while True:
        square = (x**3 - 3 * x + b) % prime
        y = pow(square, (prime + 1) // 4, prime)
        if y * y % prime == square:
            break
        x = (x + 1) % prime
    return {
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "kid": "nobody",
        "x": _b64(x),
        "y": _b64(y),
    }


def _b64(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()
