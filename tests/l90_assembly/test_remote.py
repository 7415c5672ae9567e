"""The orchestrator over a network, as it is put together: who comes, with what, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import pytest_asyncio
import uvicorn
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.contract import Api, connect, serve
from drystone.l00_kernel.contract.streaming import Pace
from drystone.l00_kernel.errors import Denied, Invalid, PlatformError, Unauthenticated
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l25_deployer.api import Source
from drystone.l35_mesh.signin import compact
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l50_orchestrator.access.api import AccessApi
from drystone.l50_orchestrator.access.views import TokenMade, TokenSaid
from drystone.l50_orchestrator.audit import store as audit_store
from drystone.l50_orchestrator.guardrails.api import FreezeSaid, GuardrailsApi
from drystone.l50_orchestrator.operating.api import EnteringApi, WatchingApi
from drystone.l50_orchestrator.ports import Action
from drystone.l50_orchestrator.registry.api import RegistryApi, ServiceSaid
from drystone.l50_orchestrator.releases.api import Happened, ReleasesApi
from drystone.l50_orchestrator.running.api import AUDIENCE
from drystone.l50_orchestrator.sources.api import SourceFile, SourcesApi
from drystone.l50_orchestrator.sources.packing import sent
from drystone.l85_surfaces.console import house
from drystone.l85_surfaces.console.listings import Turned
from drystone.l90_assembly import remote
from drystone.l90_assembly.agent_socket import listening, server_of
from drystone.l90_assembly.orchestrated import orchestrated
from drystone.testing.conformance.engines import short_home
from l50_orchestrator.operating.hands import Eyes, Hands, Runner, Shelf
from l85_surfaces.cli.small_platform import Deployed

OWNER = Context(Caller("anybody"))
SIGN_IN = "http://signin.localhost:1"
TEXT = "schema: 1\nservice: {}\nowner: bakery\nprocess: {{command: [./run]}}\n"


A = TypeVar("A", bound=Api)


class Ahead(SystemClock):
    """A machine whose clock is an hour ahead of its database's, in every test here."""

    @override
    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)


class Whole:
    """An orchestrator without a deployer, on both of its sockets, and two services with a token each."""

    def __init__(self, home: Home, near: Path, far: Path) -> None:
        self.home, self.near, self.far = home, near, far
        self.tokens: dict[str, TokenMade] = {}

    def owner(self, api: type[A]) -> AbstractAsyncContextManager[A]:
        return connect(api, uds=self.near)

    def by(self, token: str, api: type[A], **more: str) -> AbstractAsyncContextManager[A]:
        """Come over the network."""
        return connect(api, uds=self.far, headers={"authorization": f"Bearer {token}", **more})

    async def fill(self) -> None:
        async with self.owner(AccessApi) as access, self.owner(RegistryApi) as registry:
            await access.put_person(OWNER, name="ada")
            await access.put_team(OWNER, name="bakery")
            await access.put_member(OWNER, team="bakery", person="ada", is_maintainer=True)
            for service in ("oven", "mill"):
                await registry.register(OWNER, service=service, said=ServiceSaid("bakery"))
                self.tokens[service] = await self.token(service)

    async def token(self, service: str) -> TokenMade:
        said = TokenSaid(
            "ci",
            (Action.SEE, Action.DEPLOY, Action.STEER),
            kind="deploy",
            service=service,
            environment="dev",
            maker="ada",
        )
        async with self.owner(AccessApi) as access:
            return await access.make_token(OWNER, said=said)

    async def raw(self, *pieces: bytes) -> bytes:
        """Write bytes and return what comes back."""
        reader, writer = await asyncio.open_unix_connection(self.far)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await asyncio.wait_for(reader.read(4096), 10)
        finally:
            writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole() -> AsyncIterator[Whole]:
    with short_home() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "BODY_TIME", timedelta(milliseconds=300))
        engine = Postgres("postgres", place / "postgres")
        try:
            await engine.start()
            async with _running(engine, Home.create(place / "home")) as found:
                yield found
        finally:
            await engine.stop()


@asynccontextmanager
async def _running(engine: Postgres, home: Home) -> AsyncIterator[Whole]:
    access = await provision(engine.admin(), "orchestrator", connections=40, password="no secret")
    database = Database(access, "orchestrator", most=8)
    await audit_store.prepare(database)
    await audit_store.seal(engine.admin(), database)
    near, far = home.socket("near.sock"), home.socket("far.sock")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        made = await stack.enter_async_context(
            orchestrated(
                home,
                database,
                sign_in=SIGN_IN,
                clock=Ahead(),
                log=NullLog(),
            )
        )
        for path, app in ((near, made.app), (far, made.remote)):
            server = server_of(app)
            listener = stack.enter_context(listening(path))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            stack.push_async_callback(_stopped, server, serving)
        found = Whole(home, near, far)
        await found.fill()
        yield found


