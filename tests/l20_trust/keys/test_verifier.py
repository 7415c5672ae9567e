"""Tokens are verified with keys that are looked up over HTTPS: kept, in the second place, and when nobody answers."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.errors import Invalid
from drystone.l20_trust.certificates.authority import Authority
from drystone.l20_trust.keys import look_up
from drystone.l20_trust.keys.errors import KeysOutOfReach, TokenRefused
from drystone.l20_trust.keys.look_up import GRACE, NONE_KEPT, RepositoryKeys
from drystone.l20_trust.keys.verifier import Verifier
from l20_trust.key_rings import CTX, NOW, ORDERS, PAYMENTS, orders_at, pair, token_of
from l20_trust.keys.conftest import Running

KEY = f"{ORDERS}/20260504t100000-000000-5d0ca1b2.pem"
MINUTE = timedelta(seconds=60)


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers as its server is told."""

    server: Told

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.path)
        body = server.body if server.status == 200 else b"no"
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Told(http.server.ThreadingHTTPServer):
    """A repository that answers what it is told to."""

    def __init__(self, pair_file: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair_file)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.status = 200
        self.body = pair().public.encode()
        self.headers = {
            "content-type": "application/x-pem-file",
            "cache-control": "public, max-age=60",
        }
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/keys/"

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "certificates")
    made.ensure()
    return made


@pytest.fixture
def told(authority: Authority, tmp_path: Path) -> Iterator[Told]:
    (tmp_path / "served").mkdir()
    server = Told(authority.serve(tmp_path / "served").pair)
    with server.serving():
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


DEAD = "https://127.0.0.1:9/keys/"


def keys_from(authority: Authority, clock: ManualClock, *urls: str) -> RepositoryKeys:
    return RepositoryKeys(urls, authority=authority.certificate, clock=clock)


async def test_a_key_is_asked_for_once_in_the_time_that_the_repository_allows(
    authority: Authority, told: Told, clock: ManualClock
) -> None:
    keys = keys_from(authority, clock, told.url)
    for _ in range(3):
        assert keys(KEY) == pair().public
    assert told.asked == [f"/keys/{KEY}"]
    await clock.advance(MINUTE)
    told.status = 404
    assert keys(KEY) is None, "it was revoked"
    told.headers["cache-control"] = "max-age=31536000"
    told.status = 200
    assert keys(KEY) is None
    await clock.advance(NONE_KEPT)
    assert keys(KEY) == pair().public
    await clock.advance(look_up.LONGEST_KEPT)
    told.status = 404
    assert keys(KEY) is None, "nothing is kept for a year"


@pytest.mark.parametrize("said", ["no-store", "", "no-store, max-age=60", "max-age=none"])
def test_what_must_not_be_kept_is_asked_for_each_time(
    authority: Authority, told: Told, clock: ManualClock, said: str
) -> None:
    told.headers["cache-control"] = said
    keys = keys_from(authority, clock, told.url)
    assert [keys(KEY), keys(KEY)] == [pair().public] * 2
    assert len(told.asked) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        (500, {}),
        (302, {"location": "https://127.0.0.1:9/"}),
        (200, {"content-type": "text/html"}),
    ],
)
def test_the_second_is_asked_where_the_first_does_not_answer_as_it_should(
    authority: Authority,
    told: Told,
    clock: ManualClock,
    tmp_path: Path,
    wrong: tuple[int, dict[str, str]],
) -> None:
    first = Told(authority.serve(tmp_path / "served").pair)
    with first.serving():
        first.status = wrong[0]
        first.headers |= wrong[1]
        assert keys_from(authority, clock, first.url, told.url)(KEY) == pair().public
        assert len(first.asked) == len(told.asked) == 1
    assert keys_from(authority, clock, DEAD, told.url)(KEY) == pair().public


def test_what_is_too_long_or_no_text_is_no_key(
    authority: Authority, told: Told, clock: ManualClock
) -> None:
    for body in (b"x" * (look_up.LARGEST + 1), b"\xff\xfe"):
        told.body = body
        with pytest.raises(KeysOutOfReach, match="no key repository answers"):
            keys_from(authority, clock, told.url)(KEY)


