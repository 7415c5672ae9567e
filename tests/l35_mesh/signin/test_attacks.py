"""What somebody may try on the way of a sign-in: through a real Envoy."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest

from drystone.l35_mesh.signin import cookies
from drystone.l35_mesh.signin.words import PATH
from l35_mesh.signin.stand import Person, Stand, fields_of, form_in, located


def begun(stand: Stand, person: Person, to: str = "/") -> str:
    """Begin at a service as somebody whose token there has ended; return where it leads."""
    person.jar.get("orders.dev.localhost", {}).pop(cookies.SERVICE, None)
    return located(person, stand.url("orders", f"{PATH}begin?to={to}"))


NOTHING: dict[str, str] = {}
RETURNS = [
    "//evil.example/x",
    "/\\evil.example",
    "https://evil.example/",
    "evil.example",
    "/%09/evil.example",
    "/%0d%0aset-cookie:x=y",
    "javascript:alert(1)",
    "/" + "x" * 600,
    f"{PATH}begin?to=/",
    "",
]


def test_nobody_is_led_to_another_host(stand: Stand, ada: Person) -> None:
    for to in RETURNS:
        answer = ada.on(ada.ask(begun(stand, ada, to)), stand.url("orders"))
        assert answer.status_code == 200
        where = urlsplit(ada.visited[-1])
        assert where.netloc == f"orders.dev.localhost:{stand.port}", to
        assert where.path in {"/", "/%09/evil.example", "/%0d%0aset-cookie:x=y"}, to


def test_a_sign_in_that_another_browser_began_is_worth_nothing(stand: Stand, ada: Person) -> None:
    with Person(stand.port) as attacker:
        enter = begun(stand, attacker)
        theirs = attacker.jar["orders.dev.localhost"][cookies.BEGUN]
    finish = located(ada, enter)  # the victim is signed in, and follows the attacker's link
    refused = ada.ask(finish)
    assert refused.status_code == 401
    assert "Another browser has begun" in refused.text
    assert theirs not in ada.jar.get("orders.dev.localhost", {}).values()


def test_a_code_of_one_service_opens_no_other(stand: Stand, ada: Person) -> None:
    enter = begun(stand, ada)
    code = fields_of(located(ada, enter))["code"]
    ada.ask(stand.url("reports", f"{PATH}begin?to=/"))
    jar = ada.jar["reports.dev.localhost"]
    jar[cookies.BEGUN] = ada.jar["orders.dev.localhost"][cookies.BEGUN]
    assert ada.ask(stand.url("reports", f"{PATH}finish?code={code}")).status_code == 401
    assert cookies.SERVICE not in jar


def test_a_code_ends_within_a_minute_and_nothing_in_it_can_be_changed(
    stand: Stand, ada: Person
) -> None:
    enter = begun(stand, ada)
    finish = located(ada, enter)
    code = fields_of(finish)["code"]
    for changed in (code[:-1], "x" + code, code.replace(".", "", 1), code.upper(), "", "x" * 9000):
        assert ada.ask(stand.url("orders", f"{PATH}finish?code={changed}")).status_code == 401
    body, ends, mac = code.split(".")
    assert (
        ada.ask(stand.url("orders", f"{PATH}finish?code={body}.{int(ends) + 9}.{mac}")).status_code
        == 401
    )
    assert ada.ask(finish).status_code == 302
    stand.clock.forward(timedelta(seconds=61))
    try:
        assert ada.ask(finish).status_code == 401
    finally:
        stand.clock.forward(timedelta(seconds=-61))


def test_what_one_kind_of_note_says_is_not_taken_for_another(stand: Stand, ada: Person) -> None:
    request = fields_of(begun(stand, ada))["request"]
    assert ada.ask(stand.url("orders", f"{PATH}finish?code={request}")).status_code == 401
    answer = ada.ask(f"{stand.address}/callback?code=x&state={request}")
    assert answer.status_code == 401


def test_somebody_is_not_signed_in_as_another(stand: Stand, person: Person) -> None:
    """Log-in CSRF: the attacker's own answer of the provider, followed by the victim."""
    with Person(stand.port) as attacker:
        form = attacker.follow(stand.url("orders"))
        done = attacker.send(form, name="bob", password="battery staple")
        found = re.search(r'content="0;url=([^"]+)"', done.text)
        assert found is not None
        callback = found[1].replace("&amp;", "&")
    assert callback.startswith(f"{stand.address}/callback?")
    answer = person.ask(callback)
    assert answer.status_code == 401
    assert cookies.SESSION not in person.jar["signin.localhost"]