async def _stopped(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    server.should_exit = True
    await serving


pytestmark = pytest.mark.asyncio(loop_scope="module")


def written(folder: Path, service: str = "oven") -> Source:
    folder.mkdir()
    (folder / "run").write_text("#!/bin/sh\n")
    return Source(TEXT.format(service), "service.yaml", str(folder))


async def test_a_token_deploys_what_it_has_sent_and_nothing_of_this_machine(
    whole: Whole, tmp_path: Path
) -> None:
    token = whole.tokens["oven"].token
    source = written(tmp_path / "here")
    async with whole.by(token, SourcesApi) as sources, whole.by(token, ReleasesApi) as releases:
        with pytest.raises(PlatformError, match="no folder of this machine can be named"):
            await releases.deploy(OWNER, source=source, environment="dev")
        there = await sent(sources, OWNER, source, environment="dev", service="oven")
        asked = await releases.deploy(OWNER, source=there, environment="dev")
        assert (asked.service, asked.environment, asked.author) == (
            "oven",
            "dev",
            f"token:{whole.tokens['oven'].view.id}",
        )
        await releases.steer(OWNER, release=asked.id, verb="abort")


async def test_without_a_token_nobody_is_anybody_whatever_else_comes(whole: Whole) -> None:
    async with connect(
        ReleasesApi, uds=whole.far, headers={"x-drystone-person": "ada", "cookie": "a=b"}
    ) as api:
        with pytest.raises(Unauthenticated, match="send a token"):
            await api.history(OWNER)


async def test_a_stolen_token_is_worth_its_own_service_in_its_own_environment_alone(
    whole: Whole, tmp_path: Path
) -> None:
    token = whole.tokens["mill"].token
    source = written(tmp_path / "here")
    async with whole.by(token, SourcesApi) as sources, whole.by(token, ReleasesApi) as releases:
        with pytest.raises(Denied):
            await sent(sources, OWNER, source, environment="dev", service="oven")
        with pytest.raises(Denied):
            await sent(sources, OWNER, source, environment="prod", service="mill")
        nothing = msgspec.structs.replace(source, folder="")
        with pytest.raises(Denied):
            await releases.deploy(OWNER, source=nothing, environment="dev")
        with pytest.raises(Denied):
            await releases.rollback(OWNER, environment="prod", service="mill")
    async with whole.by(token, AccessApi) as access:
        with pytest.raises(Denied):
            await access.make_token(OWNER, said=TokenSaid("more", (Action.SEE,)))


async def test_a_request_that_is_played_again_happens_once(whole: Whole, tmp_path: Path) -> None:
    token = whole.tokens["oven"].token
    again = Context(Caller("x"), idempotency_key="the-same")
    async with whole.by(token, SourcesApi) as sources, whole.by(token, ReleasesApi) as releases:
        there = await sent(
            sources, OWNER, written(tmp_path / "here"), environment="dev", service="oven"
        )
        asked = [await releases.deploy(again, source=there, environment="dev") for _ in range(3)]
        assert len({one.id for one in asked}) == 1
        await releases.steer(OWNER, release=asked[0].id, verb="abort")


async def test_a_revoked_token_ends_within_a_second_and_so_does_what_it_reads(
    whole: Whole, tmp_path: Path
) -> None:
    made = await whole.token("oven")
    async with whole.by(made.token, SourcesApi) as sources:
        there = await sent(
            sources, OWNER, written(tmp_path / "here"), environment="dev", service="oven"
        )
    async with whole.by(made.token, ReleasesApi) as releases:
        asked = await releases.deploy(OWNER, source=there, environment="dev")
        reading = asyncio.create_task(_read(releases.follow(OWNER, release=asked.id)))
        await asyncio.wait((reading,), timeout=2 * Pace().patience.total_seconds())
        assert not reading.done()
        async with whole.owner(AccessApi) as access:
            await access.revoke_token(OWNER, id=made.view.id)
        with pytest.raises(Unauthenticated, match="revoked"):
            await asyncio.wait_for(reading, 1)
        with pytest.raises(Unauthenticated, match="revoked"):
            await releases.history(OWNER)
    async with whole.owner(ReleasesApi) as owner:
        await owner.steer(OWNER, release=asked.id, verb="abort")


async def _read(stream: AsyncIterator[Happened]) -> None:
    async for _ in stream:
        pass


@asynccontextmanager
async def _agent(whole: Whole) -> AsyncIterator[Runner]:
    """Let something answer as the agent of the home, which has the service ``oven`` in dev."""
    runner, hands = Runner(), Hands()
    runner.services_now["dev", "oven"] = Deployed("oven", "dev", ["1.0"], 1)

    async def anybody(headers: Mapping[str, str]) -> Caller:
        return Caller("agent")

    server = server_of(serve(runner, hands, Eyes(), Shelf(hands.asked), authenticate=anybody))
    with listening(whole.home.agent_socket) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield runner
        finally:
            await _stopped(server, serving)


async def test_whoever_leaves_or_loses_the_right_frees_what_runs_for_them(whole: Whole) -> None:
    at: dict[str, Any] = {"environment": "dev", "service": "oven"}
    ada = (await whole.token("oven")).token
    async with (
        _agent(whole) as agent,
        whole.by(ada, WatchingApi) as watching,
        whole.owner(AccessApi) as access,
    ):
        assert (await watching.status(OWNER)).home == ""
        leaving = watching.logs(OWNER, follow=True, **at)
        assert (await anext(leaving)).text == "hello"
        assert agent.reading == 1
        await leaving.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(agent.left.wait(), 5)
        assert agent.reading == 0

        agent.left.clear()
        staying = watching.logs(OWNER, follow=True, **at)
        await anext(staying)
        await access.remove_member(OWNER, team="bakery", person="ada")
        try:
            with pytest.raises(Denied, match="ada"):
                await asyncio.wait_for(anext(staying), 5)
            await asyncio.wait_for(agent.left.wait(), 5)
        finally:
            await access.put_member(OWNER, team="bakery", person="ada", is_maintainer=True)


async def test_who_is_taken_out_of_a_team_follows_its_releases_no_more(
    whole: Whole, tmp_path: Path
) -> None:
    token = (await whole.token("oven")).token
    async with (
        whole.by(token, SourcesApi) as sources,
        whole.by(token, ReleasesApi) as releases,
        whole.owner(AccessApi) as access,
        whole.owner(ReleasesApi) as owner,
    ):
        source = written(tmp_path / "here")
        there = await sent(sources, OWNER, source, environment="dev", service="oven")
        asked = await releases.deploy(OWNER, source=there, environment="dev")
        reading = asyncio.create_task(_read(releases.follow(OWNER, release=asked.id)))
        await asyncio.wait((reading,), timeout=2 * Pace().patience.total_seconds())
        assert not reading.done()
        await access.remove_member(OWNER, team="bakery", person="ada")
        try:
            with pytest.raises(Denied, match="ada"):
                await asyncio.wait_for(reading, 5)
        finally:
            await access.put_member(OWNER, team="bakery", person="ada", is_maintainer=True)
            await owner.steer(OWNER, release=asked.id, verb="abort")


async def test_nobody_reaches_into_a_service_over_a_network(whole: Whole) -> None:
    async with whole.by(whole.tokens["oven"].token, EnteringApi) as entering:
        with pytest.raises(PlatformError, match="nothing is served"):
            async for _ in entering.execute(
                OWNER, environment="dev", service="oven", command=["id"]
            ):
                pass


async def test_who_signs_in_by_the_time_of_the_machine_is_known_whatever_the_database_says(
    whole: Whole,
) -> None:
    keys, now = SigningKeys(folder_of(whole.home)), Ahead().now()
    keys.settle(now)
    key = keys.signing(now)
    times = {"iat": now.timestamp(), "exp": (now + timedelta(minutes=10)).timestamp()}
    claims = {"iss": SIGN_IN, "aud": AUDIENCE, "sub": "ada", "user": "ada", **times}
    token = compact.make(claims, kid=key.kid, private=key.private)
    async with whole.by(token, AccessApi) as far:
        assert (await far.me(OWNER)).name == "ada"
    near = connect(AccessApi, uds=whole.near, headers={"authorization": f"Bearer {token}"})
    async with near as api:
        assert (await api.me(OWNER)).name == "ada"


async def test_a_list_that_leads_outside_is_refused(whole: Whole, tmp_path: Path) -> None:
    async with whole.by(whole.tokens["oven"].token, SourcesApi) as sources:
        for one in (
            SourceFile("../../../secrets/stolen", "file"),
            SourceFile("/etc/cron.d/x", "file"),
            SourceFile("key", "link", target="/etc/shadow"),
            SourceFile("key", "link", target="../../../../secrets"),
        ):
            with pytest.raises(Invalid, match="inside the folder"):
                await sources.offer(OWNER, environment="dev", service="oven", files=[one])


async def test_a_descriptor_of_five_megabytes_is_refused_with_a_reason(whole: Whole) -> None:
    text = TEXT.format("oven") + "# " + "x" * 5_000_000
    async with whole.by(whole.tokens["oven"].token, ReleasesApi) as releases:
        with pytest.raises(Invalid, match="large"):
            await releases.deploy(OWNER, source=Source(text, "service.yaml", ""), environment="dev")


async def test_bodies_that_are_huge_or_never_end_are_answered_at_once(whole: Whole) -> None:
    head = "POST /v1/releases HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    token = f"authorization: Bearer {whole.tokens['oven'].token}\r\n"
    huge = f"{head}{token}content-length: 99999999999\r\n\r\n".encode()
    assert (await whole.raw(huge)).startswith(b"HTTP/1.1 413")
    slow = f"{head}{token}content-length: 100\r\n\r\n{{".encode()
    assert (await whole.raw(slow)).startswith(b"HTTP/1.1 408")
    # Nobody is waited for who may not ask.
    nobody = f"{head}content-length: 1000000\r\n\r\n{{".encode()
    assert (await whole.raw(nobody)).startswith(b"HTTP/1.1 401")
    wrong = f"{head}authorization: Bearer dry_x\r\ncontent-length: 9999999\r\n\r\n".encode()
    assert (await whole.raw(wrong)).startswith(b"HTTP/1.1 401")


async def test_the_description_has_every_call_and_asks_for_no_token(whole: Whole) -> None:
    reader, writer = await asyncio.open_unix_connection(whole.far)
    writer.write(b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200")
    paths = json.loads(body)["paths"]
    assert {"/v1/releases", "/v1/registry/services"} <= paths.keys()


async def test_lists_of_the_operations_page_have_as_many_pages_as_they_take(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "MOST", 3)
    async with whole.owner(AccessApi) as access, whole.owner(RegistryApi) as registry:
        for n in range(7):
            await registry.register(OWNER, service=f"loaf{n}", said=ServiceSaid("bakery"))
        seen, turned = list[str](), Turned("services")
        while True:
            page = await house.registry(registry, access, turned)
            (part,) = page.parts
            assert part.key == "services"
            seen += [str(row.cells[0]) for row in part.rows]
            if part.next is None:
                break
            turned = Turned("services", part.next)
        whole_page = await house.registry(registry, access)
    assert seen == sorted([*(f"loaf{n}" for n in range(7)), "mill", "oven"])
    assert len(whole_page.parts) == 4
    assert whole_page.parts[-1].next


async def test_the_operations_page_lists_what_there_is_and_no_secret(whole: Whole) -> None:
    today = datetime.now(UTC)
    start, end = (f"{today + timedelta(days=n):%Y-%m-%dT%H:%M}" for n in (1, 20))
    freeze = FreezeSaid(start, end, "holidays", types=("prod",))
    async with (
        whole.owner(AccessApi) as access,
        whole.owner(RegistryApi) as registry,
        whole.owner(GuardrailsApi) as guardrails,
    ):
        await guardrails.freeze(OWNER, name="winter", said=freeze)
        seen = [
            await house.guardrails(guardrails, access),
            await house.registry(registry, access),
            await house.access_of(access, "ada"),
        ]
        for_nobody = await house.guardrails(guardrails, None)
        await guardrails.lift(OWNER, name="winter")
    names = {row.cells[0] for one in seen for part in one.parts for row in part.rows}
    tokens = [made.view.id for made in whole.tokens.values()]
    assert {"winter", "required-owner", "prod", "here", "bakery", "oven"} <= names
    assert {f"token:{id_}" for id_ in tokens} <= names
    assert not any(made.token in str(seen) for made in whole.tokens.values())
    ends = {
        row.ending.kind for one in seen for part in one.parts for row in part.rows if row.ending
    }
    assert ends == {"freezes", "tokens"}
    assert not any(row.ending for part in for_nobody.parts for row in part.rows)
    for one in seen:
        for part in one.parts:
            assert all(len(row.cells) == len(part.columns) for row in part.rows)
