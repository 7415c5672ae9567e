"""Hostile and broken use of a real orchestrator: each is refused or repaired, and says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import pytest_asyncio
import yaml
from psycopg import sql

from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.errors import Unavailable
from drystone.l00_kernel.home import Home
from drystone.l25_deployer.api import DeployerApi, Source
from drystone.l50_orchestrator.releases.api import ReleasesApi
from drystone.l50_orchestrator.releases.errors import NotAnApprover, PromotionUnderWay
from drystone.l85_surfaces.console.orchestrator import PERSON
from drystone.testing.command_line import CommandLine
from journeys.place import Place, eventually, place, small_service

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

CTX = Context(Caller("whoever"))
TABLES = "drystone_platform"


class Ground:
    """A platform with an orchestrator; ada and bob are in a team, and ada leads it."""

    def __init__(self, platform: Place, folder: Path) -> None:
        self.platform = platform
        self.owner = platform.drystone
        self.folder = folder

    async def open(self) -> None:
        await self.owner.must("orchestrator", "on")
        await self.owner.must("teams", "add", "tests")
        for name in ("ada", "bob"):
            await self.owner.must("people", "add", name)
        await self.owner.must("teams", "join", "tests", "ada", "--maintainer")
        await self.owner.must("teams", "join", "tests", "bob")

    def service(self, name: str, *, env: str = "dev", **deploy: Any) -> Path:
        """Write a service that waits for something in an environment."""
        more = {"environments": {env: {"deploy": deploy}}} if deploy else {}
        return small_service(self.folder / name, name, tags={"cost": "tests"}, **more)

    def edit(self, service: str, release: int) -> None:
        """Say by hand, in what the deployer wrote down of a release, that it has three instances."""
        record = self.platform.home / f"services/dev/{service}/releases/{release}.json"
        written = json.loads(record.read_text())
        written["stacks"]["deployment"]["groups"]["web"]["instances"] = 3
        record.write_text(json.dumps(written))

    @asynccontextmanager
    async def releases(self, person: str = "") -> AsyncIterator[ReleasesApi]:
        """Connect as the home's owner, or as a person for whom the operations page asks."""
        socket = self.platform.home / "run/orchestrator.sock"
        headers = {PERSON: person} if person else None
        async with connect(ReleasesApi, uds=socket, headers=headers) as api:
            yield api

    async def token(self, *scopes: str, service: str = "") -> str:
        """Make a token of ada's: for one service in dev, or her own."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        kind = ("--service", service, "--env", "dev") if service else ()
        said = await self.owner.must("deploy-tokens", "make", "ci", "--maker", "ada", *kind, *words)
        return said.out.strip()

    def by(self, token: str) -> CommandLine:
        return CommandLine(self.platform.home, {"DRYSTONE_TOKEN": token})

    async def refused(self, *words: Any, by: CommandLine | None = None) -> str:
        """Give a command that must be refused; what it says."""
        said = await (by or self.owner).run(*words)
        assert said.code == 1, said
        return said.err

    async def ended(self, release: str) -> str:
        """Wait until a release has ended; how."""

        async def look() -> str | None:
            found = (await self.owner.ask("release", "show", release))["summary"]
            return str(found["state"]) if found["ended_at"] else None

        return await eventually(look)

    @asynccontextmanager
    async def superuser(self, database: str = TABLES) -> AsyncIterator[psycopg.AsyncConnection]:
        engines = (await self.owner.ask("status"))["engines"]
        port = next(e["address"] for e in engines if e["name"] == "postgres").rpartition(":")[2]
        password = (self.platform.home / "engines/postgres/password").read_text()
        where = f"host=127.0.0.1 port={port} user=postgres password={password} dbname={database}"
        async with await psycopg.AsyncConnection.connect(where, autocommit=True) as one:
            yield one

    async def tamper(self, statement: LiteralString, *values: Any) -> Any:
        """Do as a superuser what no trigger sees."""
        async with self.superuser() as one:
            await one.execute("SET session_replication_role = replica")
            cursor = await one.execute(statement, values)
            return await cursor.fetchall() if cursor.description else None


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Ground]:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        ground = Ground(platform, folder)
        await ground.open()
        yield ground


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with opened(tmp_path_factory.mktemp("hostile")) as found:
        yield found


async def test_what_was_changed_by_hand_is_found_and_repaired(ground: Ground) -> None:
    await ground.owner.must("deploy", ground.service("handled"))
    ground.edit("handled", 1)
    said = await ground.owner.run("drift", "handled", "--json")
    (found,) = json.loads(said.out)
    assert said.code == 1
    assert found["field"] == "stacks.deployment.groups.web.instances"
    assert (found["wanted"], found["found"], found["repairs"]) == ("1", "3", ["repair"])
    await ground.owner.must("drift", "repair", "handled")
    assert (await ground.owner.must("drift", "handled")).out == "no drift\n"
    await ground.owner.must("apd", "rollback", "handled")
    assert "release: should be" in (await ground.owner.run("drift", "handled")).out
    await ground.owner.must("drift", "repair", "handled", "-m", "it was withdrawn by hand")
    assert (await ground.owner.must("drift", "handled")).out == "no drift\n"


@pytest.mark.slow
async def test_a_repair_keeps_all_that_was_stored(ground: Ground) -> None:
    path = ground.service("storing")
    written = yaml.safe_load(path.read_text())
    for names, words in ((("first",), ("deploy",)), (("first", "second"), ("apd", "deploy"))):
        written["resources"] = {name: {"type": "volume"} for name in names}
        path.write_text(yaml.safe_dump(written))
        await ground.owner.must(*words, path)
    for variable in ("FIRST_PATH", "SECOND_PATH"):
        write = f"echo kept > ${variable}/note"
        await ground.owner.must("exec", "storing", "--", "sh", "-c", write)
    assert (await ground.owner.run("drift", "storing")).code == 1
    await ground.owner.must("drift", "repair", "storing")
    read = await ground.owner.must("exec", "storing", "--", "sh", "-c", "cat $FIRST_PATH/note")
    assert "kept" in read.out
    held = (await ground.platform.show("storing"))["resources"]
    assert {one["name"] for one in held} == {"first", "second"}
    notes = list((ground.platform.home / "volumes").rglob("note"))
    assert len(notes) == 2


@pytest.mark.slow
async def test_a_role_that_was_made_a_superuser_by_hand_is_found_and_made_none_again(
    ground: Ground,
) -> None:
    path = ground.service("roled")
    written = yaml.safe_load(path.read_text())
    written["resources"] = {"db": {"type": "postgres", "connections": 5}}
    path.write_text(yaml.safe_dump(written))
    await ground.owner.must("deploy", path)
    assert (await ground.owner.must("drift", "roled")).out == "no drift\n"
    name = (await ground.owner.must("exec", "roled", "--", "sh", "-c", "echo $DB_USER")).out.strip()
    async with ground.superuser() as one:
        await one.execute(sql.SQL("ALTER ROLE {} SUPERUSER").format(sql.Identifier(name)))
    said = await ground.owner.run("drift", "roled")
    assert said.code == 1
    assert "engines.db.role.superuser: should be no, is yes" in said.out
    await ground.owner.must("drift", "repair", "roled")
    assert (await ground.owner.must("drift", "roled")).out == "no drift\n"


@pytest.mark.slow
async def test_traffic_that_somebody_gave_to_another_release_is_taken_back(ground: Ground) -> None:
    path = ground.service("parted")
    await ground.owner.must("deploy", path)
    source = Source(path.read_text(), "service.yaml", str(path.parent))
    where = {"environment": "dev", "service": "parted"}
    async with connect(DeployerApi, uds=Home(ground.platform.home).agent_socket) as deployer:
        async for _ in deployer.deploy(
            CTX, source=source, environment="dev", version="rogue", key="by-hand", hold=True
        ):
            pass
        await deployer.shift(CTX, key="by-hand", share=0.5, **where)
    said = (await ground.owner.run("drift", "parted")).out
    assert 'shares: should be {"1":1.0}, is {"1":0.5,"2":0.5}' in said
    await ground.owner.must("drift", "repair", "parted")
    assert (await ground.owner.must("drift", "parted")).out == "no drift\n"
    assert (await ground.platform.show("parted"))["canary"] is None


async def test_an_exception_that_is_over_allows_nothing_any_more(ground: Ground) -> None:
    what = ("-p", "required-owner", "-s", "excused", "-e", "staging", "-o", "ada", "-r", "later")
    path = ground.service("excused")
    descriptor = yaml.safe_load(path.read_text())
    del descriptor["tags"]
    path.write_text(yaml.safe_dump(descriptor))
    await ground.owner.must("deploy", path)
    assert "it has no tags" in await ground.refused("promote", "excused", "--to", "staging")
    ada = ground.by(await ground.token("deploy", "see"))
    await ada.must("exceptions", "ask", "untagged", *what)
    await ground.owner.must("exceptions", "allow", "untagged")
    await ground.owner.must("promote", "excused", "--to", "staging")
    await ground.tamper(
        "UPDATE orchestrator.guard_exception"
        " SET said = regexp_replace(said, '20[0-9]{2}-[0-9]{2}-[0-9]{2}', '2026-01-31')"
        " WHERE name = 'untagged'"
    )
    told = await ground.refused("deploy", path, "--env", "staging")
    assert "it has no tags" in told
    assert "2026-01-31" in told


async def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(ground: Ground) -> None:
    waits = ground.service("raced", env="staging", approve=["tests"])
    await ground.owner.must("deploy", waits)
    async with ground.releases("ada") as one, ground.releases("bob") as other:
        came = await asyncio.gather(
            *(api.promote(CTX, service="raced", to="staging") for api in (one, other)),
            return_exceptions=True,
        )
        lost = [it for it in came if isinstance(it, PromotionUnderWay)]
        won = [it for it in came if not isinstance(it, BaseException)]
        assert (len(lost), len(won)) == (1, 1), came
        assert won[0].id in lost[0].message
        author, second = (one, other) if won[0].author == "ada" else (other, one)
        with pytest.raises(NotAnApprover, match="somebody else has to agree"):
            await author.approve(CTX, release=won[0].id, agrees=True)
        await second.approve(CTX, release=won[0].id, agrees=True)
        assert await ground.ended(won[0].id) == "served"


async def test_a_token_goes_nowhere_else(ground: Ground) -> None:
    path = ground.service("fenced")
    await ground.owner.must("registry", "register", "fenced", "--team", "tests")
    token = await ground.token("deploy", "see", service="fenced")
    line = ground.by(token)
    await line.must("deploy", path)
    said = await ground.refused("deploy", path, "--env", "staging", by=line)
    assert "for the environment dev alone" in said
    assert token not in said


async def test_a_policy_that_errs_or_can_never_be_true_lets_nothing_pass(
    ground: Ground, tmp_path: Path
) -> None:
    torn = 'limit := 1 if input.service\n\nlimit := 2 if input.environment.name == "dev"\n\n'
    rule = 'deny contains {"text": "x"} if '
    for name, body in (
        ("torn", f"{torn}{rule}limit > 3\n"),
        ("blind", f'{rule}input.environment == "dev"\n'),
    ):
        rego = f"package drystone.{name}\n\nimport rego.v1\n\n{body}"
        said = {"description": "d", "team": "tests", "since": "2026-01-01", "types": ["dev"]}
        (tmp_path / "p.yaml").write_text(
            yaml.safe_dump({"policies": {name: {**said, "rego": rego}}})
        )
        applied = await ground.owner.run("apply", tmp_path)
        if name == "blind":
            assert "compare input.environment.name" in applied.err
            continue
        told = await ground.refused("deploy", ground.service("judged"))
        await ground.owner.must("policies", "mode", name, "off", "--reason", "it errs")
        assert "torn: this policy of tests cannot be evaluated" in told


async def test_an_entry_that_was_edited_in_the_database_is_named(ground: Ground) -> None:
    ((number, actor),) = await ground.tamper(
        "SELECT number, actor FROM orchestrator.audit_entry WHERE action = 'team.made'"
    )
    edit: LiteralString = "UPDATE orchestrator.audit_entry SET actor = %s WHERE number = %s"
    await ground.tamper(edit, "eve", number)
    assert f"entry {number} (team.made) was changed" in await ground.refused("audit", "verify")
    await ground.tamper(edit, actor, number)
    await ground.owner.must("audit", "verify")


BACK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'drystone_platform' AND pid <> pg_backend_pid()
"""


