"""Applications that others wrote, from dev to production: with a soak, the word of a second person, a canary and a way back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
import pytest_asyncio
import yaml

from drystone.testing.command_line import CommandLine
from journeys.place import EXAMPLES, Place, eventually, place
from l35_mesh.signin.stand import Person

APPLICATIONS = EXAMPLES / "third-party"
PASSWORD = "a long password"
LONG = timedelta(minutes=3)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]


class Shared:
    """A platform that teams share, and the people who signed in at it."""

    def __init__(self, platform: Place, folder: Path) -> None:
        self.platform = platform
        self.owner = platform.drystone
        self._folder = folder
        self.ada, self.bob, self.eve = (self._line(name) for name in ("ada", "bob", "eve"))

    def _line(self, name: str, **more: str) -> CommandLine:
        return CommandLine(
            self.platform.home, {"XDG_CONFIG_HOME": str(self._folder / name), **more}
        )

    def with_token(self, token: str) -> CommandLine:
        return self._line("nobody", DRYSTONE_TOKEN=token)

    async def open(self) -> None:
        """Let three people sign in, who are in three teams."""
        await self.owner.must("orchestrator", "on")
        teams = {"ada": "examples", "bob": "leads", "eve": "mill"}
        for name, team in teams.items():
            words = ("users", "add", name, "--password-stdin")
            async with self.owner.running(*words, reads=True) as process:
                await process.communicate(PASSWORD.encode())
            await self.owner.must("people", "add", name)
            await self.owner.must("teams", "add", team)
            await self._sign_in(name)
        await self.owner.must("teams", "join", "examples", "ada", "--maintainer")
        await self.owner.must("teams", "join", "leads", "bob")
        await self.owner.must("teams", "join", "mill", "eve", "--maintainer")
        role = ("team:leads", "deployer", "--over", "team:examples", "--in", "type:prod")
        await self.owner.must("grants", "give", *role)

    async def _sign_in(self, name: str) -> None:
        async with self._line(name).running("login") as process:
            assert process.stderr is not None
            where = (await process.stderr.readline()).decode().split()[1]
            await asyncio.to_thread(self._confirm, where, name)
            out, _ = await process.communicate()
        assert out.decode() == f"signed in as {name}\n"

    def _confirm(self, where: str, name: str) -> None:
        with Person(self.platform.port) as person:
            asked = person.send(person.follow(where), name=name, password=PASSWORD)
            person.send(asked)

    def application(self, of: str, *, name: str = "", **production: Any) -> Path:
        """Copy an application, perhaps under another name, and say how it gets to production."""
        folder = self._folder / "applications" / (name or of)
        if not folder.exists():
            shutil.copytree(APPLICATIONS / of, folder)
        path = folder / "service.yaml"
        descriptor = yaml.safe_load(path.read_text())
        deploy = {"after": "staging", "soak": "2s", "approve": ["leads"], **production}
        descriptor["service"] = name or of
        descriptor["tags"] = {"cost": "examples"}
        descriptor["environments"] = {"staging": {}, "prod": {"deploy": deploy}}
        path.write_text(yaml.safe_dump(descriptor, sort_keys=False))
        return path

    async def allow_what_is_not_locked(self, service: str) -> None:
        """Let an application follow no lock file: ada asks, and the platform's owner allows it."""
        for env in ("staging", "prod"):
            name = f"{service}-{env}"
            what = ("-p", "pinned-artefacts", "-s", service, "-e", env, "-o", "ada", "-r", "theirs")
            await self.ada.must("exceptions", "ask", name, *what)
            await self.owner.must("exceptions", "allow", name)

    async def until(self, release: str, *states: str, why: str = "") -> Any:
        async def look() -> Any:
            said = await self.owner.run("release", "show", release, "--json")
            if said.code:
                return None
            found = msgspec.json.decode(said.out)["summary"]
            return found if found["state"] in states and why in found["why"] else None

        return await eventually(look, within=LONG)

    async def to_production(self, service: str, number: int) -> None:
        """Promote what serves in dev; it is in production when bob has agreed."""
        await self.ada.must("promote", service, "--to", "staging", "-m", "to staging")
        release = f"prod/{service}/{number}"
        await self.until(release, "waiting", why="approval of leads")
        own = await self.ada.run("release", "approve", release)
        assert (own.code, "somebody else has to agree" in own.err) == (1, True)
        foreign = await self.eve.run("release", "approve", release)
        assert (foreign.code, "eve may not approve" in foreign.err) == (1, True)
        await self.bob.must("release", "approve", release, "-m", "looks good")
        assert (await self.until(release, "served", "failed", "refused"))["state"] == "served"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    async with place({"DRYSTONE_RUNTIME": "processes"}) as platform:
        found = Shared(platform, tmp_path_factory.mktemp("shared"))
        await found.open()
        yield found


