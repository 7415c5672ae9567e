"""What the server does with requests that no client of ours would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from drystone.l00_kernel.contract import Caller, serve
from drystone.l00_kernel.contract.inprocess import InProcess
from drystone.l00_kernel.contract.streaming import Pace
from drystone.l00_kernel.errors import Unauthenticated
from drystone.l00_kernel.ports import Field, Level, Log
from l00_kernel.contract.sample import Secret, Secrets

LIMIT = 4096
JSON = {"content-type": "application/json"}


class Records(Log):
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.written: list[tuple[Level, str, BaseException | None, dict[str, Field]]] = []

    @override
    def write(
        self, level: Level, event: str, *, error: BaseException | None = None, **fields: Field
    ) -> None:
        self.written.append((level, event, error, fields))


async def by_token(headers: Mapping[str, str]) -> Caller:
    token = headers.get("authorization", "").removeprefix("Bearer ")
    if token not in {"ada", "bob"}:
        raise Unauthenticated("send a token")
    return Caller(token)


class Place:
    """A server in this process and a plain HTTP client for it."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self.log = Records()
        pace = Pace(heartbeat=timedelta(milliseconds=20), patience=timedelta(seconds=5))
        app = serve(self.secrets, authenticate=by_token, log=self.log, body_limit=LIMIT, pace=pace)
        self.http = httpx2.AsyncClient(
            transport=InProcess(app),
            base_url="http://test",
            headers={"authorization": "Bearer ada"},
        )

    async def problem(self, verb: str, target: str, **request: Any) -> dict[str, Any]:
        """Send a request and return the problem that is the answer."""
        response = await self.http.request(verb, target, **request)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["drystone-request-id"]
        problem: dict[str, Any] = response.json()
        assert problem["status"] == response.status_code
        assert problem["title"]
        return problem


@pytest.fixture
def place() -> Place:
    return Place()


CALLS = [
    ("GET", "/v1/secrets/a"),
    ("PUT", "/v1/secrets/a"),
    ("DELETE", "/v1/secrets/a"),
    ("POST", "/v1/secrets/a/versions"),
    ("GET", "/v1/secrets/a/watch"),
    ("POST", "/v1/secrets/a/rotations"),
]


@pytest.mark.parametrize(("verb", "path"), CALLS)
async def test_no_call_is_made_for_a_caller_who_proves_nothing(
    place: Place, verb: str, path: str
) -> None:
    body = {"value": "x", "times": 1, "secret": {"path": "a", "version": 1, "value": "x"}}
    request: dict[str, Any] = {"json": body} if verb in {"PUT", "POST"} else {}
    headers = {"authorization": "Bearer eve"}
    response = await place.http.request(verb, path, headers=headers, **request)
    assert response.status_code == 401
    assert response.json()["type"] == "kernel.Unauthenticated"
    assert response.json()["detail"] == "send a token"
    assert response.headers["www-authenticate"] == "Bearer"
    assert not place.secrets.versions


async def test_the_caller_is_the_one_whom_the_server_found_out(place: Place) -> None:
    response = await place.http.get("/v1/callers/me", headers={"authorization": "Bearer bob"})
    assert response.json() == "bob"
    assert response.headers["cache-control"] == "no-store"


async def test_a_problem_names_the_error_the_thing_and_the_request(place: Place) -> None:
    headers = {"drystone-request-id": "r-1.a_B"}
    assert await place.problem("GET", "/v1/secrets/nope", headers=headers) == {
        "type": "contract.SecretNotFound",
        "title": "No secret lives at that path.",
        "status": 404,
        "detail": "no secret lives at nope",
        "request_id": "r-1.a_B",
        "details": {"path": "nope"},
    }


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ü"])
async def test_a_request_id_that_is_none_is_replaced(place: Place, given: str) -> None:
    headers = {"drystone-request-id": given.encode()}
    response = await place.http.get("/v1/watchers", headers=headers)  # type: ignore[arg-type]
    assert response.headers["drystone-request-id"] != given
    assert len(response.headers["drystone-request-id"]) == 32


