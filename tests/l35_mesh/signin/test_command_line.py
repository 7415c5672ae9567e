"""People at the command line, and builds: through a real Envoy."""

from __future__ import annotations

import io
import json
import re
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.home import Home
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.accounts import Accounts
from drystone.l35_mesh.signin.api import SignInApi
from drystone.l35_mesh.signin.app import Options, application
from drystone.l35_mesh.signin.builds import TrustedBuild, read_trusted
from drystone.l35_mesh.signin.errors import (
    BuildsMistaken,
    BuildTokenNotFound,
    ProofRefused,
    SessionOver,
    SignInRefused,
    StillWaiting,
)
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l85_surfaces.cli.entry import main
from drystone.testing.asgi import served
from drystone.testing.command_line import CommandLine
from l35_mesh.signin.stand import PASSWORDS, Person, Stand

CTX = Context(ANONYMOUS)


@asynccontextmanager
async def api_of(stand: Stand) -> AsyncIterator[SignInApi]:
    async with connect(SignInApi, base_url=f"http://localhost:{stand.port}/signin") as api:
        yield api


def confirm(person: Person, address: str, name: str = "bob") -> httpx2.Response:
    form = person.follow(address)
    asked = person.send(form, name=name, password=PASSWORDS[name])
    assert f"wants to act as {name}" in asked.text
    return person.send(asked)


async def test_somebody_signs_in_at_the_command_line(stand: Stand, tmp_path: Path) -> None:
    line = CommandLine(stand.home, {"XDG_CONFIG_HOME": str(tmp_path)})
    nobody = await line.run("whoami")
    assert (nobody.code, "sign in with `drystone login" in nobody.err) == (1, True)
    async with line.running("login") as process:
        assert process.stderr is not None
        where = (await process.stderr.readline()).decode().split()[1]
        code = (await process.stderr.readline()).decode()
        with Person(stand.port) as person:
            done = confirm(person, where)
        assert "The command line goes on" in done.text
        assert re.search(r"code ([A-Z]{4}-[A-Z]{4})", code)
        out, _ = await process.communicate()
    assert out.decode() == "signed in as bob\n"
    kept = tmp_path / "drystone" / "sessions.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    who = await line.ask("whoami")
    assert (who["user"], who["groups"]) == ("bob", ["staff"])
    called = await line.must("curl", "orders/basket", "--me", "--", "-s")
    assert json.loads(called.out)["x-drystone-user"] == "bob"
    secret = json.loads(kept.read_text())[f"http://localhost:{stand.port}/signin"]["session"]
    assert (await line.must("logout")).out == "bob is signed out\n"
    async with api_of(stand) as api:
        with pytest.raises(SessionOver):
            await api.who(CTX, session=secret)
    assert secret not in stand.access_log.read_text()


async def test_a_command_line_that_nobody_confirms_gets_nothing(stand: Stand) -> None:
    async with api_of(stand) as api:
        asked = await api.begin_device(CTX)
        with pytest.raises(StillWaiting):
            await api.answer_device(CTX, handle=asked.handle)
        for wrong in ("", "x", asked.handle[:-1], "x" * 9000):
            with pytest.raises(SignInRefused):
                await api.answer_device(CTX, handle=wrong)
        with Person(stand.port) as person:
            confirm(person, asked.complete)
        signed = await api.answer_device(CTX, handle=asked.handle)
        assert signed.user == "bob"
        with pytest.raises(SignInRefused):  # once
            await api.answer_device(CTX, handle=asked.handle)


def test_a_device_is_confirmed_by_its_own_form_alone(stand: Stand, ada: Person) -> None:
    guessed = ada.follow(f"{stand.address}/provider/device?user_code=BBBB-BBBB")
    assert guessed.status_code == 404
    asked = ada.ask(f"{stand.address}/provider/device")
    assert "Which code?" in asked.text
    url = f"{stand.address}/provider/device/decide"
    assert ada.ask(url, form={"user_code": "BBBB-BBBB"}).status_code == 400
    led = ada.on(ada.send(asked, user_code="bbbbbbbb"), url)
    assert led.status_code == 404


async def test_a_browsers_session_is_none_of_a_command_line(stand: Stand, person: Person) -> None:
    person.sign_in(stand.url("orders"))
    async with api_of(stand) as api:
        for secret in person.jar["signin.localhost"].values():
            with pytest.raises((SessionOver, ProofRefused)):
                await api.token(CTX, proof=secret, audience="dev/orders")


async def test_a_build_shows_its_token_until_it_is_revoked(stand: Stand) -> None:
    accounts = Accounts(Home.open(stand.home), SystemClock())
    secret, made = accounts.issue("ci/orders", timedelta(days=1))
    assert secret not in (stand.folder / "builds.json").read_text()
    async with api_of(stand) as api:
        token = (await api.token(CTX, proof=secret, audience="dev/orders")).token
        with Person(stand.port) as one:
            answer = one.ask(
                stand.url("orders", "/deploys"),
                method="POST",
                headers={"authorization": f"Bearer {token}", "accept": "*/*"},
            )
        assert answer.json()["x-drystone-build"] == "ci/orders"
        for wrong in ("dsb_", "dsb_" + "x" * 43, secret[:-1], secret + "x", "", "x" * 60_000):
            with pytest.raises((ProofRefused, SessionOver)):
                await api.token(CTX, proof=wrong, audience="dev/orders")
        for audience in ("", "*", "orders", "dev/orders/x", "dev/ORDERS"):
            with pytest.raises(ProofRefused):
                await api.token(CTX, proof=secret, audience=audience)
        accounts.revoke(made.id)
        with pytest.raises(ProofRefused):
            await api.token(CTX, proof=secret, audience="dev/orders")
    with pytest.raises(BuildTokenNotFound):
        accounts.revoke(made.id)