def test_there_is_no_key_where_the_first_that_answers_says_so(
    authority: Authority, told: Told, clock: ManualClock
) -> None:
    told.status = 404
    keys = keys_from(authority, clock, told.url, DEAD)
    assert [keys(KEY), keys(KEY)] == [None, None]
    assert len(told.asked) == 1


async def test_a_known_key_holds_for_a_while_when_nobody_answers(
    authority: Authority, told: Told, clock: ManualClock
) -> None:
    keys = keys_from(authority, clock, told.url)
    assert keys(KEY) == pair().public
    told.status = 503
    await clock.advance(MINUTE + GRACE - timedelta(seconds=1))
    assert keys(KEY) == pair().public
    with pytest.raises(KeysOutOfReach, match="503"):
        keys(f"{KEY}x")
    await clock.advance(timedelta(seconds=1))
    with pytest.raises(KeysOutOfReach):
        keys(KEY)


def test_what_no_key_is_called_is_not_asked_for(
    authority: Authority, told: Told, clock: ManualClock
) -> None:
    keys = RepositoryKeys(
        [told.url], authority=authority.certificate, issuers=[ORDERS], clock=clock
    )
    strange = ["", "/", "x.pem", f"/{KEY}", f"{ORDERS}/../x.pem", f"{KEY}?x", f"{KEY}\r\nx: y"]
    for one in (*strange, "dev/orders/ü.pem", "a/" * 50 + "x", f"{KEY}/", "dev/mail/x.pem"):
        assert keys(one) is None
    assert told.asked == []
    assert keys(KEY) == pair().public


def test_whoever_asks_for_ever_new_keys_drives_no_good_one_out(
    authority: Authority, told: Told, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_up, "MOST_KEPT", 5)
    keys = keys_from(authority, clock, told.url)
    keys(KEY)
    told.status = 404
    for n in range(20):
        assert keys(f"{ORDERS}/{n}.pem") is None
    assert keys(KEY) == pair().public
    assert len(keys._missing) == 5


def test_a_repository_is_trusted_by_its_certificate_alone(
    authority: Authority, told: Told, clock: ManualClock, tmp_path: Path
) -> None:
    with pytest.raises(KeysOutOfReach, match="certificate"):
        RepositoryKeys([told.url], clock=clock)(KEY)
    for url in ("http://127.0.0.1/keys/", "https:///keys/", "file:///etc/passwd", ""):
        with pytest.raises(Invalid, match="begins with https://"):
            RepositoryKeys([url])


async def test_a_verifier_in_the_agent_knows_who_may_call(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    keys = await orders_at(tmp_path, clock)
    token = (await token_of(keys)).token
    verifier = Verifier(PAYMENTS, keys.public_key, callers=[ORDERS], clock=clock)
    assert verifier.verify_header(f"bearer {token}").iss == ORDERS
    for header in (None, "", token, "Basic x", "Bearer", f"Bearer {token}x", f"Bearer\t{token}"):
        with pytest.raises(TokenRefused):
            verifier.verify_header(header)
    with pytest.raises(TokenRefused):
        Verifier(PAYMENTS, keys.public_key, callers=["dev/mail"], clock=clock).verify(token)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_instance_verifies_with_what_it_was_given(running: Running) -> None:
    given = running.keys.given("dev", "orders", 1)
    assert given is not None
    environ = {**given.environment, "ASAP_AUDIENCE": PAYMENTS}
    verifier = Verifier.from_environment(environ, callers=[ORDERS])
    made = await token_of(running.keys)
    assert verifier.verify(made.token).iss == ORDERS
    await running.keys.revoke(CTX, environment="dev", service="orders", key=made.key)
    with pytest.raises(TokenRefused):
        Verifier.from_environment(environ, callers=[ORDERS]).verify(made.token)
    with pytest.raises(TokenRefused):
        Verifier.from_environment(environ, callers=["dev/mail"]).verify(made.token)
    with pytest.raises(Invalid, match="ASAP_AUDIENCE is not set"):
        Verifier.from_environment({})