@pytest.mark.parametrize(("name", "path"), [("rq-dashboard", "/"), ("kinto", "/v1/")])
async def test_an_application_goes_from_dev_to_production(
    shared: Shared, name: str, path: str
) -> None:
    await shared.ada.must("deploy", shared.application(name))
    held = await shared.ada.run("promote", name, "--to", "staging")
    assert (held.code, "pinned-artefacts" in held.err) == (1, True)
    await shared.allow_what_is_not_locked(name)
    await shared.to_production(name, 1)
    assert (await shared.platform.get(name, path, env="prod")).status_code == 200


async def test_a_canary_takes_over_under_load_and_goes_back(shared: Shared) -> None:
    name = "httpbin"
    ladder: Any = {"strategy": "progressive", "steps": ["10%", "100%"], "hold": "3s"}
    await shared.ada.must("deploy", shared.application(name, **ladder))
    await shared.allow_what_is_not_locked(name)
    await shared.to_production(name, 1)
    await shared.ada.must("deploy", shared.application(name, **ladder))
    async with shared.platform.traffic(name, "/get", env="prod") as stopped:
        await shared.to_production(name, 2)
        rollout = (await shared.owner.ask("release", "show", "prod/httpbin/2"))["rollout"]
        back = await shared.bob.must("rollback", name, "--env", "prod")
        report = await stopped()
    approved = await shared.owner.ask("audit", "list", "--action", "release.approved", "-n", "1")
    assert (approved[0]["actor"], approved[0]["fields"]["message"]) == ("bob", "looks good")
    assert rollout["phase"] == "promoted"
    assert rollout["counted"]["errors"][1] > 0
    assert "httpbin.prod serves version 1" in back.out
    assert sum(report.failures().values()) == 0


async def test_what_is_not_the_artefact_that_was_tried_never_starts(shared: Shared) -> None:
    path = shared.application("rq-dashboard", name="moved")
    await shared.ada.must("deploy", path)
    await shared.allow_what_is_not_locked("moved")
    path.with_name("late.txt").write_text("nobody tried this")
    said = await shared.ada.run("promote", "moved", "--to", "staging")
    assert (said.code, "its folder has changed" in said.err) == (1, True)
    assert (await shared.platform.get("moved", env="staging")).status_code == 404


async def test_others_are_refused_and_what_is_refused_is_said(shared: Shared) -> None:
    path = shared.application("rq-dashboard", name="touched")
    await shared.ada.must("registry", "register", "touched", "--team", "examples")
    for words in (("deploy", path), ("rollback", "touched"), ("releases", "touched")):
        said = await shared.eve.run(*words)
        assert (said.code, "eve may not" in said.err) == (1, True)
    scopes = ("--scope", "deploy", "--scope", "see")
    where = ("--maker", "ada", "--service", "touched", "--env", "dev")
    token = (await shared.owner.must("deploy-tokens", "make", "ci", *where, *scopes)).out.strip()
    outside = await shared.with_token(token).run("deploy", path, "--env", "prod")
    assert (outside.code, "for the environment dev alone" in outside.err) == (1, True)
    assert token not in outside.err
    huge = path.with_name("huge.yaml")
    huge.write_text(path.read_text() + "x-more: " + "x" * 5_000_000)
    large = await shared.ada.run("deploy", huge)
    assert (large.code, "at most 1,048,576" in large.err) == (1, True)


async def test_a_policy_that_errs_lets_nothing_pass(shared: Shared, tmp_path: Path) -> None:
    rego = (
        "package drystone.torn\n\nimport rego.v1\n\n{}\n\ndeny contains {} if limit > 3\n".format(
            'limit := 1 if input.service\n\nlimit := 2 if input.environment.name == "dev"',
            '{"text": "too many"}',
        )
    )
    torn = {"description": "d", "team": "mill", "since": "2026-01-01", "types": ["dev"]}
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({"policies": {"torn": {**torn, "rego": rego}}}))
    await shared.owner.must("apply", tmp_path)
    said = await shared.ada.run("deploy", shared.application("rq-dashboard"))
    await shared.owner.must("policies", "mode", "torn", "off", "--reason", "it errs")
    assert (said.code, "torn: this policy of mill cannot be evaluated" in said.err) == (1, True)


async def test_an_entry_that_was_edited_in_the_database_is_named(shared: Shared) -> None:
    await shared.owner.must("audit", "verify")
    written = await shared.owner.ask("audit", "list", "--action", "team.", "-n", "1")
    number = written[0]["number"]
    engines = (await shared.owner.ask("status"))["engines"]
    port = next(e["address"] for e in engines if e["name"] == "postgres").rpartition(":")[2]
    password = (shared.platform.home / "engines/postgres/password").read_text()
    whole = f"host=127.0.0.1 port={port} user=postgres password={password} dbname=drystone_platform"
    async with await psycopg.AsyncConnection.connect(whole) as superuser:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(
            "UPDATE orchestrator.audit_entry SET actor = 'eve' WHERE number = %s", [number]
        )
    said = await shared.owner.run("audit", "verify")
    assert (said.code, f"entry {number} (" in said.err) == (1, True)
