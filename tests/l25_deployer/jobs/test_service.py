"""Jobs of a real platform, asked for by its API and by the public client of Batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from drystone.l00_kernel.home import Home
from drystone.l10_engines.aws.access import AccountAccess
from drystone.l25_deployer.jobs.api import RunView
from drystone.l25_deployer.jobs.errors import JobNotFound, RunNotFound, RunRefused
from drystone.l90_assembly.standalone import Standalone
from drystone.testing.conformance.aws import asked, client, refusal
from l25_deployer.small_platform import (
    ASKING,
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = {"environment": "dev", "service": "greeter"}
SCRIPT = """
import os, pathlib, sys, time
what, rest = sys.argv[1], sys.argv[2:]
print("running", what, os.environ["GREETING"], os.environ.get("EXTRA", "-"), flush=True)
if what == "exit":
    sys.exit(int(rest[0]))
if what == "second":
    sys.exit(0 if os.environ["AWS_BATCH_JOB_ATTEMPT"] == "2" else 9)
if what == "wait":
    open(rest[0], "a").write(os.environ["DRYSTONE_RELEASE"] + "\\n")
    while not os.path.exists(rest[1]):
        time.sleep(0.02)
    print("done")
"""
MORE = """
env: {GREETING: hi}
resources:
  work: {type: batch-job, command: [python3, -S, work.py], parallel: 2, keep: 4, protect: false}
  again: {type: batch-job, command: [python3, -S, work.py], retries: 2, timeout: 1s, protect: false}
