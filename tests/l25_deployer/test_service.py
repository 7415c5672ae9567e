"""The deployer as its callers know it: in the process, through its wire form, and as an agent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.contract import loopback
from drystone.l00_kernel.errors import Invalid, PlatformError
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import DeployerApi, ExecOutput, LogRecord, ServiceView, Source
from drystone.l25_deployer.errors import (
    ArtefactRefused,
    BuildFailed,
    DeployAborted,
    DeployFailed,
    DeployInProgress,
    DescriptorRefused,
    NoInstance,
    NothingToAbort,
    NothingToRollBackTo,
    PlanRefused,
    ReleaseNotFound,
    ServiceNotFound,
)
from l25_deployer.agents import agent_at, client_of
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
    source,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDLE = "import time\nprint('idle', flush=True)\ntime.sleep(3600)"


class Reached(msgspec.Struct, frozen=True):
    """A platform that is reached one way.

    Attributes:
        api: How it is reached.
        port: Of its edge.
        folder: Holds its home and a service's folder.
    """

    api: DeployerApi
    port: int
    folder: Path

    @property
    def source(self) -> Path:
        return folder_of(self.folder / "source")


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["embedded", "loopback", "agent"]
)
async def p(request: pytest.FixtureRequest) -> AsyncIterator[Reached]:
    with short_folder() as folder:
        home = folder / "h"
        if request.param == "agent":
            port = free_port()
            with agent_at(home, port):
                async with client_of(home) as api:
                    yield Reached(api, port, folder)
            return
        chosen = settings(Home.create(home))
        async with embedded(home, chosen) as whole:
            api = (
                whole.deployer
                if request.param == "embedded"
                else loopback(DeployerApi, whole.deployer)
            )
            yield Reached(api, chosen.port, folder)


async def all_of(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


class Place(TypedDict):
    environment: str
    service: str


def at(service: str) -> Place:
    return {"environment": "dev", "service": service}


async def shown(
    p: Reached, service: str, holds: Callable[[ServiceView], object], what: str
) -> ServiceView:
    """Wait until a service shows something."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + 20
    while not holds(view := await p.api.show(ASKING, **at(service))):
        assert loop.time() < limit, f"never: {what}"
        await asyncio.sleep(0.02)
    return view


async def test_a_deploy_tells_its_steps_in_order_and_ends_with_the_address(p: Reached) -> None:
    more = "resources: {notes: {type: volume}}\ndeploy: {migrate: [python3, --version], smoke: [GET /]}"

    told = await deploy(p.api, descriptor("steps", more=more), p.source)

    began = [progress.step for progress in told if progress.state == "began"]
    assert began == [
        *("check", "resources", "build", "migrate", "start", "health", "warm-up", "smoke", "switch")
    ]
    for before, after in zip(told[::2], told[1::2], strict=False):
        assert (before.state, after.state, before.step) == ("began", "ended", after.step)
        assert after.seconds is not None
    assert {progress.release for progress in told[1:]} == {1}
    assert told == sorted(told, key=lambda progress: progress.at)
    assert told[-1].url == f"http://steps.dev.localhost:{p.port}/"
    assert (told[-1].step, told[-1].text) == ("done", "steps.dev serves version 1")
    assert (await ask(p.port, "steps.dev.localhost")).startswith("200 hello")


async def test_a_second_deploy_and_a_rollback_move_the_traffic(p: Reached) -> None:
    await deploy(p.api, descriptor("moved", more="env: {GREETING: one}"), p.source)
    second = await deploy(
        p.api, descriptor("moved", more="env: {GREETING: two}"), p.source, version="2026.1"
    )
    assert second[-1].text == "moved.dev serves version 2026.1"
    assert "two" in await ask(p.port, "moved.dev.localhost")

    told = await all_of(p.api.rollback(ASKING, **at("moved")))

    assert told[-1].text == "moved.dev serves version 1"
    assert "one" in await ask(p.port, "moved.dev.localhost")
    with pytest.raises(NothingToRollBackTo, match="no earlier release"):
        await all_of(p.api.rollback(ASKING, **at("moved")))
    view = await p.api.show(ASKING, **at("moved"))
    assert [(r.number, r.version, r.state) for r in view.releases] == [
        (2, "2026.1", "warm"),
        (1, "1", "active"),
    ]
    assert (view.summary.state, view.summary.release, view.summary.instances) == (
        "serving",
        1,
        "1/1",
    )
    assert {(one.release, one.state) for one in view.instances} == {(1, "healthy"), (2, "healthy")}


