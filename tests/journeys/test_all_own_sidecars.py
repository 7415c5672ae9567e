"""A platform on which every service has a sidecar of its own does all that others do."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from drystone.testing.python_image import PYTHON
from journeys import test_main_journey, test_moving, test_third_party
from journeys.place import Place, eventually, place, small_service
from l10_engines.proxy.upstream import Upstream
from l35_mesh.observed.test_tracing import PARENT, TRACE, Collected, collector
from l35_mesh.signin.stand import Person

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

SETTING = {"DRYSTONE_PROXY_PLACEMENT": "instance"}
TELLING = Path(__file__).parent / "app/telling.py"


@pytest.fixture(scope="module")
def collected() -> Iterator[tuple[Collected, str]]:
    """What is sent for Zipkin, and where to."""
    with collector() as (found, url):
        yield found, url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(collected: tuple[Collected, str]) -> AsyncIterator[Place]:
    async with place({**SETTING, "DRYSTONE_TELEMETRY_ZIPKIN": collected[1]}) as found:
        yield found


def telling_service(folder: Path, name: str, **changes: Any) -> Path:
    """Write a service that tells what it was sent."""
    command = {"command": [PYTHON, "telling.py", "${port}"]}
    path = small_service(folder, name, process=command, **changes)
    shutil.copy(TELLING, folder)
    return path


async def deployed(platform: Place, descriptor: Path) -> None:
    said = await platform.deploy(descriptor)
    assert said.code == 0, said.err
    name = descriptor.parent.name
    assert (await platform.show(name))["sidecar"] == "instance"


async def test_the_main_journey() -> None:
    async with place(SETTING) as found:
        await test_main_journey.test_the_main_journey(found)


@pytest.mark.parametrize(
    "application",
    [
        test_third_party.test_httpbin_answers_under_gunicorn,
        test_third_party.test_kinto_keeps_its_records_across_a_deploy,
        test_third_party.test_a_file_written_in_jupyter_is_an_object_in_its_bucket,
        test_third_party.test_a_job_in_a_queue_is_done_and_the_dashboard_shows_it,
    ],
)
async def test_applications_of_others(platform: Place, application: Any) -> None:
    await application(platform)


async def test_a_move_for_one_caller_who_proves_it(platform: Place, tmp_path: Path) -> None:
    move = test_moving.test_a_service_moves_for_one_caller_who_proves_it_then_for_all_and_comes_back
    await move(platform, tmp_path)


async def test_a_move_by_steps_whose_other_side_dies_at_half(
    platform: Place, tmp_path: Path
) -> None:
    name, run = platform.name(), platform.drystone.must
    await deployed(platform, small_service(tmp_path / name, name))
    there = await Upstream("there").start()
    asked = asyncio.Event()

    async def watched() -> None:
        while not there.seen:  # noqa: ASYNC110 - a test's helper
            await asyncio.sleep(0.05)
        asked.set()

    watching = asyncio.create_task(watched())
    try:
        async with platform.traffic(name) as stopped:
            await run("migrate", "start", name, "--to", f"127.0.0.1:{there.port}")
            for share in ("10%", "30%", "50%"):
                await run("migrate", "share", name, share)
            async with asyncio.timeout(30):
                await asked.wait()
            await there.stop()

            async def is_home() -> bool:
                answers = [await platform.get(name) for _ in range(10)]
                return all("x-version" in answer.headers for answer in answers)

            await eventually(is_home)
            await run("migrate", "back", name)
            await run("migrate", "finish", name)
            report = await stopped()
    finally:
        watching.cancel()
    assert report.failures() == {}, report.text()


async def test_a_trace_goes_through_both_sidecars(
    platform: Place, tmp_path: Path, collected: tuple[Collected, str]
) -> None:
    callee, caller = platform.name(), platform.name()
    all_of = {"proxy": {"tracing": "100%"}}
    await deployed(platform, telling_service(tmp_path / callee, callee, **all_of))
    calling = telling_service(
        tmp_path / caller,
        caller,
        **all_of,
        dependencies={callee: "hard"},
        env={"NEXT": f"${{dependencies.{callee}.url}}"},
    )
    await deployed(platform, calling)
    w3c, b3 = TRACE[:-1] + "1", TRACE[:-1] + "2"
    sent = {
        w3c: {"traceparent": f"00-{w3c}-{PARENT}-01"},
        b3: {"x-b3-traceid": b3, "x-b3-spanid": PARENT, "x-b3-sampled": "1"},
    }
    for trace, headers in sent.items():
        seen = (await platform.get(caller, "/via", headers=headers)).json()
        assert seen["x-asap-issuer"] == f"dev/{caller}"
        assert seen["traceparent"].split("-")[1] == trace

    def spans(trace: str) -> list[dict[str, Any]]:
        every = [span for _, body in list(collected[0].bodies) for span in json.loads(body)]
        return [span for span in every if span["traceId"] == trace]

    def chain(trace: str) -> list[tuple[str, str]]:
        """Return whose spans follow each other, and of which kind, from the one that asked on."""
        parent, found = PARENT, []
        below = {span.get("parentId"): span for span in spans(trace)}
        while span := below.pop(parent, None):
            parent = span["id"]
            found.append((span["tags"]["drystone.service"], span["kind"]))
        return found

    whole = [
        ("edge", "SERVER"),
        (f"dev/{caller}", "SERVER"),
        (f"dev/{caller}", "CLIENT"),
        (f"dev/{callee}", "SERVER"),
    ]

    async def is_whole() -> bool:
        # What each proxy has gathered is sent every five seconds.
        return all(chain(trace) == whole for trace in sent)

    try:
        await eventually(is_whole)
    except TimeoutError:
        assert {trace: chain(trace) for trace in sent} == dict.fromkeys(sent, whole)


async def test_people_and_builds_sign_in_before_a_sidecar(platform: Place, tmp_path: Path) -> None:
    name, run = platform.name(), platform.drystone.must
    ingress = {"ingress": {"staff": True, "builds": ["ci/nightly"]}}
    await deployed(platform, telling_service(tmp_path / name, name, network=ingress))
    assert (await platform.get(name)).status_code == 401
    password = "a rather long password"
    adding_ada = ("users", "add", "ada", "--password-stdin")
    async with platform.drystone.running(*adding_ada, reads=True) as adding:
        await adding.communicate(password.encode())
        assert adding.returncode == 0

    def browse() -> dict[str, Any]:
        with Person(platform.port) as person:
            page = person.sign_in(platform.url(name), "ada", password)
            assert page.status_code == 200, page.text
            told: dict[str, Any] = page.json()
            return told

    told = await asyncio.to_thread(browse)
    assert told["x-drystone-user"] == "ada"
    proof = (await run("tokens", "issue", "--build", "ci/nightly", "--days", "30")).out.strip()
    async with httpx2.AsyncClient(timeout=30) as client:
        answer = await client.post(
            f"http://localhost:{platform.port}/signin/v1/tokens",
            json={"proof": proof, "audience": f"dev/{name}"},
        )
    bearer = {"authorization": f"Bearer {answer.json()['token']}"}
    assert (await platform.get(name, headers=bearer)).json()["x-drystone-build"] == "ci/nightly"
    wrong = {"authorization": f"Bearer {answer.json()['token'][:-3]}abc"}
    assert (await platform.get(name, headers=wrong)).status_code == 401


@pytest.mark.parametrize("counted", ["local", "shared", "exact"])
async def test_a_limit_holds_people_and_services_together(
    platform: Place, tmp_path: Path, counted: str
) -> None:
    name, caller = platform.name(), platform.name()
    limits = {
        "all": {
            "rate": "6/h",
            "burst": 6,
            "match": "GET /held",
            "per": "service",
            "counted": counted,
        }
    }
    await deployed(platform, small_service(tmp_path / name, name, limits=limits))
    calling = small_service(tmp_path / caller, caller, dependencies={name: "hard"})
    await deployed(platform, calling)
    statuses = [(await platform.get(name, "/held")).status_code for _ in range(4)]
    words = ("curl", "--as", caller, f"{name}/held", "--", "-s", "-o", "/dev/null")
    for _ in range(4):
        said = await platform.drystone.must(*words, "-w", "%{http_code}")
        statuses.append(int(said.out))
    assert statuses == [200] * 6 + [429] * 2
    told = (await platform.drystone.ask("limits", name))["limits"]
    assert [(one["limit"], one["admitted"], one["over"]) for one in told] == [("all", 6, 2)]