async def test_an_unforeseen_error_tells_nothing_and_is_logged(place: Place) -> None:
    problem = await place.problem("POST", "/v1/broken")
    assert problem["type"] == "kernel.PlatformError"
    assert problem["status"] == 500
    assert "hunter2" not in json.dumps(problem)
    assert problem["request_id"] in problem["detail"]
    [(level, _, error, fields)] = place.log.written
    assert level == "error"
    assert isinstance(error, RuntimeError)
    assert fields == {"call": "secrets.broken", "request_id": problem["request_id"]}


@pytest.mark.parametrize(
    ("target", "words", "argument"),
    [
        ("/v1/secrets?limit=two", "limit: Expected `int`", "limit"),
        ("/v1/secrets?limit=1&limit=2", "limit is given twice", "limit"),
        ("/v1/secrets?limmit=1", "no argument 'limmit'; it has cursor, limit", "limmit"),
        ("/v1/watchers?x=1", "no argument 'x' in its query", "x"),
        ("/v1/callers/seven", "number: Expected `int`", "number"),
        ("/v1/everything", "text, number, share, labels is missing", "text"),
        ("/v1/everything?labels=[{]", "labels: JSON is malformed", "labels"),
        ("/v1/everything?share=nan", "share: Expected a finite number", "share"),
        ("/v1/everything?share=1e999", "share:", "share"),
        ("/v1/everything?wait=soon", "wait: Invalid ISO8601 duration", "wait"),
        ("/v1/everything?kind=x", "kind: Invalid enum value 'x'", "kind"),
        ("/v1/everything?labels=" + "[" * 3000, "labels:", "labels"),
        ("/v1/secrets/%FF", "path: 'utf-8' codec can't decode", "path"),
        ("/v1/secrets/", "path is empty", "path"),
        ("/v1/secrets//watch", "path is empty", "path"),
        ("/v1/secrets/%2E%2e", "path is '..'", "path"),
    ],
)
async def test_wrong_arguments_are_named(
    place: Place, target: str, words: str, argument: str
) -> None:
    problem = await place.problem("GET", target)
    assert problem["type"] == "kernel.Invalid"
    assert words in problem["detail"]
    assert problem["details"] == {"argument": argument}


@pytest.mark.parametrize("target", ["/v1/watchers?%FF=1", "/v1/watchers?" + "a=1&" * 300])
async def test_a_malformed_query_is_refused(place: Place, target: str) -> None:
    assert (await place.problem("GET", target))["type"] == "kernel.Invalid"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "truncated"),
        (b'{"value": NaN}', "malformed"),
        (b'{"value": Infinity}', "malformed"),
        (b"\xff", "malformed"),
        (b"[]", "Expected `object`, got `array`"),
        (b"", "missing required field `value`"),
        (b'{"value": 1}', "Expected `str`, got `int` - at `$.value`"),
        (b'{"value": "x", "expect": "1"}', "Expected `int | null`, got `str`"),
        (b'{"value": "x", "vaule": "y"}', "unknown field `vaule`"),
        (b'{"value": "x", "path": "y"}', "unknown field `path`"),
        (
            b'{"value": "x", "labels": [{"name": "a"}, {"name": "b", "wieght": 2}]}',
            "unknown field `wieght` at `$.labels[1].wieght`",
        ),
        (b'{"value": "x", "labels": ' + b"[" * 3000, ""),
        (b'{"value": ' + b"[" * 4000, ""),
    ],
)
async def test_wrong_bodies_are_refused_with_the_reason(
    place: Place, body: bytes, words: str
) -> None:
    problem = await place.problem("POST", "/v1/secrets/a/versions", content=body, headers=JSON)
    assert problem["type"] == "kernel.Invalid"
    assert words in problem["detail"]
    assert not place.secrets.versions


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_no_body_breaks_the_server(body: bytes | str) -> None:
    async def send() -> None:
        place = Place()
        target = "/v1/secrets/a/versions"
        response = await place.http.post(target, content=body, headers=JSON)
        assert response.status_code in {200, 422}
        assert not place.log.written

    asyncio.run(send())