async def test_a_plan_changes_nothing_and_shows_every_field(p: Reached) -> None:
    text = descriptor("planned", more="resources: {notes: {type: volume}}\nscale: 2")

    view = await p.api.plan(ASKING, source=source(text, p.source), environment="dev")

    assert (view.service, view.environment, view.refused, view.confirm) == (
        "planned",
        "dev",
        [],
        [],
    )
    assert {change.action for change in view.changes} == {"add"}
    assert any("notes" in change.path for change in view.changes)
    with pytest.raises(ServiceNotFound):
        await p.api.show(ASKING, **at("planned"))
    assert not list(p.folder.glob("h/volumes/*/planned"))


async def test_data_is_deleted_only_when_its_name_is_typed(p: Reached) -> None:
    with_data = "resources: {notes: {type: volume}}"
    await deploy(p.api, descriptor("careful", more=with_data), p.source)
    (p.folder / "h/volumes/dev/careful/notes/page").write_text("precious")

    with pytest.raises(PlanRefused, match=r"delete the data of notes.*--delete-data notes"):
        await deploy(p.api, descriptor("careful"), p.source)
    assert (p.folder / "h/volumes/dev/careful/notes/page").read_text() == "precious"
    await deploy(p.api, descriptor("careful"), p.source, confirm=["notes"])

    assert not (p.folder / "h/volumes/dev/careful/notes").exists()


async def test_a_destroyed_service_leaves_its_data_and_its_history(p: Reached) -> None:
    await deploy(p.api, descriptor("gone", more="resources: {notes: {type: volume}}"), p.source)

    with pytest.raises(Invalid, match=r"gone\.dev has no resource photos; it has: notes"):
        await all_of(p.api.destroy(ASKING, **at("gone"), confirm=["photos"]))
    told = await all_of(p.api.destroy(ASKING, **at("gone")))

    assert told[-1].text == "gone.dev is gone; data is kept of: notes"
    assert (await ask(p.port, "gone.dev.localhost")).startswith("404")
    assert (await p.api.show(ASKING, **at("gone"))).summary.state == "not deployed"
    with pytest.raises(NoInstance):
        await all_of(p.api.execute(ASKING, **at("gone"), command=["true"]))
    with pytest.raises(NothingToRollBackTo):
        await all_of(p.api.rollback(ASKING, **at("gone")))

    await all_of(p.api.destroy(ASKING, **at("gone"), confirm=["notes"]))
    with pytest.raises(ServiceNotFound):
        await p.api.show(ASKING, **at("gone"))
    page = await p.api.history(ASKING, **at("gone"))
    assert page.items[0].event == "destroyed"
    await deploy(p.api, descriptor("gone"), p.source)
    assert "gone" in [s.service for s in (await p.api.services(ASKING)).items]


async def test_what_is_not_there_is_not_found(p: Reached) -> None:
    calls = [
        p.api.show(ASKING, **at("nobody")),
        p.api.abort(ASKING, **at("nobody")),
        p.api.history(ASKING, **at("nobody")),
        all_of(p.api.rollback(ASKING, **at("nobody"))),
        all_of(p.api.destroy(ASKING, **at("nobody"))),
        all_of(p.api.logs(ASKING, **at("nobody"))),
        all_of(p.api.execute(ASKING, **at("nobody"), command=["true"])),
    ]
    for call in calls:
        with pytest.raises(ServiceNotFound, match="nobody"):
            await call


@pytest.mark.parametrize("name", ["..", "a/b", "%2e%2e", "A", "", "x" * 80, "a\nb"])
async def test_no_name_leads_out_of_the_home(p: Reached, name: str) -> None:
    with pytest.raises(PlatformError) as refused:
        await p.api.history(ASKING, environment=name, service=name)

    assert refused.value.status in {404, 405, 422}


async def test_every_mistake_of_a_descriptor_is_told(p: Reached) -> None:
    text = "schema: 1\nservice: Bad\nprocess: {}\n"

    with pytest.raises(DescriptorRefused) as refused:
        await deploy(p.api, text, p.source)

    assert refused.value.message.count("service.yaml:") >= 3
    with pytest.raises(DescriptorRefused, match="absolute path"):
        await all_of(
            p.api.deploy(ASKING, source=Source(descriptor(), "f", "relative"), environment="dev")
        )
    with pytest.raises(Invalid):
        await all_of(
            p.api.deploy(ASKING, source=source(descriptor(), p.source), environment="../..")
        )


