"""The way to the orchestrator: over real sockets, with one that only notes what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import pytest_asyncio
import uvicorn
from typing_extensions import override

from drystone.l00_kernel.contract import ANONYMOUS, Caller, Context, Page, serve
from drystone.l00_kernel.errors import Denied, PlatformError, Unauthenticated, Unavailable
from drystone.l50_orchestrator.releases import api
from drystone.l50_orchestrator.releases.api import Answer, ReleasesApi, ReleaseSummary, ReleaseView
from drystone.l50_orchestrator.running.api import OrchestratorApi, OrchestratorView
from drystone.l85_surfaces.console.errors import NotSignedIn, NotTurnedOn
from drystone.l85_surfaces.console.orchestrator import PERSON, Orchestrator
from drystone.l85_surfaces.console.people import Person
from drystone.l85_surfaces.console.platform import AuditAsked, ReleasesAsked
from drystone.l85_surfaces.console.views import Verb
from drystone.l90_assembly.on_behalf import on_behalf
from l85_surfaces.console.stand import ADA
from l85_surfaces.console.test_told import SUMMARY, view

T = TypeVar("T")
OWNER = Caller("owner", frozenset({"admin"}))


async def owner(_headers: Mapping[str, str]) -> Caller:
    return OWNER


class Releases(ReleasesApi):
    """Notes who orders what; everything else it does not know."""

    did: list[tuple[Any, ...]]

    @override
    async def steer(
        self, ctx: Context, *, release: str, verb: api.Verb, message: str = ""
    ) -> Answer:
        if ctx.caller.name == "eve":
            raise Denied("eve may not steer")
        self.did.append((ctx.caller.name, release, verb, message))
        return Answer(release, "rolling", "")

    @override
    async def approve(
        self, ctx: Context, *, release: str, agrees: bool, message: str = ""
    ) -> ReleaseSummary:
        self.did.append((ctx.caller.name, release, agrees, message))
        return SUMMARY

    @override
    async def rollback(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        release: int | None = None,
        message: str = "",
    ) -> ReleaseSummary:
        self.did.append((ctx.caller.name, environment, service, release))
        return SUMMARY

    @override
    async def show(self, ctx: Context, *, release: str) -> ReleaseView:
        state, approve = ("waiting", ["team"]) if release == "r-2" else ("rolling", [])
        return view(state, approve=approve)

    @override
    async def history(self, ctx: Context, **_asked: object) -> Page[ReleaseSummary]:
        return Page([msgspec.structs.replace(SUMMARY, id="r-2", state="waiting"), SUMMARY])


Releases.__abstractmethods__ = frozenset()


class Agent(OrchestratorApi):
    said = OrchestratorView(is_on=False)

    @override
    async def state(self, ctx: Context) -> OrchestratorView:
        return self.said


Agent.__abstractmethods__ = frozenset()


def made(kind: type[T]) -> T:
    """Make one that lacks what no test asks for."""
    return kind()


@asynccontextmanager
async def answering(app: Any, place: Path) -> AsyncIterator[None]:
    config = uvicorn.Config(app, uds=str(place), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def agent() -> Agent:
    return made(Agent)


@pytest.fixture
def releases() -> Releases:
    found = made(Releases)
    found.did = []
    return found


@pytest_asyncio.fixture
async def orchestrator(
    tmp_path: Path, agent: Agent, releases: Releases
) -> AsyncIterator[Orchestrator]:
    agent.said = OrchestratorView(is_on=True, socket=str(tmp_path / "o"))
    told = serve(releases, authenticate=on_behalf(owner))
    async with (
        answering(serve(agent, authenticate=owner), tmp_path / "a"),
        answering(told, tmp_path / "o"),
    ):
        yield Orchestrator(tmp_path / "a")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("verb", "did"),
    [
        ("promote", ("ada", "r-1", "promote", "since")),
        ("abort", ("ada", "r-1", "abort", "since")),
        ("approve", ("ada", "r-1", True, "since")),
        ("reject", ("ada", "r-1", False, "since")),
        ("roll-back", ("ada", "prod", "orders", 4)),
    ],
)
async def test_an_order_is_given_as_the_person_who_gives_it(
    orchestrator: Orchestrator, releases: Releases, verb: Verb, did: tuple[Any, ...]
) -> None:
    await orchestrator.act(ADA, "r-1", verb, "since")

    assert releases.did == [did]


@pytest.mark.asyncio
async def test_a_name_of_other_letters_stays_the_same_and_what_is_denied_stays_denied(
    orchestrator: Orchestrator, releases: Releases
) -> None:
    await orchestrator.act(Person("zoë & co", "s"), "r-1", "pause", "")
    assert releases.did[0][0] == "zoë & co"
    with pytest.raises(PlatformError, match="eve may not steer"):
        await orchestrator.act(Person("eve", "s"), "r-1", "pause", "")


@pytest.mark.asyncio
async def test_what_is_on_its_way_and_what_waits_is_found(orchestrator: Orchestrator) -> None:
    rolling = (await orchestrator.rolling())["prod", "orders"]
    assert (rolling.id, rolling.share, rolling.state) == ("r-1", 0.1, "rising")
    assert [one.line.state for one in await orchestrator.approvals()] == ["waiting"]
    assert (await orchestrator.release("r-1")).curve is not None
    found = await orchestrator.all_releases(ReleasesAsked(service="orders", is_open=True))
    assert [one.id for one in found.lines] == ["r-2", "r-1"]
    assert (found.service, found.is_open, found.next) == ("orders", True, None)


@pytest.mark.asyncio
async def test_the_audit_log_is_for_those_who_are_signed_in(
    orchestrator: Orchestrator, agent: Agent
) -> None:
    with pytest.raises(NotSignedIn):
        await orchestrator.audit(None, AuditAsked())
    agent.said = OrchestratorView(is_on=False)
    with pytest.raises(NotTurnedOn):
        await orchestrator.audit(None, AuditAsked())


@pytest.mark.asyncio
async def test_off_and_away_are_told_apart(orchestrator: Orchestrator, agent: Agent) -> None:
    agent.said = OrchestratorView(is_on=False)
    with pytest.raises(NotTurnedOn):
        await orchestrator.release("r-1")
    agent.said = OrchestratorView(is_on=True, problem="no database")
    with pytest.raises(Unavailable, match="no database"):
        await orchestrator.release("r-1")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers",
    [
        {PERSON: ""},
        {PERSON: "token:7"},
        {PERSON: "token%3A7"},
        {PERSON: "prod/orders"},
        {PERSON: "a" * 201},
        {PERSON: "ada", "authorization": "Bearer dry_x"},
    ],
)
async def test_nobody_is_named_who_is_no_person(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        await on_behalf(owner)(headers)


@pytest.mark.asyncio
async def test_a_person_has_no_role_of_the_owner() -> None:
    assert await on_behalf(owner)({PERSON: "ada"}) == Caller("ada")
    assert await on_behalf(owner)({}) == OWNER
    assert ANONYMOUS.roles == frozenset()
