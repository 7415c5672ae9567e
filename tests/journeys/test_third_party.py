"""Applications that others wrote run unchanged, with the resources that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest

from journeys.place import EXAMPLES, Place, eventually

if TYPE_CHECKING:
    import httpx2

APPLICATIONS = EXAMPLES / "third-party"


async def deployed(platform: Place, name: str, version: str = "1") -> None:
    descriptor = APPLICATIONS / name / "service.yaml"
    said = await platform.deploy(descriptor, "--version", version)
    assert said.code == 0, said.err


async def variables(platform: Place, service: str) -> dict[str, str]:
    """Return the environment that a command of the service gets."""
    said = await platform.drystone.must("exec", service, "--env", "dev", "--", "env")
    return dict(line.partition("=")[::2] for line in said.out.splitlines())


async def test_httpbin_answers_under_gunicorn(platform: Place) -> None:
    await deployed(platform, "httpbin")
    answer = await platform.get("httpbin", "/get?x=1")
    assert answer.json()["args"] == {"x": "1"}


@pytest.mark.slow
async def test_kinto_keeps_its_records_across_a_deploy(platform: Place) -> None:
    await deployed(platform, "kinto")
    records = "/v1/buckets/default/collections/notes/records"
    alice = ("alice", "correct horse")

    async def ask(method: str, path: str, **more: Any) -> httpx2.Response:
        answer = await platform.get("kinto", path, method=method, **more)
        assert answer.status_code < 300, answer.text
        return answer

    await ask("PUT", "/v1/accounts/alice", json={"data": {"password": alice[1]}})
    await ask("POST", records, json={"data": {"title": "dry stone"}}, auth=alice)
    await deployed(platform, "kinto", "2")
    found = (await ask("GET", records, auth=alice)).json()["data"]
    assert [record["title"] for record in found] == ["dry stone"]


@pytest.mark.slow
async def test_a_file_written_in_jupyter_is_an_object_in_its_bucket(platform: Place) -> None:
    await deployed(platform, "jupyter")
    bucket = await variables(platform, "jupyter")
    token = {"authorization": f"token {bucket['FILES_SECRET_KEY']}"}
    body = {"type": "file", "format": "text", "content": "hello, wall"}
    path = f"/api/contents/{quote('hello.txt')}"
    refused = await platform.get("jupyter", path, method="PUT", json=body)
    assert refused.status_code == 403
    written = await platform.get("jupyter", path, method="PUT", json=body, headers=token)
    assert written.status_code == 201, written.text
    client = boto3.client(
        "s3",
        endpoint_url=bucket["FILES_ENDPOINT"],
        aws_access_key_id=bucket["FILES_ACCESS_KEY"],
        aws_secret_access_key=bucket["FILES_SECRET_KEY"],
        region_name=bucket["FILES_REGION"],
    )
    try:
        found = client.get_object(Bucket=bucket["FILES_NAME"], Key="hello.txt")["Body"].read()
    finally:
        client.close()
    assert found == b"hello, wall"


async def test_a_job_in_a_queue_is_done_and_the_dashboard_shows_it(platform: Place) -> None:
    await deployed(platform, "rq-dashboard")
    assert "RQ" in (await platform.get("rq-dashboard", "/")).text
    program = (
        "import os, redis, rq; "
        "queue = rq.Queue(connection=redis.Redis.from_url(os.environ['RQ_REDIS_URL'])); "
        "print(queue.enqueue('os.getcwd').id)"
    )
    command = ("exec", "rq-dashboard", "--env", "dev", "--", "python", "-c", program)
    job = (await platform.drystone.must(*command)).out.strip()

    async def done() -> bool:
        answer = await platform.get("rq-dashboard", f"/0/data/job/{job}.json")
        return answer.status_code == 200 and answer.json()["status"] == "finished"

    await eventually(done)
