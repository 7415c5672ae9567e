"""A database that goes away or back in time, statements that the server takes, calls that come over the wire."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest
from typing_extensions import override

from drystone.l00_kernel.contract import loopback
from drystone.l00_kernel.errors import NotFound
from drystone.l00_kernel.ports import Field
from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.postgres.server import Postgres
from drystone.l50_orchestrator.ports import Actor, Environment
from drystone.l50_orchestrator.releases import statements
from drystone.l50_orchestrator.releases.api import ReleasesApi
from drystone.l50_orchestrator.releases.errors import NothingToAdopt
from drystone.l50_orchestrator.releases.service import Releases
from drystone.l50_orchestrator.target import Outcome
from drystone.testing.orchestrator import TableBook
from drystone.testing.releases import TheseEnvironments
from drystone.testing.simulated_target import SimulatedTarget
from l50_orchestrator.releases.stage import ADA, BOB, Stage, source

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def copy(stage: Stage, *, back: bool) -> None:
    """Keep all tables as they are, or bring them back to how they were kept."""
    keep = """DO $$ DECLARE t text; BEGIN
        FOREACH t IN ARRAY ARRAY['workflow','step','signal','place','release','descriptor','document','event','steering','approval',
                                 'rollout','serving'] LOOP
            EXECUTE format('DROP TABLE IF EXISTS kept_%%I', t);
            EXECUTE format('CREATE TABLE kept_%%I AS TABLE %%I', t, t);
        END LOOP; END $$"""
    restore = """DO $$ DECLARE t text; BEGIN
        TRUNCATE workflow, step, signal, place, release, descriptor, document, event, steering, approval, rollout, serving;
        FOREACH t IN ARRAY ARRAY['workflow','step','signal','place','release','descriptor','document','event','steering','approval',
                                 'rollout','serving'] LOOP
            EXECUTE format('INSERT INTO %%I OVERRIDING SYSTEM VALUE TABLE kept_%%I', t, t);
            EXECUTE format('DROP TABLE kept_%%I', t);
        END LOOP; END $$"""
    await stage.database.fetch(restore if back else keep)


async def test_after_a_restore_what_is_missing_is_told_and_nothing_is_deployed_by_itself(
    stage: Stage,
) -> None:
    async with stage.worker():
        await stage.deploy(version="1")
    await copy(stage, back=False)
    async with stage.worker():
        lost = await stage.deploy(version="2")
    await copy(stage, back=True)
    async with stage.worker():
        (told,) = await stage.releases.disagreements(ADA, environment="dev")
        assert (told.present, told.version) == (lost.id, "2")
        assert "adopt it" in told.text
        assert stage.serves() == "2"
        refused = await stage.deploy(version="3")
        assert refused.state == "refused"
        assert "the record knows nothing" in refused.why
        assert stage.serves() == "2"
        adopted = await stage.releases.adopt(ADA, environment="dev", service="orders")
        assert (adopted.id, adopted.kind, adopted.is_serving) == (lost.id, "adopted", True)
        assert await stage.releases.disagreements(ADA, environment="dev") == []
        with pytest.raises(NothingToAdopt):
            await stage.releases.adopt(ADA, environment="dev", service="orders")
        assert (await stage.deploy(version="4")).state == "served"
        back = await stage.releases.rollback(BOB, environment="dev", service="orders")
        assert (await stage.ended(back.id)).state == "served"
    assert stage.serves() == "2"


async def test_a_release_that_was_open_in_an_old_copy_does_not_come_back_over_a_newer_one(
    stage: Stage,
) -> None:
    stage.target.faults["2"] = "away"
    stage.target.is_away = True
    async with stage.worker():
        asked = await stage.releases.deploy(
            ADA, source=source(deploy="approve: [leads]"), environment="dev", version="2"
        )
    await copy(stage, back=False)
    stage.target.is_away = False
    stage.target.faults.clear()
    async with stage.worker():
        await stage.releases.approve(BOB, release=asked.id, agrees=True)
        await stage.ended(asked.id)
        await stage.deploy(version="3")
    await copy(stage, back=True)
    stage.target.service("dev", "orders").operations.pop(
        asked.id
    )  # the target has forgotten it by now
    async with stage.worker():
        await stage.releases.approve(BOB, release=asked.id, agrees=True)
        ended = await stage.ended(asked.id)
    assert ended.state == "refused"
    assert stage.serves() == "3"


async def test_a_target_that_somebody_else_changes_meanwhile_is_left_alone(stage: Stage) -> None:
    class Late(SimulatedTarget):
        @override
        async def outcome(self, environment: str, service: str, key: str) -> Outcome:
            found = await super().outcome(environment, service, key)
            if found.state == "unknown" and key == self.watched:
                one = self.service(environment, service)
                one.active, one.serving = one.releases[0].number, [one.releases[0].key]
            return found

        watched = ""

    stage.reset(target := Late())
    stage.target = target
    async with stage.worker():
        await stage.deploy(version="1")
        await stage.deploy(version="2")
        target.is_away = True
        asked = await stage.releases.deploy(ADA, source=source(), environment="dev", version="3")
        target.watched = asked.id
        target.is_away = False
        ended = await stage.ended(asked.id)
    assert ended.state == "refused"
    assert "somebody else changed it" in ended.why
    assert stage.serves() == "1"


async def test_a_database_that_goes_away_in_the_middle_delays_and_changes_nothing(
    stage: Stage, release_server: Postgres
) -> None:
    stage.reset(target := SimulatedTarget(step=timedelta(milliseconds=100)))
    stage.target = target
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=source(), environment="dev", version="1")
        async with asyncio.timeout(30):
            while not target.service("dev", "orders").operations:  # noqa: ASYNC110 - a worker begins it
                await asyncio.sleep(0.01)
        await release_server.stop()
        await asyncio.sleep(0.3)  # the outage's length; nothing is waited for
        await release_server.start()
        assert (await stage.ended(asked.id)).state == "served"
    one = target.service("dev", "orders")
    assert (len(one.releases), stage.serves()) == (1, "1")


async def test_the_server_takes_every_statement(stage: Stage) -> None:
    texts = {
        name: text for name, text in vars(statements).items() if name.isupper() and "%(" in text
    }
    assert len(texts) > 25
    async with stage.database.session() as session, session.transaction():
        for text in texts.values():
            plain = _plain(text)
            await session.fetch(plain)


def _plain(text: str) -> str:
    """Return a statement that the server is to prepare, with places of whatever type fits."""
    names: list[str] = []
    while "%(" in text:
        before, _, rest = text.partition("%(")
        name, _, after = rest.partition(")s")
        if name not in names:
            names.append(name)
        text = f"{before}${names.index(name) + 1}{after}"
    return f"PREPARE p{abs(hash(text))} AS {text}"


async def test_everything_comes_over_the_wire_as_it_is(stage: Stage) -> None:
    api = loopback(ReleasesApi, stage.releases)
    text = source(deploy="strategy: progressive, steps: [50%, 100%], hold: 0s, approve: [leads]")
    async with stage.worker():
        first = await api.deploy(ADA, source=source(), environment="dev", version="1")
        assert [one.text async for one in api.follow(ADA, release=first.id)][-1] == "served"
        second = await api.deploy(ADA, source=text, environment="dev", message="ünïcode ☃")
        await api.approve(BOB, release=second.id, agrees=True)
        answer = await api.steer(BOB, release=second.id, verb="promote")
        assert answer.release == second.id
        async for _ in api.follow(ADA, release=second.id):
            pass
    view = await api.show(ADA, release="dev/orders/2")
    assert view == await stage.releases.show(ADA, release=second.id)
    assert (view.summary.state, view.summary.message) == ("served", "ünïcode ☃")
    assert len((await api.history(ADA, since=first.asked_at)).items) == 2
    assert await api.diff(ADA, release=first.id, other=second.id)
    assert await api.disagreements(ADA, environment="dev") == []
    back = await api.rollback(BOB, environment="dev", service="orders")
    assert back.kind == "rollback"
    assert msgspec.json.encode(view)


async def test_a_descriptor_of_just_under_a_mebibyte_is_kept_small_and_whole(
    stage: Stage,
) -> None:
    text = source(more="".join(f"x-note-{n}: {'a' * 900}\n" for n in range(1100)))
    async with stage.worker():
        asked = await stage.releases.deploy(ADA, source=text, environment="dev", version="1")
        ended = await stage.ended(asked.id)
    assert ended.state == "served"
    assert (await stage.releases.show(ADA, release=asked.id)).descriptor == text.text
    rows = await stage.database.fetch("SELECT sum(length(body)) FROM descriptor")
    assert rows[0][0] < 200_000


async def test_a_release_whose_environment_is_gone_ends_as_failed(stage: Stage) -> None:
    asked = await stage.releases.deploy(ADA, source=source(), environment="dev", version="1")
    stage.reset(None, Environment("elsewhere", "dev"))
    async with stage.worker():
        ended = await stage.ended(asked.id)
    assert ended.state == "failed"
    assert "no environment 'dev'" in ended.why


async def test_what_the_registry_does_not_take_in_serves_all_the_same(stage: Stage) -> None:
    class Forgetful(TheseEnvironments):
        @override
        async def appeared(self, session: Session, service: str, environment: str) -> None:
            await session.fetch("SELECT 1")
            raise NotFound("gone")

    stage.reset()
    stage.releases = Releases(msgspec.structs.replace(stage.parts, registry=Forgetful()))
    async with stage.worker():
        ended = await stage.deploy(version="1")
    view = await stage.releases.show(ADA, release=ended.id)
    assert (ended.state, stage.serves()) == ("served", "1")
    assert "the registry does not take it in: gone" in [one.text for one in view.steps]


async def test_an_end_that_the_audit_log_does_not_take_is_written_when_it_does(
    stage: Stage,
) -> None:
    class Broken(TableBook):
        times = 2

        @override
        async def note(
            self, session: Session, actor: Actor, action: str, subject: str, **fields: Field
        ) -> None:
            if action == "release.served" and self.times:
                self.times -= 1
                raise NotFound("no log")
            await super().note(session, actor, action, subject, **fields)

    stage.reset()
    stage.releases = Releases(msgspec.structs.replace(stage.parts, book=Broken()))
    async with stage.worker():
        ended = await stage.deploy(version="1")
    noted = [one.action for one in await TableBook.noted(stage.database)]
    assert (ended.state, noted.count("release.served")) == ("served", 1)