def test_a_form_that_another_page_sends_signs_nobody_in(stand: Stand, person: Person) -> None:
    with Person(stand.port) as attacker:
        where, theirs = form_in(attacker.follow(stand.url("orders")))
    mine = form_in(person.follow(stand.url("orders")))[1]
    url = f"{stand.address}{where}"
    known = {"name": "ada", "password": "correct horse"}
    for form, headers in (
        ({**theirs, **known}, NOTHING),
        ({**mine, **known}, {"origin": "http://evil.dev.localhost"}),
        ({**mine, **known}, {"origin": "null"}),
        ({**mine, **known}, {"sec-fetch-site": "same-site"}),
        ({**mine, **known, "asked": "x"}, NOTHING),
    ):
        assert person.ask(url, form=form, headers=headers).status_code == 400
    assert person.ask(url, form={**mine, **known}).status_code == 200


def test_a_session_that_was_there_before_is_not_taken_over(stand: Stand, person: Person) -> None:
    planted = "A" * 43
    person.jar["signin.localhost"] = {cookies.SESSION: planted, cookies.PROVIDER: planted}
    person.sign_in(stand.url("orders"))
    first = dict(person.jar["signin.localhost"])
    assert planted not in first.values()
    with Person(stand.port) as other:
        other.jar["signin.localhost"] = {cookies.SESSION: planted, cookies.PROVIDER: planted}
        assert "Password" in other.follow(stand.url("orders")).text


def test_a_session_in_another_browser_ends(stand: Stand, person: Person) -> None:
    person.sign_in(stand.url("orders"))
    with Person(stand.port, agent="Thief/1") as thief:
        thief.jar["signin.localhost"] = dict(person.jar["signin.localhost"])
        assert "Password" in thief.follow(stand.url("orders")).text
    person.jar.pop("orders.dev.localhost")
    assert "Password" in person.follow(stand.url("orders")).text


def test_only_a_proxy_says_which_service_it_is(stand: Stand, person: Person) -> None:
    for url in (
        f"http://localhost:{stand.port}/signin/at/begin?to=/",
        f"{stand.address}/at/begin?to=/",
    ):
        assert person.ask(url).status_code == 401
        assert person.ask(url, headers={"x-drystone-place": "e30..x"}).status_code == 401
    answer = person.ask(
        stand.url("orders", f"{PATH}begin?to=/"), headers={"x-drystone-place": "spoofed"}
    )
    assert answer.status_code == 302


def test_a_code_goes_to_no_other_port_of_the_host(stand: Stand, ada: Person) -> None:
    """Another program of the machine may listen at another port of the same name."""
    answer = ada.ask(
        stand.url("orders", f"{PATH}begin?to=/"), headers={"host": "orders.dev.localhost:9999"}
    )
    assert located(ada, answer.headers["location"]).startswith(stand.url("orders", PATH))


def test_pages_answer_at_their_own_name_alone(stand: Stand, person: Person) -> None:
    elsewhere = person.ask(f"http://localhost:{stand.port}/signin/out")
    assert (elsewhere.status_code, elsewhere.headers["location"]) == (302, f"{stand.address}/")
    posted = person.ask(f"http://localhost:{stand.port}/signin/provider/log-in", form={"name": "x"})
    assert posted.status_code == 421


def test_signing_out_ends_the_session_everywhere(stand: Stand, person: Person) -> None:
    person.sign_in(stand.url("orders"))
    person.follow(stand.url("reports"))
    kept = {host: dict(jar) for host, jar in person.jar.items()}
    (finish,) = (
        one for one in person.visited if f"reports.dev.localhost:{stand.port}{PATH}fin" in one
    )
    asked = person.follow(stand.url("orders", f"{PATH}out"))
    assert "You are signed in as ada" in asked.text
    assert cookies.SERVICE not in person.jar["orders.dev.localhost"]
    forged = person.ask(f"{stand.address}/out", form={}, headers={"origin": "http://evil.example"})
    assert "You are signed in as ada" in forged.text
    person.follow(f"{stand.address}/out")
    gone = person.on(person.send(asked), f"{stand.address}/out")
    assert "You are signed out" in gone.text
    assert not {cookies.SESSION, cookies.PROVIDER} & person.jar["signin.localhost"].keys()
    assert "Password" in person.follow(stand.url("orders")).text
    # The address by which somebody came back is worth nothing any more, though its minute is not over.
    person.jar = {"reports.dev.localhost": kept["reports.dev.localhost"]}
    again = person.ask(finish)
    assert (again.status_code, "set-cookie" in again.headers) == (401, False)
    assert "You have signed out" in again.text
    # Whoever kept the cookies finds that they are worth nothing.
    person.jar = {"signin.localhost": kept["signin.localhost"]}
    assert "Password" in person.follow(stand.url("reports")).text


