"""An application whose own boto3 code knows nothing of the platform works on what its descriptor asks for."""

from __future__ import annotations

import json
import sqlite3
import sys
from typing import Any

from drystone.l00_kernel.home import Home
from drystone.l25_deployer.api import DeployerApi, Progress
from l25_deployer.small_platform import (
    ASKING,
    ask,
    embedded,
    folder_of,
    settings,
    short_folder,
    source,
)

APPLICATION = """
import http.server, json, os, sys
import boto3

sqs, table, sns = boto3.resource("sqs"), boto3.resource("dynamodb").Table("carts"), boto3.client("sns")
kinesis, kms = boto3.client("kinesis"), boto3.client("kms")

def do(what):
    if what == "/":
        return "well"
    if what == "/add":
        table.put_item(Item={"id": "1", "of": os.environ["DRYSTONE_ENVIRONMENT"]})
        sns.publish(TopicArn=os.environ["NEWS_ARN"], Message="added")
        kinesis.put_record(StreamName="log", Data=b"added", PartitionKey="1")
        return "added"
    queue = sqs.get_queue_by_name(QueueName="jobs")
    assert queue.url.split("/")[-2:] == os.environ["JOBS_URL"].split("/")[-2:]
    told = [json.loads(one.body)["Message"] for one in queue.receive_messages(WaitTimeSeconds=1)]
    shard = kinesis.list_shards(StreamName="log")["Shards"][0]["ShardId"]
    at = kinesis.get_shard_iterator(StreamName="log", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=at["ShardIterator"])["Records"]
    sealed = kms.encrypt(KeyId=os.environ["SEAL_NAME"], Plaintext=b"x")["CiphertextBlob"]
    return {
        "told": told,
        "items": table.scan()["Items"],
        "records": [one["Data"].decode() for one in records],
        "opened": kms.decrypt(CiphertextBlob=sealed)["Plaintext"].decode(),
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "token": len(os.environ["TOKEN_VALUE"]),
    }

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(do(self.path)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

DESCRIPTOR = f"""
schema: 1
service: shop
owner: tests
process: {{command: [{sys.executable}, server.py, "${{port}}"]}}
health: {{path: /, interval: 100ms, timeout: 5s, healthy: 1, unhealthy: 2, grace: 30s}}
stop: {{drain: 1s, grace: 2s}}
resources:
  carts: {{type: keyvalue, key: id}}
  jobs: {{type: queue}}
  news: {{type: topic, to: [jobs]}}
  log: {{type: stream}}
  seal: {{type: encryption-key}}
  token: {{type: secret, generate: hex32}}
"""


async def _deploy(api: DeployerApi, text: str, folder: object, environment: str) -> list[Progress]:
    told = api.deploy(ASKING, source=source(text, folder), environment=environment)  # type: ignore[arg-type]
    return [progress async for progress in told]


async def _get(port: int, environment: str, path: str) -> Any:
    status, _, body = (await ask(port, f"shop.{environment}.localhost", path)).partition(" ")
    assert status == "200", body
    return json.loads(body)


async def test_two_environments_of_one_service_work_by_the_same_names_on_things_of_their_own() -> (
    None
):
    with short_folder() as folder:
        chosen = settings(Home(folder / "h"))
        async with embedded(folder / "h", chosen) as whole:
            files = folder_of(folder / "shop", {"server.py": APPLICATION})
            found = {}
            for environment in ("dev", "test"):
                await _deploy(whole.deployer, DESCRIPTOR, files, environment)
            port = chosen.port
            assert await _get(port, "dev", "/add") == "added"
            for environment in ("dev", "test"):
                found[environment] = await _get(port, environment, "/all")
            before = whole.supervisor["aws"].status().pid
            assert [step async for step in whole.platform.stop()]
            assert whole.supervisor["aws"].status().pid is None
        async with embedded(folder / "h", chosen) as whole:
            assert whole.supervisor["aws"].status().pid not in (None, before)
            again = await _get(port, "dev", "/all")
            assert again["items"] == found["dev"]["items"]
            assert again["account"] == found["dev"]["account"]
            names = ["carts", "jobs", "news", "log", "seal", "token"]
            destroyed = whole.deployer.destroy(
                ASKING, environment="dev", service="shop", confirm=names
            )
            assert [progress async for progress in destroyed]
            assert await _get(port, "test", "/all")
            state = sqlite3.connect(folder / "h/engines/aws/data/state.sqlite")
            assert state.execute("select owner from accounts").fetchall() == [("test.shop",)]
            whose = set(state.execute("select account from parts").fetchall())
            assert whose == {(found["test"]["account"],)}
            state.close()
        assert found["dev"].pop("account") != found["test"].pop("account")
        assert found == {
            "dev": {
                "told": ["added"],
                "items": [{"id": "1", "of": "dev"}],
                "records": ["added"],
                "opened": "x",
                "token": 64,
            },
            "test": {"told": [], "items": [], "records": [], "opened": "x", "token": 64},
        }
