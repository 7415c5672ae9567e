"""What the sign-in does when those do not answer, or not as they should, on whom it depends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock, SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Context
from drystone.l35_mesh.signin import outside, passwords
from drystone.l35_mesh.signin.app import Options, application
from drystone.l35_mesh.signin.builds import BuildTokens
from drystone.l35_mesh.signin.desk import Desk, Flow
from drystone.l35_mesh.signin.errors import ProviderUnreachable, SessionOver
from drystone.l35_mesh.signin.issuer import Issuer
from drystone.l35_mesh.signin.outside import Answered, Network, Outside
from drystone.l35_mesh.signin.relying import ProviderSettings, RelyingParty
from drystone.l35_mesh.signin.seals import Seal
from drystone.l35_mesh.signin.service import SignIn
from drystone.l35_mesh.signin.sessions import Sessions
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import Place
from drystone.testing.asgi import ask

CTX = Context(ANONYMOUS)
ADDRESS = "http://signin.localhost:8400"


class Dead(Outside):
    """An issuer that does not answer before it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()

    @override
    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, *, headers: Mapping[str, str] = {}
    ) -> Answered:
        self.asked += 1
        self.begun.set()
        await self.goes_on.wait()
        raise ProviderUnreachable("nothing there")


async def test_an_issuer_that_does_not_answer_is_asked_once_for_all_who_wait() -> None:
    dead, clock = Dead(), ManualClock()
    issuer = Issuer("https://ci.example", dead, clock)
    waiting = [asyncio.create_task(issuer.keys_for(f"invented-{n}")) for n in range(50)]
    await dead.begun.wait()
    dead.goes_on.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in told} == {ProviderUnreachable}
    assert dead.asked == 1
    await clock.advance(timedelta(seconds=6))
    with pytest.raises(ProviderUnreachable):
        await issuer.keys_for("x")
    assert dead.asked == 2


@contextlib.contextmanager
def listener(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A program that answers as a test wants until the test is over."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            while not over.is_set():
                try:
                    way, _ = server.accept()
                except OSError:
                    return
                kept.append(way)
                with contextlib.suppress(OSError):
                    answer(way, over)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            for way in kept:
                way.close()
            thread.join()


def says_nothing(_way: socket.socket, _over: threading.Event) -> None:
    """Keep the connection, and wait."""


def drips(way: socket.socket, over: threading.Event) -> None:
    """Answer so slowly that each byte comes in time, and the whole never does."""
    way.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while not over.wait(0.02):
        way.sendall(b" ")


@pytest.mark.parametrize("answer", [says_nothing, drips])
async def test_a_provider_that_answers_too_slowly_holds_up_nobody_else(
    answer: Callable[[socket.socket, threading.Event], None],
) -> None:
    network = Network(patience=timedelta(seconds=0.5))
    with listener(answer) as address:
        asked = [asyncio.create_task(network.ask(address)) for _ in range(100)]
        # Passwords are checked by the threads that all share.
        assert await asyncio.to_thread(lambda: "checked") == "checked"
        told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in told} == {ProviderUnreachable}
    waited = [one for one in told if "too many wait" not in str(one)]
    assert len(waited) == outside.AT_ONCE + outside.MOST_WAITING


def _desk(folder: Path, issuer: str = "https://sso.example") -> tuple[Desk, SignIn]:
    clock, keys = SystemClock(), SigningKeys(folder)
    provider = RelyingParty(
        ProviderSettings(issuer=issuer), Dead(), redirect=f"{ADDRESS}/callback", clock=clock
    )
    desk = Desk(
        ADDRESS,
        keys=keys,
        sessions=Sessions(folder),
        provider=provider,
        clock=clock,
        lifetime=timedelta(hours=1),
    )
    tokens = BuildTokens(folder)
    return desk, SignIn(desk, keys=keys, tokens=tokens, trusted=(), outside=Dead(), clock=clock)


async def test_a_session_of_another_provider_is_none_at_the_command_line(tmp_path: Path) -> None:
    """Whoever is called ada there is somebody else."""
    before, _ = _desk(tmp_path, f"{ADDRESS}/provider")
    secret, _ = before.sessions.begin(
        "ada",
        groups=(),
        issuer=f"{ADDRESS}/provider",
        kind="command line",
        now=before.now(),
        lifetime=timedelta(hours=1),
    )
    _, same = _desk(tmp_path, f"{ADDRESS}/provider")
    assert (await same.who(CTX, session=secret)).user == "ada"
    _, other = _desk(tmp_path)
    with pytest.raises(SessionOver):
        await other.token(CTX, proof=secret, audience="dev/orders")
    with pytest.raises(SessionOver):
        await other.who(CTX, session=secret)


def test_a_service_with_many_groups_fits_into_an_address(tmp_path: Path) -> None:
    desk, _ = _desk(tmp_path)
    groups = tuple(f"{n:03}-{'g' * 120}" for n in range(100))
    place = Place("dev/orders", ("orders.dev.localhost",), groups)
    where = desk.begin(place, "orders.dev.localhost", "/" + "x" * 500, "binding")
    assert len(where) < 2000
    seal: Seal = SigningKeys(tmp_path).seal(desk.now())
    request = where.partition("request=")[2]
    assert len(seal.close(Flow("b" * 64, "s" * 22, request))) < 4096  # a state of the provider


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"users": {"ada": ', b'{"users": {"ada": 1}}', b"\xff\x00", b"[" * 9999],
)
async def test_a_damaged_file_of_users_is_told_without_its_contents(
    tmp_path: Path, content: bytes
) -> None:
    app = application(Options(folder=tmp_path, address=ADDRESS), clock=SystemClock())
    headers = {"host": "signin.localhost:8400"}
    first = await ask(app, "/provider/device?user_code=BCDF-GHJK", headers=headers)
    assert first.status == 200
    (tmp_path / "users.json").write_bytes(content)
    answer = await ask(app, "/provider/device?user_code=BCDF-GHJK", headers=headers)
    assert answer.status == 500
    assert "users.json cannot be read" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "kept",
    ["", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA", f"$argon2id$v=19$m={2**32 - 1},t=1,p=1$"],
)
def test_nobody_has_the_password_of_a_hash_that_is_none(kept: str) -> None:
    assert not passwords.matches("correct horse", kept)
