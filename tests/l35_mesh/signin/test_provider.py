"""What somebody may try at the embedded provider: through a real Envoy."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from l35_mesh.signin.stand import Person, Stand, fields_of, located


def asked_for(stand: Stand, **changes: str) -> str:
    fields = {
        "client_id": "drystone",
        "redirect_uri": f"{stand.address}/callback",
        "response_type": "code",
        "scope": "openid",
        "state": "s",
        "nonce": "n",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        **changes,
    }
    return f"{stand.address}/provider/authorize?{urlencode(fields)}"


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"response_type": "code id_token"},
        {"response_mode": "fragment"},
        {"scope": "profile"},
        {"request": "x"},
        {"request_uri": "https://evil.example"},
        {"prompt": "none"},
    ],
)
def test_a_weaker_way_than_the_one_is_refused_to_the_client(
    stand: Stand, person: Person, changes: dict[str, str]
) -> None:
    where = located(person, asked_for(stand, **changes))
    assert where.startswith(f"{stand.address}/callback?")
    said = fields_of(where)
    assert "error" in said
    assert "code" not in said
    assert (said["state"], said["iss"]) == ("s", f"{stand.address}/provider")


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://signin.localhost.evil.example/callback"},
        {"redirect_uri": ""},
        {"client_id": "stranger"},
        {"client_id": ""},
    ],
)
def test_an_address_that_is_not_the_clients_gets_nothing(
    stand: Stand, person: Person, changes: dict[str, str]
) -> None:
    answer = person.ask(asked_for(stand, **changes))
    assert answer.status_code == 400
    assert "location" not in answer.headers


VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def code_for(stand: Stand, ada: Person, scope: str = "openid") -> str:
    return fields_of(located(ada, asked_for(stand, scope=scope)))["code"]


def exchange(stand: Stand, ada: Person, **changes: str) -> tuple[int, dict[str, str]]:
    form = {
        "grant_type": "authorization_code",
        "client_id": "drystone",
        "redirect_uri": f"{stand.address}/callback",
        "code_verifier": VERIFIER,
        **changes,
    }
    answer = ada.ask(f"{stand.address}/provider/token", form=form)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "https://evil.example"},
        {"client_id": "stranger"},
    ],
)
def test_a_stolen_code_is_worth_nothing_and_is_spent(
    stand: Stand, ada: Person, changes: dict[str, str]
) -> None:
    code = code_for(stand, ada)
    status, said = exchange(stand, ada, code=code, **changes)
    assert status in {400, 401}
    assert said["error"] in {"invalid_grant", "invalid_client"}
    if said["error"] == "invalid_grant":
        assert exchange(stand, ada, code=code)[0] == 400


def test_a_code_is_good_once(stand: Stand, ada: Person) -> None:
    code = code_for(stand, ada)
    assert exchange(stand, ada, code=code)[0] == 200
    assert exchange(stand, ada, code=code)[1]["error"] == "invalid_grant"


def test_a_refresh_token_that_comes_back_ends_the_line(stand: Stand, ada: Person) -> None:
    code = code_for(stand, ada, "openid offline_access")
    first = exchange(stand, ada, code=code)[1]["refresh_token"]

    def refresh(token: str) -> tuple[int, dict[str, str]]:
        return exchange(stand, ada, grant_type="refresh_token", refresh_token=token)

    status, said = refresh(first)
    assert status == 200
    assert refresh(first)[0] == 400  # whoever has the old one is found out
    assert refresh(said["refresh_token"])[0] == 400
    assert first not in (stand.folder / "refresh.json").read_text()
