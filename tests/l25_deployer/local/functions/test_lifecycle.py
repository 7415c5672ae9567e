"""Functions while releases come and go, and when the agent is killed."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.aws.access import AccountAccess
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.errors import DeployFailed
from drystone.l90_assembly.standalone import Standalone
from drystone.testing.conformance.aws import asked, client, refusal
from l25_deployer.agents import agent_at, client_of, end_agent
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

AT = {"environment": "dev", "service": "greeter"}
MORE = """
env: {{PLACE: {place}, EDITION: "{edition}"}}
resources:
  say: {{type: function, runtime: python, handler: {handler}, timeout: 10s, memory: 64Mi, protect: false, on: {{jobs: {{queue: jobs, batch: 1}}, log: {{stream: log, batch: 1}}}}}}
  jobs: {{type: queue, visibility: 10s, protect: false}}
  log: {{type: stream, protect: false}}
deploy: {{keep_warm: 0s}}
"""
CODE = """
import base64, os, pathlib, subprocess, time
place = pathlib.Path(os.environ["PLACE"])
def say(event, context):
    if event == "wait":
        place.with_name("waits").touch()
        while not place.with_name("go").exists():
            time.sleep(0.02)
    if event == "eat":
        return len(b"x" * 512 * 1024 * 1024)
    if event == "fork":
        begun = []
        try:
            for _ in range(2000):
                begun.append(subprocess.Popen(["sleep", "60"]))
        except OSError:
            return len(begun)
    if event == "look":
        home = pathlib.Path(os.environ["SECRETS"]).parent
        return sorted(one.name for one in home.iterdir())
    for record in event["Records"] if isinstance(event, dict) else ():
        text = record.get("body") or base64.b64decode(record["kinesis"]["data"]).decode()
        with place.open("a") as file:
            file.write(text + "\\n")
        while text == "slow" and not place.with_name("go").exists():
            time.sleep(0.02)
    return os.environ["EDITION"] + os.environ["DRYSTONE_RELEASE"]
"""


def text(folder: Path, edition: str, handler: str = "code.say", more: str = "") -> str:
    made = MORE.format(place=folder / "told", edition=edition, handler=handler)
    return descriptor(more=made.replace("env: {", f"env: {{SECRETS: {folder}/h/secrets, ") + more)


def access_of(whole: Standalone) -> AccountAccess:
    values = whole.services.existing("dev", "greeter")._values
    found = {k: values["resources", "say", k] for k in ("endpoint", "access_key", "secret_key")}
    return AccountAccess(**found, account="")


async def call(access: AccountAccess, event: object) -> Any:
    made = await asked(
        client(access, "lambda").invoke, FunctionName="say", Payload=json.dumps(event).encode()
    )
    return json.loads(await asyncio.to_thread(made["Payload"].read))


async def test_a_release_brings_its_code_and_what_runs_finishes_in_the_one_before() -> None:
    with short_folder() as folder:
        home = Home(folder / "h")
        source = folder_of(folder / "s", {"code.py": CODE})
        async with embedded(folder / "h", settings(home)) as whole:
            await deploy(whole.deployer, text(folder, "first"), source)
            access = access_of(whole)
            assert await call(access, "hi") == "first1"
            waiting = asyncio.create_task(call(access, "wait"))
            await until((folder / "waits").exists, "the call that waits")
            await deploy(whole.deployer, text(folder, "second"), source)
            assert await call(access, "hi") == "second2"
            (folder / "go").touch()
            assert await waiting == "first1"
            functions = whole.computing.functions
            await until(
                lambda: len(functions.pools("dev", "greeter", "say")) == 1, "the end of the first"
            )
            with pytest.raises(DeployFailed, match=r"handler 'nowhere\.say' is looked for in"):
                await deploy(whole.deployer, text(folder, "third", "nowhere.say"), source)
            assert await call(access, "hi") == "second2"
            _ = [
                s
                async for s in whole.deployer.rollback(ASKING, environment="dev", service="greeter")
            ]
            assert await call(access, "hi") == "first1"
            _ = [
                s
                async for s in whole.deployer.destroy(
                    ASKING,
                    environment="dev",
                    service="greeter",
                    confirm=["say", "jobs", "log"],
                )
            ]
            assert functions.pools("dev", "greeter", "say") == []
            assert not list((folder / "h" / "functions").glob("*/say"))
            invoke = client(access, "lambda").invoke
            code = await refusal(invoke, FunctionName="say")
            assert code in ("UnrecognizedClientException", "ResourceNotFoundException")
            _ = [s async for s in whole.platform.stop()]


@pytest.mark.slow
async def test_what_queues_and_streams_hold_comes_again_after_the_agent_was_killed() -> None:
    with short_folder() as folder:
        home, port, told = folder / "h", free_port(), folder / "told"
        source = folder_of(folder / "s", {"code.py": CODE})
        with agent_at(home, port) as agent:
            async with client_of(home) as api:
                await deploy(api, text(folder, "first"), source)
                access = await access_at(api)
            queue = f"{access.endpoint}/jobs"
            sqs, kinesis = client(access, "sqs"), client(access, "kinesis")
            for body in ("q1", "slow"):
                await asked(sqs.send_message, QueueUrl=queue, MessageBody=body)
            for data in (b"s1", b"s2", b"slow", b"s3"):
                await asked(kinesis.put_record, StreamName="log", PartitionKey="a", Data=data)
            await until(lambda: told.exists() and told.read_text().count("slow") == 2, "both")
            end_agent(agent, signal.SIGKILL)
            code = await refusal(client(access, "lambda").invoke, FunctionName="say")
            assert code == "ServiceUnavailable"
        (folder / "go").touch()
        with agent_at(home, port):
            await until(
                lambda: "s3" in told.read_text() and told.read_text().count("slow") == 4,
                "what was being worked on, again",
                within=40,
            )
            lines = told.read_text().split()
            assert [lines.count(one) for one in ("q1", "s1", "s2", "s3")] == [1, 1, 1, 1]
            assert await call(access, "hi") == "first1"


async def access_at(api: DeployerApi) -> AccountAccess:
    """Ask an agent for the account of the service, as the service itself finds it."""
    command = ["sh", "-c", "echo $AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"]
    pieces = [p.text async for p in api.execute(ASKING, **AT, command=command)]
    endpoint, access_key, secret_key = "".join(pieces).split()
    return AccountAccess(
        endpoint=endpoint, access_key=access_key, secret_key=secret_key, account=""
    )


@pytest.mark.slow
async def test_in_a_sandbox_a_function_sees_nothing_else_and_stays_within_its_bounds() -> None:
    if (reason := await Bubblewrap().available()) is not None:
        pytest.skip(reason)
    with short_folder() as folder:
        home = Home(folder / "h")
        source = folder_of(folder / "s", {"code.py": CODE})
        async with embedded(folder / "h", settings(home, DRYSTONE_RUNTIME="bubblewrap")) as whole:
            await deploy(whole.deployer, text(folder, "first"), source)
            access = access_of(whole)
            assert await call(access, "look") == ["artifacts", "instances", "run", "trust"]
            assert 0 < await call(access, "fork") < 128
            assert await call(access, "hi") == "first1"
            limits = Bubblewrap().isolation()
            if limits.memory:
                made = await call(access, "eat")
                assert made["errorType"] == "Runtime.ExitError"
                assert "64 MB" in made["errorMessage"]
                assert await call(access, "hi") == "first1"
            _ = [s async for s in whole.platform.stop()]