deploy: {keep: 1, keep_warm: 0s}
"""


class Works:
    def __init__(self, whole: Standalone, folder: Path) -> None:
        self.whole = whole
        self.folder = folder
        self.jobs = whole.computing.jobs

    async def run(self, job: str, *arguments: str) -> RunView:
        return await self.jobs.run(ASKING, **AT, job=job, arguments=list(arguments))

    async def end_of(self, run: str) -> tuple[str, RunView]:
        text, last = "", None
        async with asyncio.timeout(20):
            async for piece in self.jobs.output(ASKING, **AT, run=run, follow=True):
                text, last = text + piece.text, piece.run or last
        assert last is not None
        return text, last

    async def state_of(self, run: str) -> str:
        return self.jobs.find("dev", "greeter", run).state


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def works() -> AsyncIterator[Works]:
    with short_folder() as folder:
        home = Home(folder / "h")
        async with embedded(folder / "h", settings(home)) as whole:
            source = folder_of(folder / "source", {"work.py": SCRIPT})
            await deploy(whole.deployer, descriptor(more=MORE), source)
            yield Works(whole, folder)
            _ = [s async for s in whole.platform.stop()]


async def test_a_run_has_what_its_service_has_and_its_end_is_told(works: Works) -> None:
    begun = await works.run("work", "exit", "0")
    text, run = await works.end_of(begun.id)
    assert text == "running exit hi -\n"
    assert (run.state, [one.code for one in run.attempts], run.by) == ("succeeded", [0], "tester")
    _, run = await works.end_of((await works.run("work", "exit", "3")).id)
    assert (run.state, run.reason) == ("failed", "ended with exit code 3")


async def test_a_run_that_fails_is_tried_again_as_often_as_it_may_be(works: Works) -> None:
    _, run = await works.end_of((await works.run("again", "second")).id)
    assert (run.state, [one.code for one in run.attempts]) == ("succeeded", [9, 0])
    _, run = await works.end_of((await works.run("again", "exit", "5")).id)
    assert (run.state, [one.code for one in run.attempts]) == ("failed", [5, 5, 5])


async def test_an_attempt_that_takes_too_long_is_ended(works: Works) -> None:
    begun = await works.run("again", "wait", str(works.folder / "late"), "/nowhere")
    await until(lambda: works.jobs.find("dev", "greeter", begun.id).attempts[:1], "an attempt")
    await works.jobs.stop(ASKING, **AT, run=begun.id, reason="seen enough")
    _, run = await works.end_of(begun.id)
    assert (run.state, run.reason) == ("stopped", "seen enough")
    begun = await works.run("again", "wait", str(works.folder / "later"), "/nowhere")
    _, run = await works.end_of(begun.id)
    assert (run.state, run.reason, len(run.attempts)) == ("failed", "it took longer than 1 s", 3)


async def test_no_more_run_at_once_than_may(works: Works) -> None:
    go = works.folder / "go"
    began = works.folder / "began"
    runs = [await works.run("work", "wait", str(began), str(go)) for _ in range(3)]
    await until(lambda: began.exists() and len(began.read_text().split()) == 2, "two")
    assert [await works.state_of(run.id) for run in runs] == ["running", "running", "waiting"]
    go.touch()
    for run in runs:
        assert (await works.end_of(run.id))[1].state == "succeeded"
    assert len(began.read_text().split()) == 3


async def test_a_run_goes_on_while_releases_come_and_go(works: Works) -> None:
    go, began = works.folder / "go-on", works.folder / "began-on"
    begun = await works.run("work", "wait", str(began), str(go))
    await until(began.exists, "the run")
    first = works.jobs.find("dev", "greeter", begun.id).attempts[0].release
    for number in range(3):
        text = descriptor(more=MORE.replace("GREETING: hi", f"GREETING: hi{number}"))
        await deploy(works.whole.deployer, text, works.folder / "source")
    kept = works.whole.services.existing("dev", "greeter")
    assert first in {one.number for one in kept.releases()}, "its release was forgotten"
    go.touch()
    text, run = await works.end_of(begun.id)
    assert (run.state, text.splitlines()[-1]) == ("succeeded", "done")
    assert began.read_text().split() == [str(first)]
    await deploy(works.whole.deployer, descriptor(more=MORE), works.folder / "source")
    assert first not in {one.number for one in kept.releases()}


async def test_no_more_runs_are_remembered_than_said(works: Works) -> None:
    last = None
    for _ in range(6):
        last = await works.run("work", "exit", "0")
        await works.end_of(last.id)
    found = [r for r in await works.jobs.runs(ASKING, **AT) if r.job == "work"]
    assert len(found) == 4
    assert found[0].id == last.id if last else False
    kept = works.whole.services.existing("dev", "greeter")
    left = list(kept.machine.instances.glob("*work-2*"))
    assert len(left) == 4, "folders of forgotten runs are left"


async def test_what_is_not_there_or_too_long_is_refused(works: Works) -> None:
    with pytest.raises(JobNotFound, match="its jobs: again, work"):
        await works.run("nothing")
    with pytest.raises(RunNotFound, match="has no run 'x'"):
        await works.jobs.stop(ASKING, **AT, run="x")
    with pytest.raises(RunRefused, match="32768 bytes at most"):
        await works.run("work", "x" * 40_000)


async def test_the_public_client_of_batch_runs_a_job(works: Works) -> None:
    kept = works.whole.services.existing("dev", "greeter")
    values = kept._values
    access = AccountAccess(
        **{
            key: values["resources", "work", key]
            for key in ("endpoint", "access_key", "secret_key", "region")
        },
        account="",
    )
    batch: Any = client(access, "batch")
    queue = {
        "jobQueue": values["resources", "work", "queue"],
        "jobDefinition": values["resources", "work", "definition"],
    }
    overrides = {
        "command": ["python3", "-S", "work.py", "exit", "4"],
        "environment": [{"name": "EXTRA", "value": "more"}],
    }
    made = await asked(
        batch.submit_job,
        jobName="mine",
        **queue,
        containerOverrides=overrides,
        retryStrategy={"attempts": 2},
    )
    text, _ = await works.end_of(made["jobId"])
    assert text == "running exit hi more\n" * 2
    [job] = (await asked(batch.describe_jobs, jobs=[made["jobId"]]))["jobs"]
    assert (job["jobName"], job["status"], job["container"]["exitCode"]) == ("mine", "FAILED", 4)
    assert len(job["attempts"]) == 2
    assert job["stoppedAt"] >= job["startedAt"] >= job["createdAt"] > (time.time() - 60) * 1000
    listed = await asked(batch.list_jobs, jobQueue=queue["jobQueue"], jobStatus="FAILED")
    assert made["jobId"] in [one["jobId"] for one in listed["jobSummaryList"]]
    began = works.folder / "by-batch"
    overrides = {"command": ["python3", "-S", "work.py", "wait", str(began), "/nowhere"]}
    made = await asked(batch.submit_job, jobName="mine", **queue, containerOverrides=overrides)
    await until(began.exists, "the run")
    await asked(batch.terminate_job, jobId=made["jobId"], reason="enough")
    _, run = await works.end_of(made["jobId"])
    assert (run.state, run.reason) == ("stopped", "enough")
    for call, data in (
        (batch.submit_job, {"jobName": "a", "jobQueue": "work", "jobDefinition": "again"}),
        (batch.terminate_job, {"jobId": "nothing", "reason": "x"}),
        (batch.describe_compute_environments, {}),
    ):
        assert await refusal(call, **data) == "ClientException"
