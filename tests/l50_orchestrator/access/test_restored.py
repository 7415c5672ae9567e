"""A database that was restored to yesterday gives nobody back what was taken, and a wrong clock neither."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock, SystemClock
from drystone.l00_kernel.ports import Field, NullLog
from drystone.l10_engines.postgres.clock import DatabaseClock
from drystone.l50_orchestrator.access.domain import Grant, Role, Standing
from drystone.l50_orchestrator.access.errors import (
    NotAllowed,
    TokenExpired,
    TokenRevoked,
    WithdrawnUnreadable,
)
from drystone.l50_orchestrator.access.store import id_of
from drystone.l50_orchestrator.access.teams import TeamsInTables
from drystone.l50_orchestrator.access.views import TokenSaid
from drystone.l50_orchestrator.access.withdrawn import Withdrawn, reduced, taken_by
from drystone.l50_orchestrator.audit import store as audit_store
from drystone.l50_orchestrator.audit.errors import DatabaseIsOlder
from drystone.l50_orchestrator.audit.heads import Heads
from drystone.l50_orchestrator.audit.past import Past
from drystone.l50_orchestrator.audit.service import Audits, ChainedBook
from drystone.l50_orchestrator.ports import Action, Actor
from l50_orchestrator.access.ground import ADA, BOB, PLATFORM, ROOT, Ground, ctx, made

DATABASE = pytest.mark.asyncio(loop_scope="session")
WHAT = st.sampled_from(["token/a", "person/ada", "grant/1", "team/shop", "team/shop/ada"])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), WHAT), max_size=8))
def test_what_was_last_said_of_something_holds_after_a_start(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[bool, str]]
) -> None:
    path = tmp_path_factory.mktemp("home") / "withdrawn"
    held = dict[str, bool]()
    for is_taken, what in said:
        one = Withdrawn(path)
        (one.take if is_taken else one.give)([what])
        held[what] = is_taken
        assert (what in one) is is_taken
    again = Withdrawn(path)
    assert [one for one in held if one in again] == [one for one, taken in held.items() if taken]


def test_the_file_is_its_owners_alone_and_a_line_cut_short_is_none(tmp_path: Path) -> None:
    path = tmp_path / "withdrawn"
    Withdrawn(path).take(["token/a"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open("a") as file:
        file.write("- token/b 2026")
    assert "token/b" not in Withdrawn(path)
    Withdrawn(path).take(["token/c"])
    again = Withdrawn(path)
    assert ("token/a" in again, "token/b" in again, "token/c" in again) == (True, False, True)


@pytest.mark.parametrize("line", ["x", "- token/a", "* token/a 2026-01-01T00:00:00Z", "- a 2026\0"])
def test_a_line_that_somebody_else_wrote_is_no_reason_to_let_anybody_in(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "withdrawn"
    path.write_text(f"{line}\n")
    path.chmod(0o600)
    with pytest.raises(WithdrawnUnreadable, match="line 1"):
        Withdrawn(path)


def test_what_a_change_takes_is_read_from_what_it_notes() -> None:
    notes = [
        ("token.revoked", "token/a", {}),
        ("team.left", "team/shop", {"person": "ada"}),
        ("team.joined", "team/shop", {"person": "bob"}),
        ("person.left", "person/ada", {}),
    ]
    assert taken_by(notes) == [  # type: ignore[arg-type]
        "token/a",
        "team/shop/ada",
        "maintainer/shop/ada",
        "person/ada",
    ]


def test_a_standing_is_without_what_was_taken(tmp_path: Path) -> None:
    own = Grant("person:ada", Role.OWNER, "service:orders")
    shared, lead = (
        Grant("team:shop", Role.DEPLOYER, "all"),
        Grant("maintainers:shop", Role.OWNER, "all"),
    )
    ada = Standing(
        "ada",
        "person",
        teams=frozenset({"shop", "pay"}),
        maintains=frozenset({"shop"}),
        grants=(own, shared, lead),
    )
    withdrawn = Withdrawn(tmp_path / "withdrawn")
    assert reduced(ada, withdrawn) == ada
    withdrawn.take(["maintainer/shop/ada"])
    led = reduced(ada, withdrawn)
    assert (set(led.teams), set(led.maintains), led.grants) == (
        {"shop", "pay"},
        set(),
        (own, shared),
    )
    withdrawn.take(["team/shop/ada"])
    left = reduced(ada, withdrawn)
    assert (set(left.teams), set(left.maintains), left.grants) == ({"pay"}, set(), (own,))
    withdrawn.take([f"grant/{id_of(own)}"])
    assert reduced(ada, withdrawn).grants == ()
    withdrawn.take(["person/ada"])
    assert not reduced(ada, withdrawn).is_active


CUT = """
GRANT DELETE ON audit_entry TO CURRENT_USER;
ALTER TABLE audit_entry DISABLE TRIGGER USER;
DELETE FROM audit_entry WHERE number > {number};
ALTER TABLE audit_entry ENABLE TRIGGER USER
"""


class Home:
    """A home whose files outlive the database of :class:`Ground`."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground = ground
        self.folder = folder
        self.heads = Heads(folder / "heads")
        self.start()

    def start(self) -> None:
        """Begin anew with what is on the disk."""
        ground = self.ground
        self.past = Past(ground.database, self.heads, SystemClock())
        self.access, self.gate, _ = made(
            ground.database,
            ground.clock,
            withdrawn=Withdrawn(self.folder / "withdrawn"),
            past=self.past,
        )
        self.audits = Audits(
            ground.database,
            gate=self.gate,
            book=ChainedBook(),
            heads=self.heads,
            clock=ground.clock,
        )

    async def token(self, name: str) -> tuple[str, str]:
        said = TokenSaid("ci", (Action.SEE,))
        made_ = await self.access.make_token(ctx(name), said=said)
        return made_.token, made_.view.id

    async def who(self, token: str) -> str:
        return (await self.gate.authenticate({"authorization": f"Bearer {token}"})).name


