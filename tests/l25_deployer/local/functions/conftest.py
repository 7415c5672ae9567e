"""One platform with a service of functions, for all tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest_asyncio

from drystone.l00_kernel.home import Home
from drystone.l10_engines.aws.access import AccountAccess
from drystone.l90_assembly.standalone import Standalone
from drystone.testing.conformance.aws import client
from l25_deployer.small_platform import (
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
)

MORE = """
stop: {drain: 0s, grace: 1s}
env: {TOLD: to-the-function}
resources:
  greet: {type: function, runtime: python, handler: app.greet, timeout: 5s, memory: 128Mi, concurrency: 2, protect: false}
  wild: {type: function, runtime: python, handler: lib.wild.run, artifact: code, timeout: 1s, memory: 64Mi, concurrency: 1, protect: false}
  lost: {type: function, runtime: python, handler: app.nothing, protect: false}
  eat: {type: function, runtime: python, handler: app.eat, timeout: 1s, on: {jobs: {queue: jobs, batch: 3}}, protect: false}
  follow: {type: function, runtime: python, handler: app.follow, timeout: 5s, on: {clicks: {stream: clicks, batch: 2}}, protect: false}
  tick: {type: function, runtime: python, handler: app.tick, timeout: 5s, on: {often: {every: 1s}}, protect: false}
  clicks: {type: stream, shards: 2, protect: false}
  jobs: {type: queue, visibility: 2s, attempts: 2, protect: false}
"""

APP = """
import json, os, pathlib, time
def greet(event, context):
    print("greeting", event)
    return {"hello": event, "told": os.environ["TOLD"], "queue": os.environ["JOBS_NAME"], "pid": os.getpid(),
            "release": os.environ["DRYSTONE_RELEASE"], "id": context.aws_request_id, "left": context.get_remaining_time_in_millis()}
def note(event, context):
    return event
def tick(event, context):
    with open(os.environ["EATEN"] + "-ticks", "a") as file:
        file.write(event["time"] + "\\n")
def follow(event, context):
    import base64
    told = pathlib.Path(os.environ["EATEN"] + "-clicks")
    for record in event["Records"]:
        text = base64.b64decode(record["kinesis"]["data"]).decode()
        with told.open("a") as file:
            file.write(record["eventID"].partition(":")[0] + " " + text + "\\n")
        if text == "twice" and told.read_text().count(text) == 1:
            return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
        if text == "thrice" and told.read_text().count(text) < 3:
            raise ValueError(text)
def eat(event, context):
    bad = []
    with open(os.environ["EATEN"], "a") as file:
        for record in event["Records"]:
            body = record["body"]
            if body.startswith("bad"):
                bad.append({"itemIdentifier": record["messageId"]})
            file.write(body + "\\\\n")
    return {"batchItemFailures": bad}
"""
WILD = """
import os, signal, sys, time
def run(event, context):
    match event["do"]:
        case "raise": raise ValueError("as asked")
        case "sleep": time.sleep(60)
        case "exit": os._exit(7)
        case "kill": os.kill(os.getpid(), signal.SIGKILL)
        case "huge": return "x" * (7 * 1024 * 1024)
        case "print": print("z" * 10000, end="!")
        case "object": return object()
        case "pid": return os.getpid()
"""


class Works:
    """A platform and the account of its service."""

    def __init__(
        self,
        whole: Standalone,
        folder: Path,
        access: AccountAccess,
        values: dict[tuple[str, str, str], str],
    ) -> None:
        self.values = values
        self.whole = whole
        self.folder = folder
        self.access = access
        self.eaten = folder / "eaten"

    def eaten_lines(self) -> list[str]:
        return self.eaten.read_text().splitlines() if self.eaten.exists() else []

    def beside(self, name: str) -> list[str]:
        path = self.eaten.with_name(f"eaten-{name}")
        return path.read_text().splitlines() if path.exists() else []

    @property
    def streams(self) -> Any:
        return client(self.access, "kinesis")

    def url(self, function: str) -> str:
        return self.values["resources", function, "url"]

    @property
    def functions(self) -> Any:
        return client(self.access, "lambda")

    @property
    def queues(self) -> Any:
        return client(self.access, "sqs")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def works() -> AsyncIterator[Works]:
    with short_folder() as folder:
        home = Home(folder / "h")
        async with embedded(folder / "h", settings(home)) as whole:
            eaten = folder / "eaten"
            source = folder_of(
                folder / "source",
                {"app.py": APP.replace("\\\\n", "\\n"), "code/lib/wild.py": WILD},
            )
            text = descriptor(
                "funny", more=MORE.replace("env: {", f"env: {{EATEN: {eaten}, ")
            ).replace("stop: {drain: 1s, grace: 2s}\n", "")
            await deploy(whole.deployer, text, source)
            kept = whole.services.existing("dev", "funny")
            values = kept._values
            access = AccountAccess(
                endpoint=values["resources", "greet", "endpoint"],
                account="",
                access_key=values["resources", "greet", "access_key"],
                secret_key=values["resources", "greet", "secret_key"],
            )
            yield Works(whole, folder, access, values)
            _ = [s async for s in whole.platform.stop()]


async def http(
    method: str, url: str, body: bytes = b"", kind: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Send a request without a client of AWS."""

    def send() -> tuple[int, dict[str, str], bytes]:
        at = urlsplit(url)
        connection = HTTPConnection(at.netloc, timeout=20)
        try:
            connection.request(
                method, url.partition(at.netloc)[2], body, {"content-type": kind} if kind else {}
            )
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(send)