async def test_what_a_build_cannot_take_or_make_is_told(p: Reached) -> None:
    text = descriptor("unbuilt")
    (p.source / "out").symlink_to("/etc")
    with pytest.raises(ArtefactRefused, match="outside the service's folder"):
        await deploy(p.api, text, p.source)
    (p.folder / "source/out").unlink()

    failing = text.replace("]}\nhealth", "], setup: [sh, -c, 'echo no compiler; exit 1']}\nhealth")
    with pytest.raises(BuildFailed, match="no compiler"):
        await deploy(p.api, failing, p.source)


async def test_a_release_that_does_not_come_up_says_what_changed(p: Reached) -> None:
    await deploy(p.api, descriptor("broken"), p.source)

    broken = descriptor("broken", more="env: {COLOUR: red}", status="500 No")
    with pytest.raises(DeployFailed) as failed:
        await deploy(p.api, broken.replace("grace: 15s", "grace: 1s"), p.source)

    assert "status 500" in failed.value.message
    assert "+env: {COLOUR: red}" in failed.value.message
    assert failed.value.message.endswith("release 1 (version 1) serves as before")


async def test_one_operation_runs_at_a_time_and_goes_on_when_its_caller_leaves(p: Reached) -> None:
    folder = folder_of(p.folder / "slow", {"server.py": IDLE})
    text = descriptor("slow", more="scale: 1").replace("grace: 15s", "grace: 60s")
    told = p.api.deploy(ASKING, source=source(text, folder), environment="dev")
    async for progress in told:
        if progress.step == "health":
            break
    await told.aclose()  # type: ignore[attr-defined]

    with pytest.raises(
        DeployInProgress, match=r"a deploy of release 1 of slow.dev.*drystone abort slow"
    ):
        await deploy(p.api, text, folder, wait=False)
    assert (await p.api.show(ASKING, **at("slow"))).summary.state == "deploying"
    waiting = asyncio.create_task(deploy(p.api, descriptor("slow"), p.source))
    await asyncio.sleep(0.1)
    said = await p.api.abort(ASKING, **at("slow"))

    assert said == "nothing serves; there was no release before"
    told_next = await waiting
    assert [progress.step for progress in told_next][:2] == ["wait", "wait"]
    assert told_next[-1].release == 2
    page = await p.api.history(ASKING, **at("slow"))
    assert [e.event for e in page.items] == [
        *("deploy done", "deploy began", "deploy aborted", "deploy began")
    ]
    with pytest.raises(NothingToAbort):
        await p.api.abort(ASKING, **at("slow"))


async def test_an_aborted_deploy_ends_with_its_reason(p: Reached) -> None:
    await deploy(p.api, descriptor("stopped"), p.source)
    folder = folder_of(p.folder / "idle", {"server.py": IDLE})
    deploying = asyncio.create_task(deploy(p.api, descriptor("stopped"), folder))
    await shown(p, "stopped", lambda view: view.operation, "an operation")

    await p.api.abort(ASKING, **at("stopped"))

    with pytest.raises(DeployAborted, match=r"release 1 .* serves as before"):
        await deploying


async def test_pages_of_services_follow_each_other_without_gaps(p: Reached) -> None:
    for name in ("page-a", "page-b", "page-c"):
        await deploy(p.api, descriptor(name), p.source)
    found, cursor = [], None
    while True:
        page = await p.api.services(ASKING, environment="dev", cursor=cursor, limit=2)
        assert len(page.items) <= 2
        found += [summary.service for summary in page.items]
        if (cursor := page.next) is None:
            break

    assert found == sorted(set(found))
    assert {"page-a", "page-b", "page-c"} <= set(found)
    assert (await p.api.services(ASKING, environment="nowhere")).items == []
    with pytest.raises(Invalid):
        await p.api.services(ASKING, cursor="made up")


async def test_pages_of_a_history_stay_in_place_while_it_grows(p: Reached) -> None:
    for _ in range(2):
        await deploy(p.api, descriptor("aged"), p.source)
    first = await p.api.history(ASKING, **at("aged"), limit=3)
    await deploy(p.api, descriptor("aged"), p.source)
    second = await p.api.history(ASKING, **at("aged"), limit=3, cursor=first.next)

    assert [(e.event, e.release) for e in [*first.items, *second.items]] == [
        ("deploy done", 2),
        ("deploy began", 2),
        ("deploy done", 1),
        ("deploy began", 1),
    ]
    assert second.next is None
    assert (first.items[0].version, first.items[0].seconds is None) == ("2", False)


