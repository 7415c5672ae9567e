"""Operations as callers of the deployer know them: in the process, through its wire form, and as an agent."""

from __future__ import annotations

import asyncio

import pytest

from drystone.l00_kernel.errors import Invalid, PlatformError
from drystone.l25_deployer.api import Source
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
    ServiceNotFound,
)
from l25_deployer.reached import Reached, all_of, at, shown
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
    folder_of,
    source,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDLE = "import time\nprint('idle', flush=True)\ntime.sleep(3600)"


async def test_a_deploy_tells_its_steps_in_order_and_ends_with_the_address(p: Reached) -> None:
    more = "resources: {notes: {type: volume}}\ndeploy: {migrate: [python3, --version], smoke: [GET /]}"

    told = await deploy(p.api, descriptor("steps", more=more), p.source)

    began = [progress.step for progress in told if progress.state == "began"]
    assert began == [
        *("check", "resources", "build", "migrate", "start", "health", "warm-up", "smoke", "switch")
    ]
    steps = [progress for progress in told if progress.state != "info"]
    for before, after in zip(steps[::2], steps[1::2], strict=False):
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