def test_a_session_is_renewed_in_silence_until_it_ends(stand: Stand, person: Person) -> None:
    person.sign_in(stand.url("orders", "/x"))
    before = person.jar["orders.dev.localhost"].pop(cookies.SERVICE)  # as after ten minutes
    answer = person.follow(stand.url("orders", "/x"))
    assert (answer.status_code, person.visited[-1]) == (200, stand.url("orders", "/x"))
    assert person.jar["orders.dev.localhost"][cookies.SERVICE]
    assert before
    stand.clock.forward(timedelta(hours=13))
    try:
        person.jar["orders.dev.localhost"].pop(cookies.SERVICE)
        assert "Password" in person.follow(stand.url("orders", "/x")).text
    finally:
        stand.clock.forward(timedelta(hours=-13))


def test_a_token_that_the_proxy_does_not_take_leads_to_no_circle(
    stand: Stand, person: Person
) -> None:
    person.sign_in(stand.url("orders"))
    answer = person.follow(stand.url("orders", f"{PATH}begin?to=/"))
    assert answer.status_code == 503
    assert "has not accepted it" in answer.text


def test_guessing_is_slowed_down_and_tells_nothing_about_names(
    stand: Stand, person: Person
) -> None:
    form = person.follow(stand.url("orders"))
    unknown = person.send(form, name="nobody", password="wrong password")
    wrong = person.send(unknown, name="carol", password="wrong password")
    assert unknown.status_code == wrong.status_code == 403

    def visible(text: str) -> str:
        return re.sub(r'value="[^"]*"', "", text)

    assert visible(unknown.text) == visible(wrong.text)
    page = wrong
    for _ in range(12):
        page = person.send(page, name="mallory", password="wrong password")
    assert page.status_code == 429
    assert "too many attempts" in page.text
    assert person.send(page, name="ada", password="correct horse").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "request=" + "x" * 20_000,
        "request=a&request=b",
        "&".join(f"a{n}=1" for n in range(60)),
        "%ff%00",
    ],
)
def test_hostile_addresses_are_answered_plainly(stand: Stand, person: Person, query: str) -> None:
    for path in (
        "/enter",
        "/callback",
        "/provider/authorize",
        "/provider/device",
        "/provider/end_session",
    ):
        answer = person.ask(f"{stand.address}{path}?{query}")
        assert answer.status_code in {200, 302, 400, 401, 404, 422}, answer.text
        assert "Traceback" not in answer.text


def test_hostile_forms_are_answered_plainly(stand: Stand, person: Person) -> None:
    for path in (
        "log-in",
        "token",
        "device_authorization",
        "device/log-in",
        "device/decide",
        "end_session",
    ):
        url = f"{stand.address}/provider/{path}"
        for form in ({"asked": "x" * 9000}, {"grant_type": "x" * 60_000}, {}):
            assert person.ask(url, form=form).status_code in {200, 400, 401}
        assert person.ask(url, form={"a": "x" * 70_000}).status_code == 413
        assert person.ask(
            url, method="POST", headers={"content-type": "text/plain"}
        ).status_code in {200, 400}


def test_nothing_that_is_said_gets_into_a_page_as_markup(stand: Stand, person: Person) -> None:
    hostile = quote("<script>alert(1)</script>")
    for path in (
        f"/callback?error={hostile}&state=x",
        f"/callback?error=x&error_description={hostile}",
        f"/provider/device?user_code={hostile}",
        f"/provider/authorize?client_id={hostile}",
        f"/{hostile}",
    ):
        answer = person.ask(f"{stand.address}{path}")
        assert "<script" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