async def test_logs_are_told_line_by_line_and_followed_into_the_next_release(p: Reached) -> None:
    await deploy(p.api, descriptor("wordy", more="env: {GREETING: one}"), p.source)

    past = await all_of(p.api.logs(ASKING, **at("wordy")))
    following = p.api.logs(ASKING, **at("wordy"), follow=True)
    assert await anext(following) == past[0] == LogRecord("wordy-dev-r1-web-0", 1, "serving one")
    await deploy(p.api, descriptor("wordy", more="env: {GREETING: two}"), p.source)
    async with asyncio.timeout(10):
        assert await anext(following) == LogRecord("wordy-dev-r2-web-0", 2, "serving two")
    await following.aclose()  # type: ignore[attr-defined]

    assert await all_of(p.api.logs(ASKING, **at("wordy"), release=1)) == past
    assert await all_of(p.api.logs(ASKING, **at("wordy"), group="digest")) == []
    assert await all_of(p.api.logs(ASKING, **at("wordy"), lines=0)) == []
    with pytest.raises(ReleaseNotFound):
        await all_of(p.api.logs(ASKING, **at("wordy"), release=9))


async def test_a_command_runs_with_the_settings_of_the_release(p: Reached) -> None:
    more = "resources: {notes: {type: volume}}\nenv: {GREETING: hi}"
    await deploy(p.api, descriptor("toolbox", more=more), p.source)
    script = 'echo "$GREETING $DRYSTONE_RELEASE"; ls; test -d "$NOTES_PATH"; echo ü >&2; exit 3'

    told = await all_of(p.api.execute(ASKING, **at("toolbox"), command=["sh", "-c", script]))

    assert told[-1] == ExecOutput(exit_code=3)
    text = "".join(output.text for output in told)
    assert text.startswith("hi 1\n")
    assert "server.py" in text
    assert text.endswith("ü\n")
    assert [path.name for path in (p.folder / "h/instances").glob("toolbox*once*")] == []


async def test_a_dead_instance_shows_until_it_is_back(p: Reached) -> None:
    await deploy(p.api, descriptor("phoenix"), p.source)
    (before,) = (await p.api.show(ASKING, **at("phoenix"))).instances
    assert before.pid is not None

    os.kill(before.pid, signal.SIGKILL)
    view = await shown(
        p,
        "phoenix",
        lambda v: v.instances[0].restarts and v.instances[0].state == "healthy",
        "a healthy successor",
    )
    (after,) = view.instances

    assert after.pid != before.pid
    assert after.last_exit == "was ended by SIGKILL (exit code 137)"
    assert (await ask(p.port, "phoenix.dev.localhost")).startswith(f"200 hello from {after.pid}")


async def test_the_status_names_the_engines_and_the_services(p: Reached) -> None:
    await deploy(p.api, descriptor("listed"), p.source)

    status = await p.api.status(ASKING)

    assert (status.ready, status.runtime, status.problems) == (True, "processes", [])
    assert status.url == f"http://localhost:{p.port}/"
    proxy = next(engine for engine in status.engines if engine.name == "proxy")
    assert proxy.state == "ready"
    assert "listed" in [summary.service for summary in status.services]
    steps = await all_of(p.api.startup(ASKING))
    assert [s.state for s in steps if s.name == "proxy"][-1] == "ready"
    assert not any(step.state == "failed" for step in steps)


async def test_a_database_is_there_for_its_service(p: Reached) -> None:
    more = "resources: {db: {type: postgres}}"
    told = await deploy(p.api, descriptor("stored", more=more), p.source)
    assert told[-1].step == "done"

    (resource,) = (await p.api.show(ASKING, **at("stored"))).resources
    told = await all_of(
        p.api.execute(ASKING, **at("stored"), command=["sh", "-c", "echo ${DB_URL%%:*}"])
    )

    assert (resource.name, resource.type, resource.engine) == ("db", "postgres", "postgres")
    assert told[0].text == "postgresql\n"
    password = (p.folder / "h/secrets/dev/stored/db/password").read_text()
    shown = msgspec.json.encode(await p.api.show(ASKING, **at("stored"))).decode()
    history = msgspec.json.encode(await p.api.history(ASKING, **at("stored"))).decode()
    assert password not in shown + history
    assert (p.folder / "h/secrets/dev/stored/db/password").stat().st_mode & 0o077 == 0
    await all_of(p.api.destroy(ASKING, **at("stored"), confirm=["db"]))
