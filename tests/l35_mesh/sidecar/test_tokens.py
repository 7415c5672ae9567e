"""Who is let through by the token that a request carries, at a real Envoy."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from drystone.l35_mesh.sidecar.model import Caller, Inbound
from drystone.l35_mesh.sidecar.tokens import IDENTITY_HEADERS
from drystone.testing.conformance.engines import eventually, short_home
from l10_engines.proxy.upstream import Upstream
from l35_mesh.sidecar.rig import MeshRig, Signer, edge_service, key_set

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUDIENCE = "dev/billing"


class Standing:
    """One Envoy before an instance that answers for several services, each guarded in another way."""

    def __init__(self, rig: MeshRig, instance: Upstream) -> None:
        self.rig = rig
        self.instance = instance
        self.desk, self.shop = rig.desk, Signer("dev/shop")
        self.other, self.gone = Signer("dev/other"), Signer("dev/gone")
        self.near = Signer("dev/des")  # the beginning of another name

    def inbounds(self) -> list[Inbound]:
        rules = ("GET /reports/*", "POST /charges", "* /a/*/b")
        billing = self.rig.billing(
            self.instance,
            callers=(Caller("dev/desk"), Caller("dev/shop", rules)),
            keys=key_set(self.desk, self.shop, self.other, self.near),
            health=("/health",),
        )
        more: dict[str, dict[str, Any]] = {
            "open": {"public": True},
            "own": {"public": True, "own_tokens": True},
            "dry": {"enforce": False},
            "nobody": {"callers": (), "keys": '{"keys":[]}'},
        }
        return [
            billing,
            *(
                self.rig.billing(service=edge_service(f"{name}.dev", self.instance), **changes)
                for name, changes in more.items()
            ),
        ]

    async def ask(
        self, path: str = "/headers", *, at: str = "billing", token: str | None = None, **more: Any
    ) -> httpx2.Response:
        headers = {"host": f"{at}.dev.localhost", **more.pop("headers", {})}
        return await self.rig.ask(path, token=token, headers=headers, **more)

    async def raw(self, method: str, target: str, token: str) -> int:
        """Ask billing for a target as it is written, and return the status."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.rig.port)
        try:
            writer.write(
                f"{method} {target} HTTP/1.1\r\nhost: billing.dev.localhost\r\nconnection: close\r\n"
                f"content-length: 0\r\nauthorization: Bearer {token}\r\n\r\n".encode()
            )
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()

    def lines(self, listener: str) -> list[dict[str, Any]]:
        """What the access log says of one kind of listener so far."""
        written = self.rig.access_log.read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in written.splitlines()]
        return [line for line in lines if line["listener"] == listener]

    async def logged(self, service: str, count: int) -> list[dict[str, Any]]:
        """Wait for so many lines of a service's inbound, and return the last ones."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines("inbound") if line["service"] == service]

        await eventually(lambda: len(found()) >= count)
        return found()[-count:]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing() -> AsyncIterator[Standing]:
    with short_home() as home:
        instance = await Upstream("blue").start()
        rig = MeshRig(home)
        standing = Standing(rig, instance)
        try:
            await rig.live()
            await rig.have(rig.mesh(*standing.inbounds()))
            yield standing
        finally:
            await rig.end()
            await instance.stop()


def claims(issuer: str = "dev/desk", **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": issuer,
        "sub": issuer,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "one",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def header(signer: Signer, **changes: Any) -> dict[str, Any]:
    good = {"alg": "ES256", "kid": signer.id, "typ": "JWT"}
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def by_desk(**changes: Any) -> Callable[[Standing], str]:
    return lambda on: on.desk.signed(header(on.desk), claims(**changes))


def with_header(**changes: Any) -> Callable[[Standing], str]:
    return lambda on: on.desk.signed(header(on.desk, **changes), claims())


def unsigned(on: Standing) -> str:
    parts = (header(on.desk, alg="none"), claims())
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*encoded, b""]).decode()


def by_the_public_key(on: Standing) -> str:
    """Signed with HMAC, where the secret is what everybody can read."""
    message = on.desk.signed(header(on.desk, alg="HS256"), claims()).rpartition(".")[0]
    made = hmac.new(on.desk.pair.public.encode(), message.encode(), hashlib.sha256).digest()
    return f"{message}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def tampered(on: Standing) -> str:
    """The signature of one token behind the words of another."""
    words = on.desk.signed(header(on.desk), claims(jti="two")).rpartition(".")[0]
    return f"{words}.{on.desk.token(AUDIENCE).rpartition('.')[2]}"


DAY = 86_400
"""Seconds; these tokens are made when the tests are gathered, which may be long before their turn."""

BAD: dict[str, Callable[[Standing], str]] = {
    "no token at all": lambda on: "nonsense",
    "expired": by_desk(iat=int(time.time()) - 120, nbf=None, exp=int(time.time()) - 60),
    "begins in the future": by_desk(nbf=int(time.time()) + DAY),
    "made in the future": by_desk(
        iat=int(time.time()) + DAY, nbf=None, exp=int(time.time()) + DAY + 60
    ),
    "lives longer than an hour": by_desk(exp=int(time.time()) + 7200),
    "in the last of its hours": by_desk(iat=int(time.time()) - 3600 * 5, nbf=None),
    "never ends": by_desk(exp=None),
    "ends before it begins": by_desk(iat=int(time.time()) + 4, exp=int(time.time()) + 2),
    "for somebody else": by_desk(aud="dev/shop"),
    "for nobody": by_desk(aud=None),
    "in another's name": lambda on: on.other.signed(header(on.other), claims("dev/desk")),
    "in the name of one whose name begins alike": lambda on: on.near.signed(
        header(on.near), claims("dev/desk")
    ),
    "of a name that begins alike": lambda on: on.desk.signed(header(on.desk), claims("dev/des")),
    "by a key that it does not name": lambda on: on.other.signed(header(on.desk), claims()),
    "by an unknown key": lambda on: on.gone.signed(header(on.gone), claims("dev/gone")),
    "without a key": with_header(kid=None),
    "with a number for a key": with_header(kid=7),
    "about somebody else": by_desk(sub="dev/shop"),
    "without a name of its own": by_desk(jti=None),
    "with an empty name": by_desk(jti=""),
    "without the time when it was made": by_desk(iat=None),
    "with a text for a time": by_desk(iat="yesterday"),
    "without an issuer": by_desk(iss=None, sub=None),
    "with a list of issuers": by_desk(iss=["dev/desk"], sub=None),
    "not signed": unsigned,
    "signed with what everybody knows": by_the_public_key,
    "said to be of another algorithm": with_header(alg="RS256"),
    "with a critical extension": with_header(crit=["b64"], b64=False),
    "tampered with": tampered,
}


@pytest.mark.parametrize("forge", BAD.values(), ids=BAD)
async def test_a_token_is_refused_that_is(
    standing: Standing, forge: Callable[[Standing], str]
) -> None:
    before = standing.instance.seen.total()
    token = forge(standing)
    answer = await standing.ask(token=token)
    assert (answer.status_code, answer.json()["type"]) == (401, "mesh.TokenRefused")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert token not in answer.text
    assert standing.instance.seen.total() == before


@pytest.mark.parametrize("at", ["open", "nobody"])
async def test_a_bad_token_is_refused_wherever_it_is_shown(standing: Standing, at: str) -> None:
    answer = await standing.ask(at=at, token=BAD["expired"](standing))
    assert answer.status_code == 401


async def test_a_good_token_names_the_caller(standing: Standing) -> None:
    for token in (
        standing.desk.token(AUDIENCE),
        standing.desk.signed(header(standing.desk), claims(aud=["dev/x", AUDIENCE])),
        standing.desk.signed(header(standing.desk), claims(sub=None, nbf=None)),
    ):
        answer = await standing.ask(token=token)
        assert answer.status_code == 200
        assert answer.json()["x-asap-issuer"] == "dev/desk"
        assert answer.json()["authorization"] == f"bearer {token}".lower()


async def test_without_a_token_one_learns_how_to_get_one(standing: Standing) -> None:
    answer = await standing.ask()
    assert (answer.status_code, answer.json()["type"]) == (401, "mesh.NoToken")
    assert answer.headers["www-authenticate"] == 'Bearer realm="dev/billing"'
    assert "declares `billing` among its dependencies" in answer.json()["detail"]


async def test_a_token_in_the_query_is_none(standing: Standing) -> None:
    """It would stand in the logs of whoever passes the request on."""
    answer = await standing.ask(f"/headers?access_token={standing.desk.token(AUDIENCE)}")
    assert answer.json()["type"] == "mesh.NoToken"


async def test_who_is_no_caller_learns_what_to_declare(standing: Standing) -> None:
    answer = await standing.ask("/headers?a=b", token=standing.other.token(AUDIENCE))
    assert (answer.status_code, answer.json()["type"]) == (403, "mesh.CallRefused")
    assert "dev/other may not call dev/billing with GET /headers." in answer.json()["detail"]
    assert "dependencies: {billing: …}" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "may"),
    [
        ("GET", "/reports/", True),
        ("GET", "/reports/2027/all", True),
        ("GET", "/reports/x?y=/charges", True),
        ("HEAD", "/reports/x", True),
        ("POST", "/reports/x", False),
        ("GET", "/reports", False),
        ("GET", "/", False),
        ("POST", "/charges", True),
        ("POST", "/charges?a", True),
        ("POST", "/charges/", False),
        ("GET", "/charges", False),
        ("PUT", "/a/x/b", True),
        ("PUT", "/a/x/y/b", False),
        ("PUT", "/a//b", False),
        ("GET", "/reports/../charges", False),
        ("GET", "/reports/..%2Fcharges", False),
        ("GET", "/reports/%2e%2e/charges", False),
        ("GET", "/reports/..%5ccharges", False),
        ("GET", "/reports/..;/charges", False),
        ("GET", "/reports//charges", False),
        ("GET", "/reports/x%00", False),
        ("GET", "/x?/reports/", False),
    ],
)
async def test_a_caller_may_do_what_it_declared_and_no_more(
    standing: Standing, method: str, path: str, may: bool
) -> None:
    before = standing.instance.seen.total()
    answer = await standing.raw(method, path, standing.shop.token(AUDIENCE))
    assert answer == (200 if may else 403) or (not may and answer == 400)
    assert standing.instance.seen.total() == before + may


async def test_health_is_answered_without_a_token_but_nothing_else_of_it(
    standing: Standing,
) -> None:
    assert (await standing.ask("/health")).status_code == 200
    assert (await standing.ask("/health?x=y")).status_code == 200
    assert (await standing.ask("/health", method="POST")).status_code == 403
    assert (await standing.ask("/health/x")).status_code == 401


async def test_strangers_may_call_a_public_service(standing: Standing) -> None:
    answer = await standing.ask(at="open")
    assert answer.status_code == 200
    assert "x-asap-issuer" not in answer.json()
    named = await standing.ask(at="open", token=standing.desk.token(AUDIENCE))
    assert named.json()["x-asap-issuer"] == "dev/desk"


async def test_a_public_service_may_read_tokens_of_its_own(standing: Standing) -> None:
    for token in ("sk_live_1234", BAD["in another's name"](standing), BAD["expired"](standing)):
        answer = await standing.ask(at="own", token=token)
        assert answer.status_code == 200
        assert "x-asap-issuer" not in answer.json()
    named = await standing.ask(at="own", token=standing.desk.token(AUDIENCE))
    assert named.json()["x-asap-issuer"] == "dev/desk"


async def test_what_would_be_refused_is_counted_and_logged_where_nothing_is_enforced(
    standing: Standing,
) -> None:
    answer = await standing.ask(at="dry")
    assert answer.status_code == 200
    refused = await standing.ask(at="dry", token=BAD["in another's name"](standing))
    assert refused.status_code == 200
    assert "x-asap-issuer" not in refused.json()
    good = await standing.ask(at="dry", token=standing.desk.token(AUDIENCE))
    assert good.json()["x-asap-issuer"] == "dev/desk"

    def would() -> list[str]:
        lines = [line for line in standing.lines("inbound") if line["service"] == "dry.dev"]
        return [line["would"] for line in lines[-3:]]

    await eventually(lambda: would() == ["denied", "denied", "allowed"])


@pytest.mark.parametrize("at", ["billing", "open", "own", "dry"])
@pytest.mark.parametrize("path", ["/headers", "/health"])
async def test_nobody_can_say_who_calls_but_the_mesh(
    standing: Standing, at: str, path: str
) -> None:
    said = dict.fromkeys((*IDENTITY_HEADERS, "X_ASAP_ISSUER"), "dev/desk")
    standing.instance.told.clear()
    answer = await standing.ask(path, at=at, headers=said)
    assert answer.status_code == (401 if at == "billing" and path == "/headers" else 200)
    assert "dev/desk" not in answer.text
    assert not standing.instance.told & {name.replace("_", "-").lower() for name in said}


async def test_no_token_gets_into_a_log(standing: Standing) -> None:
    good, bad = standing.desk.token(AUDIENCE), BAD["expired"](standing)
    assert (await standing.ask("/headers?log=1", token=good)).status_code == 200
    assert (await standing.ask("/headers?log=2", token=bad)).status_code == 401
    await standing.logged("billing.dev", 2)
    said = standing.rig.access_log.read_text() + standing.rig.envoy.log.read_text()
    for token in (good, bad):
        assert not any(part in said for part in token.split(".")[1:])


async def test_the_log_says_who_called(standing: Standing) -> None:
    await standing.ask("/status/204?who", token=standing.desk.token(AUDIENCE))
    await standing.ask("/status/205?who", token=BAD["in another's name"](standing))
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update({line["path"]: line["caller"] for line in standing.lines("inbound")})
        return {"/status/204", "/status/205"} <= found.keys()

    await eventually(there)
    assert (found["/status/204"], found["/status/205"]) == ("dev/desk", None)


async def test_a_revoked_key_is_worth_nothing_a_moment_later(standing: Standing) -> None:
    token = standing.shop.token(AUDIENCE)
    kept = standing.inbounds()
    assert (await standing.ask("/reports/x", token=token)).status_code == 200
    left = [standing.rig.billing(standing.instance), *kept[1:]]
    try:
        await standing.rig.have(standing.rig.mesh(*left))
        answer = await standing.ask("/reports/x", token=token)
        assert (answer.status_code, answer.json()["type"]) == (401, "mesh.TokenRefused")
    finally:
        await standing.rig.have(standing.rig.mesh(*kept))
    assert (await standing.ask("/reports/x", token=token)).status_code == 200