async def test_a_body_that_is_not_json_is_refused(place: Place) -> None:
    problem = await place.problem("POST", "/v1/secrets/a/versions", data={"value": "x"})
    assert problem["type"] == "contract.WrongMediaType"
    assert problem["status"] == 415
    assert "application/x-www-form-urlencoded" in problem["detail"]


async def test_the_media_type_may_name_a_charset(place: Place) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    target = "/v1/secrets/a/versions"
    response = await place.http.post(target, content=b'{"value":"x"}', headers=headers)
    assert response.status_code == 200


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(LIMIT):
        yield b"  "


@pytest.mark.parametrize("content", [b" " * (LIMIT + 1), chunks])
async def test_a_body_over_the_limit_is_refused(
    place: Place, content: bytes | Callable[[], AsyncIterator[bytes]]
) -> None:
    body = content() if callable(content) else content
    target = "/v1/secrets/a/versions"
    problem = await place.problem("POST", target, content=body, headers=JSON)
    assert problem["type"] == "contract.BodyTooLarge"
    assert problem["status"] == 413
    assert f"larger than {LIMIT} bytes" in problem["detail"]


async def test_a_get_with_a_body_and_a_post_with_a_query_are_refused(place: Place) -> None:
    problem = await place.problem("GET", "/v1/watchers", content=b"{}", headers=JSON)
    assert "arguments in the query" in problem["detail"]
    problem = await place.problem("POST", "/v1/secrets/a/versions?value=x")
    assert "arguments in the body" in problem["detail"]


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/v1/secrets/a/b", "/v1/secrets/a/watch/"])
async def test_an_unknown_path_is_a_problem_too(place: Place, path: str) -> None:
    problem = await place.problem("GET", path)
    assert problem["type"] == "contract.NoSuchCall"
    assert problem["status"] == 404


async def test_a_wrong_method_names_those_that_are_right(place: Place) -> None:
    response = await place.http.patch("/v1/secrets/a")
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, PUT"
    assert response.json()["type"] == "contract.WrongMethod"
    assert (await place.http.head("/v1/watchers")).status_code == 405


@pytest.mark.parametrize("seconds", ["", "-1", "1e3", "soon", "nan", "9" * 10])
async def test_a_timeout_that_is_none_is_refused(place: Place, seconds: str) -> None:
    problem = await place.problem("GET", "/v1/slow", headers={"drystone-timeout": seconds})
    assert "drystone-timeout must be a decimal number" in problem["detail"]


async def test_a_call_that_outlasts_its_timeout_is_cancelled(place: Place) -> None:
    problem = await place.problem("GET", "/v1/slow", headers={"drystone-timeout": "0.01"})
    assert problem["type"] == "kernel.DeadlineExceeded"
    assert problem["status"] == 504
    assert place.secrets.cancelled == 1


async def lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in response.aiter_raw():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


async def test_a_silent_stream_gives_signs_of_life(place: Place) -> None:
    place.secrets.versions["a"] = [Secret("a", 1, "x")]
    async with place.http.stream("GET", "/v1/secrets/a/watch") as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        got = lines(response)
        assert json.loads(await anext(got))["version"] == 1
        assert [await anext(got) for _ in range(3)] == [b"", b"", b""]
    assert place.secrets.open == 0


async def test_a_stream_that_fails_at_once_has_the_status_of_the_error(place: Place) -> None:
    problem = await place.problem("GET", "/v1/secrets/nope/watch")
    assert problem["type"] == "contract.SecretNotFound"


async def test_a_stream_that_outlasts_its_timeout_ends_with_that_problem(place: Place) -> None:
    place.secrets.versions["a"] = [Secret("a", 1, "x")]
    headers = {"drystone-timeout": "1"}
    response = await place.http.get("/v1/secrets/a/watch", headers=headers)
    first, *_, last = [line for line in response.content.split(b"\n") if line]
    assert json.loads(first)["version"] == 1
    assert json.loads(last)["application/problem+json"]["type"] == "kernel.DeadlineExceeded"
    assert place.secrets.open == 0


def test_two_calls_at_the_same_place_are_refused() -> None:
    with pytest.raises(TypeError, match=r"secrets\.read and secrets\.read are both called by GET"):
        serve(Secrets(), Secrets(), authenticate=by_token)
