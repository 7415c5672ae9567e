from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import serve
from drystone.l00_kernel.contract.idempotency import Answer, KeptAnswer, MemoryAnswers, Once
from drystone.l00_kernel.contract.inprocess import InProcess
from l00_kernel.contract.sample import Secrets
from l00_kernel.contract.test_server import by_token

TARGET = "/v1/secrets/a/versions"


class Place:
    """A server in this process and a plain HTTP client for it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.secrets = Secrets()
        app = serve(self.secrets, authenticate=by_token, clock=self.clock)
        self.http = httpx2.AsyncClient(transport=InProcess(app), base_url="http://test")

    async def post(
        self, key: str, body: dict[str, Any], *, target: str = TARGET, caller: str = "ada"
    ) -> httpx2.Response:
        headers = {"authorization": f"Bearer {caller}", "idempotency-key": key}
        return await self.http.post(target, json=body, headers=headers)


@pytest.fixture
def place() -> Place:
    return Place()


async def test_a_repeated_post_happens_once_and_gets_the_same_answer(place: Place) -> None:
    first = await place.post("k", {"value": "x"})
    again = await place.post("k", {"value": "x"})
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(place.secrets.versions["a"]) == 1


async def test_a_definite_error_is_repeated_too(place: Place) -> None:
    refused = await place.post("k", {"value": "x", "expect": 7})
    assert refused.status_code == 409
    place.secrets.versions["a"] = [None] * 7  # type: ignore[list-item]
    assert (await place.post("k", {"value": "x", "expect": 7})).json() == refused.json()
    assert (await place.post("l", {"value": "x", "expect": 7})).status_code == 200


async def test_an_error_that_invites_to_try_again_is_not_kept(place: Place) -> None:
    first = await place.post("k", {}, target="/v1/broken")
    again = await place.post("k", {}, target="/v1/broken")
    assert first.status_code == again.status_code == 500
    assert first.json()["request_id"] != again.json()["request_id"]


@pytest.mark.parametrize(
    ("body", "target"), [({"value": "y"}, TARGET), ({"value": "x"}, "/v1/secrets/b/versions")]
)
async def test_a_key_of_another_request_is_refused(
    place: Place, body: dict[str, Any], target: str
) -> None:
    await place.post("k", {"value": "x"})
    refused = await place.post("k", body, target=target)
    assert refused.status_code == 422
    assert refused.json()["type"] == "contract.KeyReused"
    assert "b" not in place.secrets.versions


async def test_callers_do_not_see_each_others_keys(place: Place) -> None:
    await place.post("k", {"value": "x"})
    other = await place.post("k", {"value": "y"}, caller="bob")
    assert other.json()["value"] == "y"


async def test_a_key_is_forgotten_after_a_day(place: Place) -> None:
    await place.post("k", {"value": "x"})
    await place.clock.advance(timedelta(hours=24))
    assert (await place.post("k", {"value": "x"})).json()["version"] == 2


@pytest.mark.parametrize("key", [b"", b"a b", b"x" * 256, b"\xc3\xbc"])
async def test_a_key_that_is_none_is_refused(place: Place, key: bytes) -> None:
    headers = {b"authorization": b"Bearer ada", b"idempotency-key": key}
    response = await place.http.post(TARGET, json={"value": "x"}, headers=headers)
    assert response.status_code == 422
    assert "Idempotency-Key" in response.json()["detail"]


async def test_a_stream_with_the_key_of_an_open_stream_is_refused(place: Place) -> None:
    target = "/v1/secrets/a/rotations"
    headers = {"authorization": "Bearer ada", "idempotency-key": "k"}
    # More items than a server is ahead of its client, so that the first stream cannot be over.
    request = {"json": {"times": 1000}, "headers": headers}
    async with place.http.stream("POST", target, **request) as first:  # type: ignore[arg-type]
        assert first.status_code == 200
        second = await place.http.post(target, **request)  # type: ignore[arg-type]
        assert second.json()["type"] == "contract.CallRunning"
    assert len(place.secrets.versions["a"]) < 1000
    third = await place.post("k", {"times": 1}, target=target)
    assert third.status_code == 200


def answer(text: str = "", status: int = 200) -> Answer:
    return Answer(status, "text/plain", text.encode())


async def test_a_second_request_waits_for_the_first_and_gets_its_answer() -> None:
    once, release, runs = Once(MemoryAnswers()), asyncio.Event(), 0

    async def run() -> Answer:
        nonlocal runs
        runs += 1
        await release.wait()
        return answer("done")

    asked = [asyncio.create_task(once.answer(("c", "m", "k"), b"1", run)) for _ in range(3)]
    await asyncio.sleep(0)
    release.set()
    answers = await asyncio.gather(*asked)
    assert sorted(replayed for _, replayed in answers) == [False, True, True]
    assert {given.body for given, _ in answers} == {b"done"}
    assert runs == 1


async def test_when_the_first_is_cancelled_the_second_runs() -> None:
    once, started = Once(MemoryAnswers()), asyncio.Event()

    async def never() -> Answer:
        started.set()
        await asyncio.Event().wait()
        return answer()

    async def at_once() -> Answer:
        return answer("second")

    first = asyncio.create_task(once.answer(("c", "m", "k"), b"1", never))
    await started.wait()
    second = asyncio.create_task(once.answer(("c", "m", "k"), b"1", at_once))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == (answer("second"), False)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_kept_answers_are_bounded_in_number_and_size_the_oldest_go_first() -> None:
    few = MemoryAnswers(limit=2)
    small = MemoryAnswers(limit_bytes=10)
    for number in range(3):
        for kept in (few, small):
            await kept.keep(("c", "m", str(number)), KeptAnswer(b"", answer("x" * 5)))
    for kept in (few, small):
        found = [await kept.find(("c", "m", str(number))) is not None for number in range(3)]
        assert found == [False, True, True]
    await small.keep(("c", "m", "2"), KeptAnswer(b"", answer("x" * 5)))
    assert await small.find(("c", "m", "1"))
    await small.keep(("c", "m", "huge"), KeptAnswer(b"", answer("x" * 11)))
    assert await small.find(("c", "m", "huge")) is None
