"""Who passes the proxy of a service, and who does not: through a real Envoy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from drystone.l20_trust.keys import compact_form
from drystone.l20_trust.keys.signing import make_pair
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.cookies import SERVICE
from l35_mesh.signin.stand import Person, Stand

JSON = {"accept": "application/json"}


def token(stand: Stand, *, private: str = "", kid: str = "", **changes: Any) -> str:
    """What the sign-in issues to ada, with changes; None takes a claim away."""
    now = datetime.now(UTC)
    key = stand.keys.signing(now)
    claims = {
        "iss": stand.address,
        "aud": "dev/orders",
        "sub": "ada",
        "user": "ada",
        "groups": ["admins"],
        "group_names": "admins",
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
        **changes,
    }
    said = {name: value for name, value in claims.items() if value is not None}
    return compact.make(said, kid=kid or key.kid, private=private or key.private)


def call(stand: Stand, path: str = "/", *, method: str = "GET", **headers: str) -> httpx2.Response:
    with Person(stand.port) as one:
        said = {"accept": "application/json", **headers}
        return one.ask(stand.url("orders", path), method=method, headers=said)


def bearer(said: str) -> dict[str, str]:
    return {"authorization": f"Bearer {said}"}


def test_a_token_of_the_sign_in_passes_as_a_header_and_as_a_cookie(stand: Stand) -> None:
    good = token(stand)
    for headers in (bearer(good), {"cookie": f"{SERVICE}={good}"}):
        answer = call(stand, "/x", **headers)
        assert answer.status_code == 200
        assert answer.json()["x-drystone-user"] == "ada"
        assert "authorization" not in answer.json()


def test_who_has_no_token_is_told_how_to_get_one(stand: Stand) -> None:
    answer = call(stand)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "drystone login" in answer.json()["detail"]


def test_only_a_browser_that_reads_is_led_to_the_sign_in(stand: Stand) -> None:
    led = call(stand, "/a?b=c", accept="text/html,*/*")
    assert (led.status_code, led.headers["location"]) == (302, "/.drystone/signin/begin?to=/a?b=c")
    assert call(stand, method="POST", accept="text/html").status_code == 401


def _header(said: dict[str, str]) -> str:
    return compact_form.encode(json.dumps(said).encode()).decode()


def _refused(stand: Stand) -> dict[str, str]:
    now = datetime.now(UTC)
    key = stand.keys.signing(now)
    good = token(stand)
    head, body, signature = good.split(".")
    hs = _header({"alg": "HS256", "kid": key.kid})
    mac = hmac.digest(key.public.encode(), f"{hs}.{body}".encode(), hashlib.sha256)
    strangers = make_pair("ES256")
    past, future = (int((now + timedelta(minutes=m)).timestamp()) for m in (-5, 60))
    return {
        "of another service": token(stand, aud="dev/reports"),
        "of another issuer": token(stand, iss="http://elsewhere"),
        "of the provider": token(stand, iss=f"{stand.address}/provider", aud="drystone"),
        "without an audience": token(stand, aud=None),
        "without an end": token(stand, exp=None),
        "ended": token(stand, exp=past, iat=past - 60),
        "not begun": token(stand, nbf=future),
        "signed by a stranger": token(stand, private=strangers.private),
        "signed by a stranger who brings the key": token(stand, private=strangers.private, kid="x"),
        "without a signature": f"{_header({'alg': 'none'})}.{body}.",
        "signed with the public key": f"{hs}.{body}.{compact_form.encode(mac).decode()}",
        "changed": f"{head}.{_header({**json.loads(_decoded(body)), 'user': 'root'})}.{signature}",
        "of a service": stand.caller.token("dev/reports"),
        "garbage": "a.b.c",
    }


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_token_that_is_not_as_it_must_be_opens_nothing(stand: Stand) -> None:
    for why, said in _refused(stand).items():
        for headers in (bearer(said), {"cookie": f"{SERVICE}={said}"}):
            answer = call(stand, "/x", **headers)
            assert answer.status_code == 401, why
            assert said not in answer.text
        assert call(stand, "/open", **bearer(said)).status_code == 401, why


def test_nobody_says_of_himself_who_he_is(stand: Stand) -> None:
    spoofed = {
        "x-drystone-user": "root",
        "x-drystone-groups": "admins",
        "x-drystone-build": "ci/orders",
        "x-asap-issuer": "dev/root",
    }
    said = call(stand, "/open", **spoofed).json()
    assert spoofed.keys().isdisjoint(said)
    by_service = call(stand, "/x", **spoofed, **bearer(stand.caller.token("dev/orders"))).json()
    assert by_service["x-asap-issuer"] == "dev/desk"
    assert "x-drystone-user" not in by_service
    by_build = call(stand, "/deploys", method="POST", **spoofed, **bearer(build(stand))).json()
    assert by_build["x-drystone-build"] == "ci/orders"
    assert "x-drystone-user" not in by_build
    assert call(stand, "/x", **spoofed).status_code == 401


def build(stand: Stand, name: str = "ci/orders") -> str:
    return token(stand, user=None, groups=None, group_names=None, sub=f"build:{name}", build=name)


def test_a_door_lets_in_those_whom_it_names(stand: Stand) -> None:
    ada, bob = bearer(token(stand)), bearer(token(stand, user="bob", groups=["staff"]))
    assert call(stand, "/admin/users", **ada).status_code == 200
    refused = call(stand, "/admin/users", **bob)
    assert refused.status_code == 403
    assert "ada" not in refused.text
    assert "bob is signed in and in no group" in refused.json()["detail"]
    assert call(stand, "/basket", **bob).status_code == 200
    assert call(stand, "/open").status_code == 200
    assert call(stand, "/deploys", method="POST", **bearer(build(stand))).status_code == 200
    other = call(stand, "/deploys", method="POST", **bearer(build(stand, "ci/other")))
    assert other.status_code == 403
    assert "ci/other is not among the builds" in other.json()["detail"]
    assert call(stand, "/deploys", method="POST", **ada).status_code == 403
    assert call(stand, "/basket", **bearer(build(stand))).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/%61dmin/x",
        "/.//admin/x",
        "//admin/x",
        "/%2fadmin/x",
        "/x%2f..%2fadmin/x",
        "/x/..%2fadmin",
        "/x/../admin/x",
        "/x;/../admin/x",
        "/%5cadmin",
        "/x%5c..%5cadmin",
        "/admin;x",
        "/%2e%2e/admin",
        "/admin%00",
        "/;/admin",
    ],
)
def test_no_other_spelling_of_a_path_goes_past_its_door(stand: Stand, path: str) -> None:
    bob = bearer(token(stand, user="bob", groups=["staff"]))
    assert call(stand, path, **bob).status_code in {400, 403}


def test_a_page_of_another_host_changes_nothing(stand: Stand) -> None:
    cookie = {"cookie": f"{SERVICE}={token(stand)}"}
    for site, status in (
        ("same-origin", 200),
        ("none", 200),
        ("same-site", 403),
        ("cross-site", 403),
    ):
        said = {**cookie, "sec-fetch-site": site}
        assert call(stand, "/x", method="POST", **said).status_code == status
        assert call(stand, "/x", **said).status_code == 200
        upgraded = call(stand, "/x", **said, connection="upgrade", upgrade="websocket")
        assert (upgraded.status_code == 403) == (status == 403)


def test_a_token_stands_in_no_log(stand: Stand) -> None:
    secrets = [token(stand), token(stand, aud="dev/reports"), "a1.b2.c3"]
    for said in secrets:
        call(stand, "/logged", **bearer(said))
        call(stand, "/logged", cookie=f"{SERVICE}={said}")
    with Person(stand.port) as one:
        one.sign_in(stand.url("orders", "/logged"))
        secrets += [value for jar in one.jar.values() for value in jar.values()]
    logs = stand.access_log.read_text() + stand.log.read_text()
    assert not [said for said in secrets if said in logs]
    assert "code=" not in logs