@pytest.fixture
def home(ground: Ground, tmp_path: Path) -> Home:
    return Home(ground, tmp_path)


@DATABASE
async def test_a_token_that_was_revoked_stays_so(home: Home) -> None:
    token, id_ = await home.token("ada")
    assert await home.who(token) == f"token:{id_}"
    await home.access.revoke_token(ADA, id=id_)
    await home.ground.database.fetch("UPDATE access_token SET revoked_at = NULL")
    home.start()
    with pytest.raises(TokenRevoked, match="an older copy"):
        await home.who(token)
    with pytest.raises(TokenRevoked):
        await home.gate.require(ctx(f"token:{id_}"), Action.SEE)


@DATABASE
async def test_who_left_is_out_and_comes_back_without_what_was_theirs(home: Home) -> None:
    token, _ = await home.token("bob")
    await home.access.remove_person(ROOT, name="bob")
    await home.ground.database.fetch("UPDATE access_person SET left_at = NULL")
    await home.ground.database.fetch("UPDATE access_token SET revoked_at = NULL")
    await home.ground.database.fetch(
        "INSERT INTO access_member VALUES ('commerce', 'bob', false, now(), 'ada')"
    )
    home.start()
    with pytest.raises(TokenRevoked):
        await home.who(token)
    with pytest.raises(NotAllowed):
        await home.gate.require(BOB, Action.SEE, service="orders", environment="dev")
    await home.access.put_person(ROOT, name="bob")
    with pytest.raises(TokenRevoked):
        await home.who(token)
    with pytest.raises(NotAllowed):
        await home.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")
    await home.access.put_member(ROOT, team="commerce", person="bob")
    home.start()
    await home.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")


@DATABASE
async def test_an_admin_who_became_a_viewer_stays_one(home: Home) -> None:
    admin, viewer = (Grant("person:bob", role) for role in (Role.ADMIN, Role.VIEWER))
    await home.access.grant(ROOT, grant=admin)
    await home.gate.require(BOB, Action.ADMINISTER)
    await home.access.revoke_grant(ROOT, id=id_of(admin))
    await home.access.grant(ROOT, grant=viewer)
    await home.ground.database.fetch("DELETE FROM access_grant WHERE who = 'person:bob'")
    await home.ground.database.fetch(
        "INSERT INTO access_grant VALUES (%(id)s, 'person:bob', 'admin', 'all', 'all', now(), 'root')",
        id=id_of(admin),
    )
    home.start()
    with pytest.raises(NotAllowed):
        await home.gate.require(BOB, Action.ADMINISTER)
    await home.access.grant(ROOT, grant=admin)
    await home.gate.require(BOB, Action.ADMINISTER)


@DATABASE
@pytest.mark.parametrize("how", ["told", "left and came back"])
async def test_a_maintainer_who_became_a_member_stays_one(home: Home, how: str) -> None:
    if how == "left and came back":
        await home.access.remove_member(ROOT, team="commerce", person="ada")
    await home.access.put_member(ROOT, team="commerce", person="ada", is_maintainer=False)
    await home.ground.database.fetch("UPDATE access_member SET is_maintainer = true")
    home.start()
    await home.gate.require(ADA, Action.DEPLOY, service="orders", environment="dev")
    with pytest.raises(NotAllowed):
        await home.gate.require(ADA, Action.DESTROY, service="orders", environment="dev")
    with pytest.raises(NotAllowed):
        await home.access.put_member(ADA, team="commerce", person="zoe")
    await home.access.put_member(ROOT, team="commerce", person="ada", is_maintainer=True)
    await home.gate.require(ADA, Action.DESTROY, service="orders", environment="dev")


