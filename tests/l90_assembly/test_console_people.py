"""Who is at the operations page: by the cookie of the sign-in, and by nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.settings import Settings
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.desk import AUDIENCE as SERVICES
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import COOKIE
from drystone.l85_surfaces.console.people import Person
from drystone.l90_assembly.console import address_for_people
from drystone.l90_assembly.console_people import AUDIENCE, BesideSignIn, SignedIn
from drystone.testing.asgi import ask

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIGNIN = "http://signin.localhost:8400"
HOST = "console.localhost:8400"
CLAIMS = {"user": "ada", "sid": "0123", "groups": ["platform"]}


class Stand:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.keys = SigningKeys(folder)
        self.people = SignedIn(self.keys, address=f"http://{HOST}", signin=SIGNIN, clock=self.clock)

    def token(self, keys: SigningKeys | None = None, **more: object) -> str:
        now = self.clock.now()
        key = (keys or self.keys).signing(now)
        times = {"iat": int(now.timestamp()), "exp": int((now + timedelta(minutes=10)).timestamp())}
        said = {"iss": SIGNIN, "aud": AUDIENCE, **times, **CLAIMS, **more}
        return compact.make(said, kid=key.kid, private=key.private)

    def who(self, token: str, **more: str) -> Person | None:
        return self.people.proven({"host": HOST, "cookie": f"a=b; {COOKIE}={token}", **more})


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_whom_the_sign_in_has_proven_is_known(stand: Stand) -> None:
    assert stand.who(stand.token()) == Person("ada", "0123", ("platform",))


@pytest.mark.asyncio
async def test_nobody_is_known_by_anything_else(stand: Stand, tmp_path: Path) -> None:
    good = stand.token()
    foreign = SigningKeys(tmp_path / "foreign")
    for token in (
        "",
        "x",
        good[:-4] + "AAAA",
        stand.token(foreign),
        stand.token(aud="dev/console"),
        stand.token(iss="http://evil.localhost"),
        stand.token(user=None),
        stand.token(user=""),
        stand.token(user=["ada"]),
        stand.token(sid=None),
        "y" * 100_000,
    ):
        assert stand.who(token) is None, token[:80]
    assert stand.who(good, host="localhost:8400") is None
    assert stand.who(good, host="console.localhost.evil.example") is None
    assert stand.people.proven({"host": HOST, "x-drystone-user": "ada"}) is None
    assert (
        stand.people.proven({"host": HOST, "cookie": f"{COOKIE}={good}; {COOKIE}={good}"}) is None
    )
    await stand.clock.advance(timedelta(minutes=11))
    assert stand.who(good) is None


def test_no_service_can_have_the_audience_of_the_page() -> None:
    assert SERVICES.fullmatch(AUDIENCE) is None


def test_a_mark_is_for_one_person_in_one_session(stand: Stand) -> None:
    ada = Person("ada", "0123")
    mark = stand.people.mark(ada)

    assert stand.people.is_marked(ada, mark)
    assert stand.people.mark(ada) == mark
    for other in (Person("ada", "other"), Person("bob", "0123")):
        assert not stand.people.is_marked(other, mark)
    for wrong in ("", mark[:-1], "x" + mark, mark + ".", "é"):
        assert not stand.people.is_marked(ada, wrong)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (None, "http://console.localhost:8400"),
        ("https://signin.example.org", "https://console.example.org"),
        ("https://login.example.org", ""),
    ],
)
def test_the_page_answers_people_beside_the_sign_in(url: str | None, address: str) -> None:
    settings = Settings()
    if url is not None:
        settings = Settings(signin=type(settings.signin)(url=url))
    assert address_for_people(settings) == address


@pytest.mark.asyncio
async def test_only_steps_of_a_sign_in_at_its_own_name_leave_the_page(
    stand: Stand, tmp_path: Path
) -> None:
    async def page(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"page"})  # type: ignore[operator]

    app = BesideSignIn(
        page,
        keys=stand.keys,
        host="console.localhost",
        socket=tmp_path / "nobody",
        clock=stand.clock,
    )
    begin = "/.drystone/signin/begin"

    assert (await ask(app, f"{begin}?to=/", headers={"host": HOST})).status == 503
    assert (await ask(app, begin, headers={"host": "localhost:8400"})).text == "page"
    assert (await ask(app, begin, headers={"host": HOST}, method="POST")).text == "page"
    for path in (
        "/.drystone/signin/x",
        "/.drystone/signin/",
        "/.drystone/signin/begin/../x",
        "/begin",
    ):
        assert (await ask(app, path, headers={"host": HOST})).text == "page"