def test_users_and_tokens_are_looked_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(Home.create(tmp_path / "home").path)

    def said(*words: str, given: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        code = main([*words, "--home", home])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    assert said("users", "list") == (0, "no users; add one with `drystone users add NAME`\n")
    add = ("users", "add", "eve", "-g", "staff", "--password-stdin")
    assert said(*add, given="long enough\n") == (0, "eve can sign in\n")
    assert "there is a user eve already" in said(*add, given="long enough\n")[1]
    assert said("users", "add", "mal", "--password-stdin", given="short\n")[0] == 1
    assert said("users", "add", "Mal", "--password-stdin", given="long enough\n")[0] == 1
    assert said("users", "add", "mal", given="long enough\n")[0] == 2
    assert re.search(r"^eve +0 +- +staff$", said("users", "list")[1], re.MULTILINE)
    assert said("users", "groups", "eve", "-g", "a,b")[0] == 1
    assert said("users", "groups", "eve", "-g", "finance") == (0, "eve is in finance\n")
    assert said("users", "passwd", "eve", "--password-stdin", given="another one\n")[0] == 0
    assert said("users", "remove", "eve") == (0, "eve is removed\n")
    assert "there is no user 'eve'" in said("users", "remove", "eve")[1]
    assert said("tokens", "issue", "--build", "b c")[0] == 1
    token = said("tokens", "issue", "--build", "ci/x", "--days", "1")[1].strip()
    assert token.startswith("dsb_")
    listed = said("tokens", "list")[1]
    assert token not in listed
    id_ = listed.splitlines()[1].split()[0]
    assert said("tokens", "revoke", id_) == (0, f"the token {id_} of ci/x is revoked\n")
    assert said("tokens", "list")[1].startswith("no tokens")


class Ci:
    """A provider of a build, which is the embedded one of another home."""

    def __init__(self, folder: Path) -> None:
        self.options = Options(folder=folder, address="")
        self.folder = folder

    @contextmanager
    def running(self) -> Iterator[str]:
        box: list[Any] = []

        async def later(scope: Any, receive: Any, send: Any) -> None:
            await box[0](scope, receive, send)

        with served(later) as address:
            where = address.rstrip("/")
            options = Options(folder=self.folder, address=where)
            box.append(application(options, clock=SystemClock()))
            yield f"{where}/provider"


async def test_a_build_shows_the_token_of_its_own_provider(tmp_path: Path) -> None:
    ci = Ci(tmp_path / "ci")
    clock = SystemClock()
    with ci.running() as issuer:
        rule = {"repository": "shop/orders", "ref": "refs/heads/*"}
        trusted = TrustedBuild(name="ci/orders", issuer=issuer, audience="us", claims=rule)
        ours = Options(
            folder=tmp_path / "ours", address="http://signin.localhost:1", trusted=(trusted,)
        )
        now = clock.now()
        key = SigningKeys(ci.folder).signing(now)
        good = {
            "iss": issuer,
            "aud": "us",
            "exp": int(now.timestamp()) + 60,
            "repository": "shop/orders",
            "ref": "refs/heads/main",
        }

        def made(**changes: str | int) -> str:
            return compact.make({**good, **changes}, kid=key.kid, private=key.private)

        with served(application(ours, clock=clock)) as address:
            async with connect(SignInApi, base_url=address) as api:
                said = await api.token(CTX, proof=made(), audience="dev/orders")
                assert said.token.count(".") == 2
                for changes in (
                    {"repository": "evil/orders"},
                    {"repository": "shop/orders/x"},
                    {"ref": "refs/heads/a/b"},
                    {"ref": "refs/tags/main"},
                    {"aud": "somebody"},
                    {"iss": "https://elsewhere.example"},
                    {"exp": int(now.timestamp()) - 3600},
                ):
                    with pytest.raises(ProofRefused):
                        await api.token(CTX, proof=made(**changes), audience="dev/orders")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[build]]\nname='x'\n", "required field"),
        ("[[build]]\nname='x'\nissuer='https://i'\naudience='a'\nclaims={}\n", "say in claims"),
        (
            "[[build]]\nname='x'\nissuer='https://i'\naudience='a'\nclaims={sub='*'}\n",
            "say in claims",
        ),
        ("[[build]]\nname='x'\nissuer='http://i'\naudience='a'\nclaims={sub='b'}\n", "https"),
        ("[[build]]\nname='x y'\nissuer='https://i'\naudience='a'\nclaims={sub='b'}\n", "name"),
        ("[[build", "end of"),
        ("other = 1", "unknown field"),
    ],
)
def test_a_mistake_in_trusted_builds_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "builds.toml"
    path.write_text(text)
    with pytest.raises(BuildsMistaken, match=why):
        read_trusted(path)
    with pytest.raises(BuildsMistaken, match="cannot be read"):
        read_trusted(tmp_path / "nothing.toml")