@DATABASE
async def test_a_team_that_was_made_anew_has_none_of_those_who_were_in_it(home: Home) -> None:
    await home.access.put_team(ROOT, name="brief")
    await home.access.put_member(ROOT, team="brief", person="zoe", is_maintainer=True)
    over = Grant("team:brief", Role.VIEWER, "service:billing")
    await home.access.grant(ROOT, grant=over)
    await home.access.remove_team(ROOT, name="brief")
    await home.access.put_team(ROOT, name="brief")
    for who in ("zoe", "bob"):
        await home.ground.database.fetch(
            "INSERT INTO access_member VALUES ('brief', %(who)s, true, now(), 'root')", who=who
        )
    await home.ground.database.fetch(
        "INSERT INTO access_grant VALUES (%(id)s, 'team:brief', 'viewer', 'service:billing', 'all', now(), 'root')",
        id=id_of(over),
    )
    home.start()
    async with home.ground.database.session() as session:
        zoe, bob = [await home.gate.standing_of(session, who) for who in ("zoe", "bob")]
    assert (zoe.teams, zoe.grants) == (frozenset(), ())
    assert "brief" in bob.teams
    assert over not in bob.grants


@DATABASE
async def test_broken_glass_that_was_ended_stays_so_and_another_one_counts(home: Home) -> None:
    reason = "the shop is down and nobody answers"
    found = await home.access.break_glass(BOB, reason=reason)
    await home.gate.require(BOB, Action.ADMINISTER)
    await home.access.end_glass(BOB, number=found.number)
    await home.ground.database.fetch("UPDATE access_glass SET ended_at = NULL")
    home.start()
    with pytest.raises(NotAllowed):
        await home.gate.require(BOB, Action.ADMINISTER)
    await home.ground.clock.advance(timedelta(seconds=1))
    await home.access.break_glass(BOB, reason=reason)
    await home.gate.require(BOB, Action.ADMINISTER)


@DATABASE
async def test_a_service_that_went_to_another_team_is_not_its_old_ones_again(home: Home) -> None:
    teams = TeamsInTables(home.gate, ChainedBook())
    async with home.ground.database.session() as session, session.transaction():
        await teams.end_roles(session, Actor("root", "person"), "orders", "commerce")
    home.start()
    for action in (Action.SEE, Action.DEPLOY, Action.REGISTER):
        with pytest.raises(NotAllowed):
            await home.gate.require(BOB, action, service="orders", environment="dev")
    await home.gate.require(ROOT, Action.DEPLOY, service="orders", environment="dev")
    await TeamsInTables(home.gate, ChainedBook()).has("commerce", "orders")
    await home.gate.require(BOB, Action.DEPLOY, service="orders", environment="dev")


@DATABASE
async def test_nobody_but_the_owner_is_let_in_by_an_older_database_until_it_is_accepted(
    home: Home,
) -> None:
    number, _ = await audit_store.head(home.ground.database)
    token, id_ = await home.token("ada")
    assert await home.audits.checkpoint() is None
    await home.gate.require(ADA, Action.DEPLOY, service="orders", environment="dev")
    async with home.ground.database.session() as session:
        await session.run_script(CUT.format(number=number))
    home.start()
    for who in (ADA, ROOT, ctx(f"token:{id_}")):
        with pytest.raises(DatabaseIsOlder, match="audit accept-restored"):
            await home.gate.require(who, Action.SEE)
    with pytest.raises(DatabaseIsOlder):
        await home.access.put_person(ROOT, name="new")
    await home.gate.require(PLATFORM, Action.ADMINISTER)
    assert await home.who(token)  # who that is may be known; it may do nothing
    verdict = await home.audits.accept_restored(PLATFORM, reason="a disk broke")
    assert verdict.is_whole
    home.past.forget()
    await home.gate.require(ADA, Action.DEPLOY, service="orders", environment="dev")


@DATABASE
@pytest.mark.parametrize("ahead", [timedelta(days=-400), timedelta(days=400)])
async def test_a_process_with_a_wrong_clock_goes_by_the_database(
    home: Home, ahead: timedelta
) -> None:
    machine = ManualClock(datetime.now(UTC) + ahead)
    clock = DatabaseClock(home.ground.database, machine)
    assert abs(await clock.look() - ahead) < timedelta(seconds=30)
    access, gate, _ = made(home.ground.database, clock)
    said = TokenSaid("ci", (Action.SEE,), lasts=timedelta(days=30))
    token = await access.make_token(ADA, said=said)
    headers = {"authorization": f"Bearer {token.token}"}
    assert (await gate.authenticate(headers)).name == f"token:{token.view.id}"
    await machine.advance(timedelta(days=31))
    with pytest.raises(TokenExpired):
        await gate.authenticate(headers)


@DATABASE
async def test_a_clock_that_is_wrong_is_told_of(home: Home) -> None:
    class Hearing(NullLog):
        told: ClassVar[list[str]] = []

        @override
        def error(self, event: str, *, error: BaseException | None = None, **fields: Field) -> None:
            self.told.append(f"{event}: {fields['ahead_s']}")

    machine = ManualClock(datetime.now(UTC) + timedelta(days=1))
    clock = DatabaseClock(home.ground.database, machine)
    watching = asyncio.create_task(clock.watch(Hearing()))
    async with asyncio.timeout(20):
        while True:
            if machine.sleepers:
                break
            await asyncio.sleep(0.001)
    watching.cancel()
    await asyncio.wait({watching})
    assert len(Hearing.told) == 1
    assert Hearing.told[0].startswith("this process's clock and the database's are compared: 86")