@pytest.mark.slow
async def test_a_database_of_yesterday_gives_nobody_anything_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as ground:
        owner, path = ground.owner, ground.service("kept")
        token = await ground.token("deploy", "see")
        await ground.by(token).must("deploy", path)
        await owner.must("orchestrator", "off")
        async with ground.superuser("postgres") as one:
            await one.execute(BACK)
            await one.execute("CREATE DATABASE yesterday TEMPLATE drystone_platform")
        await owner.must("orchestrator", "on")
        held = (await owner.ask("deploy-tokens", "list"))[0]["id"]
        await owner.must("deploy-tokens", "revoke", held)
        await owner.must("deploy", path)
        for decided in ("off", "on", "off"):  # each start writes down how far the log has come
            await owner.must("orchestrator", decided)
        async with ground.superuser("postgres") as one:
            await one.execute(BACK)
            await one.execute("ALTER DATABASE drystone_platform RENAME TO lost")
            await one.execute("ALTER DATABASE yesterday RENAME TO drystone_platform")
        await owner.must("orchestrator", "on")

        async with ground.releases("ada") as ada:
            with pytest.raises(Unavailable, match="accept-restored"):
                await ada.history(CTX)
        assert "was revoked" in await ground.refused("releases", by=ground.by(token))
        assert "restored from an older copy" in await ground.refused("audit", "verify")
        assert "of which the record knows nothing" in await ground.refused("deploy", path)
        drifted = await owner.run("drift")
        assert "take it over with `drystone drift adopt kept --env dev`" in drifted.out

        await owner.must("audit", "accept-restored", "--reason", "a disk broke")
        await owner.must("audit", "verify")
        await owner.must("drift", "adopt", "kept")
        await owner.must("drift")
        number = (await ground.platform.show("kept"))["summary"]["release"]
        ground.edit("kept", number)
        changed = (await owner.run("drift")).out
        assert "groups.web.instances: should be 1, is 3" in changed
        async with ground.releases("ada") as ada:
            await ada.history(CTX)
        assert "was revoked" in await ground.refused("releases", by=ground.by(token))
        await owner.must("deploy", path)
