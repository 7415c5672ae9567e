"""What the client does when the other side is not what it should be."""

from __future__ import annotations

import abc
import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from drystone.l00_kernel.contract import (
    ANONYMOUS,
    Api,
    Caller,
    Context,
    call,
    connect,
    loopback,
    serve,
)
from drystone.l00_kernel.contract.by_network import ByNetwork
from drystone.l00_kernel.contract.client import make_client
from drystone.l00_kernel.contract.errors import BadAnswer, Unreachable
from drystone.l00_kernel.contract.inprocess import InProcess, claim, claimed_caller
from drystone.l00_kernel.errors import (
    DeadlineExceeded,
    Denied,
    Invalid,
    PlatformError,
    Unauthenticated,
    Unavailable,
)
from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.asgi import served
from l00_kernel.contract.sample import Label, Secret, SecretNotFound, Secrets, SecretsApi

CTX = Context(Caller("ada"))
DOTS = {"", ".", ".."}


def client(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> SecretsApi:
    http = httpx2.AsyncClient(transport=InProcess(app), base_url="http://test/base")
    return make_client(
        SecretsApi, ByNetwork(http), credentials=claim, timeout=timedelta(seconds=20)
    )


def answering(body: bytes, status: int = 200, media_type: str = "application/json") -> SecretsApi:
    return client(Response(body, status, media_type=media_type))


def test_a_client_is_its_contract() -> None:
    api = loopback(SecretsApi, Secrets())
    assert isinstance(api, SecretsApi)
    assert not isinstance(api, Secrets)


@settings(max_examples=60)
@given(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("/.%?#&+\\ \0"), max_size=12)
)
def test_any_name_in_a_path_arrives_as_it_was_given_or_is_refused(path: str) -> None:
    async def send() -> None:
        secrets = Secrets()
        api = loopback(SecretsApi, secrets)
        if path in DOTS:
            with pytest.raises(Invalid, match="path is"):
                await api.write(CTX, path=path, value="x")
            assert not secrets.versions
        else:
            await api.write(CTX, path=path, value="x")
            assert list(secrets.versions) == [path]
            assert (await api.read(CTX, path=path)).path == path

    asyncio.run(send())


@settings(max_examples=60)
@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(),
)
def test_any_value_in_a_query_arrives_as_it_was_given(
    text: str, number: int, share: float, moment: datetime, wait: timedelta
) -> None:
    given_values: dict[str, Any] = {"text": text, "number": number, "share": share}
    given_values |= {"moment": moment, "wait": wait, "labels": []}

    async def send() -> None:
        got = await loopback(SecretsApi, Secrets()).everything(CTX, **given_values)
        assert {name: getattr(got, name) for name in given_values} == given_values

    asyncio.run(send())


@pytest.mark.parametrize("value", ["\ud800", "a\udfff"])
async def test_text_that_is_not_unicode_is_refused_before_it_is_sent(value: str) -> None:
    api = loopback(SecretsApi, Secrets())
    with pytest.raises(Invalid):
        await api.read(CTX, path=value)
    with pytest.raises(Invalid):
        await api.write(CTX, path="a", value=value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_a_number_that_json_cannot_carry_is_refused_before_it_is_sent(number: float) -> None:
    api = loopback(SecretsApi, Secrets())
    with pytest.raises(Invalid, match="not a finite number"):
        await api.everything(CTX, text="", number=1, share=number, labels=[])
    with pytest.raises(Invalid, match="not finite"):
        await api.write(CTX, path="a", value="x", labels=[Label("a", number)])


async def test_wrong_names_of_arguments_are_a_mistake_of_the_program() -> None:
    api: Any = loopback(SecretsApi, Secrets())
    with pytest.raises(TypeError, match="missing argument path"):
        await api.read(CTX)
    with pytest.raises(TypeError, match="vaule"):
        await api.write(CTX, path="a", vaule="x")


class NotRepeatable(Secrets):
    """Breaks the promise of PUT and DELETE."""

    @override
    async def remove(self, ctx: Context, *, path: str) -> None:
        del self.versions[path]


async def test_the_loopback_finds_a_call_that_is_not_safe_to_repeat() -> None:
    implementation = NotRepeatable()
    api = loopback(SecretsApi, implementation)
    await api.write(CTX, path="a", value="x")
    with pytest.raises(PlatformError, match=r"secrets\.remove failed"):
        await api.remove(CTX, path="a")


async def test_the_loopback_sends_a_post_once() -> None:
    api = loopback(SecretsApi, Secrets())
    assert (await api.write(CTX, path="a", value="x")).version == 1
    assert (await api.write(CTX, path="a", value="x")).version == 2


async def test_a_key_in_the_context_makes_a_repeated_call_happen_once() -> None:
    api = loopback(SecretsApi, Secrets())
    ctx = Context(Caller("ada"), idempotency_key="k")
    for _ in range(2):
        assert (await api.write(ctx, path="a", value="x")).version == 1


async def test_a_client_cannot_choose_its_caller() -> None:
    async def always_bob(_: object) -> Caller:
        return Caller("bob")

    http = httpx2.AsyncClient(
        transport=InProcess(serve(Secrets(), authenticate=always_bob)), base_url="http://test"
    )
    api = make_client(SecretsApi, ByNetwork(http), credentials=claim, timeout=None)
    assert await api.whoami(CTX) == "bob"


async def test_without_credentials_the_server_refuses() -> None:
    http = httpx2.AsyncClient(
        transport=InProcess(serve(Secrets(), authenticate=claimed_caller)), base_url="http://test"
    )
    api = make_client(SecretsApi, ByNetwork(http), credentials=None, timeout=None)
    with pytest.raises(Unauthenticated):
        await api.watchers(CTX)
    with pytest.raises(Unauthenticated):
        await anext(aiter(api.watch(CTX, path="a")))


class Older(Api):
    """What a server promises that was not brought up to date with its client."""

    name: ClassVar[str] = "changes"

    @call("GET", "/v1/changes")
    @abc.abstractmethod
    async def find(self, ctx: Context, *, text: str) -> str:
        """Find."""

    @call("POST", "/v1/changes")
    @abc.abstractmethod
    async def make(self, ctx: Context, *, text: str) -> str:
        """Make."""


class Newer(Api):
    """The same, after two of its calls learned something."""

    name: ClassVar[str] = "changes"

    @call("GET", "/v1/changes")
    @abc.abstractmethod
    async def find(self, ctx: Context, *, text: str, most: int = 50) -> str:
        """Find."""

    @call("POST", "/v1/changes")
    @abc.abstractmethod
    async def make(self, ctx: Context, *, text: str, slowly: bool = False) -> str:
        """Make."""


class Repeats(Older):
    """Says what it was asked."""

    @override
    async def find(self, ctx: Context, *, text: str) -> str:
        return text

    @override
    async def make(self, ctx: Context, *, text: str) -> str:
        return text


async def test_an_older_server_understands_a_newer_client_that_asks_nothing_new() -> None:
    http = httpx2.AsyncClient(
        transport=InProcess(serve(Repeats(), authenticate=claimed_caller)), base_url="http://test"
    )
    api = make_client(Newer, ByNetwork(http), credentials=claim, timeout=None)

    assert await api.find(CTX, text="a") == await api.make(CTX, text="a") == "a"
    assert await api.find(CTX, text="a", most=50) == "a"
    with pytest.raises(Invalid, match="slowly"):
        await api.make(CTX, text="a", slowly=True)
    with pytest.raises(Invalid, match="most"):
        await api.find(CTX, text="a", most=2)


async def test_words_that_are_not_unicode_do_not_break_a_problem() -> None:
    class Lost(Secrets):
        @override
        async def read(self, ctx: Context, *, path: str) -> Secret:
            raise SecretNotFound("no file \udcff", file="\udcff")

    with pytest.raises(SecretNotFound, match=r"no file \\udcff") as caught:
        await loopback(SecretsApi, Lost()).read(CTX, path="a")
    assert caught.value.details == {"file": r"\udcff"}


def problem(code: str, status: int) -> bytes:
    return json.dumps(
        {"type": code, "title": "t", "status": status, "detail": "d", "details": {"a": "b"}}
    ).encode()


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("contract.SecretNotFound", 404, SecretNotFound),
        ("elsewhere.New", 403, Denied),
        ("elsewhere.New", 504, DeadlineExceeded),
        ("elsewhere.New", 502, Unavailable),
        ("elsewhere.New", 507, PlatformError),
        ("elsewhere.New", 418, Invalid),
    ],
)
async def test_an_unknown_code_becomes_the_class_of_its_status(
    code: str, status: int, error: type[PlatformError]
) -> None:
    api = answering(problem(code, status), status, "application/problem+json")
    with pytest.raises(PlatformError, match=r"^d$") as caught:
        await api.read(CTX, path="a")
    assert type(caught.value) is error
    known = error is SecretNotFound
    assert caught.value.details == {"a": "b"} | ({} if known else {"code": code})


@pytest.mark.parametrize(
    ("body", "media_type"),
    [(b"<h1>Bad Gateway</h1>", "text/html"), (b"[]", "application/problem+json"), (b"", "")],
)
async def test_an_answer_of_a_proxy_is_an_error_of_its_status(body: bytes, media_type: str) -> None:
    with pytest.raises(Unavailable, match="answered 503 without a problem document"):
        await answering(body, 503, media_type).read(CTX, path="a")


@pytest.mark.parametrize("body", [b"<html>", b'{"path":"a"}', b"[" * 100_000, b""])
async def test_an_answer_that_breaks_the_contract_says_so(body: bytes) -> None:
    with pytest.raises(BadAnswer, match=r"secrets\.read: the answer is not"):
        await answering(body).read(CTX, path="a")


ITEM = b'{"path":"a","version":1,"value":"x","new_field":1}\n'


async def test_fields_that_a_newer_server_adds_are_passed_over() -> None:
    assert (await answering(ITEM).read(CTX, path="a")).version == 1


@pytest.mark.parametrize(
    ("body", "count", "words"),
    [
        (ITEM + b"\n\n" + ITEM[:10], 1, "in the middle of a line"),
        (ITEM + b"{}\n", 1, "not what the contract promises"),
        (ITEM + b'{"application/problem+json":1}\n', 1, "its problem is unreadable"),
        (ITEM + b'{"application/problem+json":', 1, "in the middle of a line"),
    ],
)
async def test_a_stream_that_breaks_off_is_no_end(body: bytes, count: int, words: str) -> None:
    versions = aiter(answering(body).watch(CTX, path="a"))
    assert [(await anext(versions)).version for _ in range(count)] == [1] * count
    with pytest.raises(BadAnswer, match=words):
        await anext(versions)


async def breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ITEM, "more_body": True})


async def test_a_connection_that_breaks_is_unreachable_not_an_end() -> None:
    versions = aiter(client(breaks_off).watch(CTX, path="a"))
    assert (await anext(versions)).version == 1
    with pytest.raises(Unreachable, match=r"broke during secrets\.watch"):
        await anext(versions)
    with pytest.raises(Unreachable, match="may or may not have happened"):
        await client(breaks_off).read(CTX, path="a")


async def test_a_passed_deadline_is_not_even_sent() -> None:
    past = Context(ANONYMOUS, deadline=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(DeadlineExceeded, match="was not sent"):
        await answering(ITEM).read(past, path="a")
    with pytest.raises(DeadlineExceeded):
        past.check()
    assert past.remaining() == timedelta()


def soon(seconds: float = 0.05) -> Context:
    return Context(Caller("ada"), deadline=datetime.now(UTC) + timedelta(seconds=seconds))


async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("ctx", [soon, lambda: CTX])
async def test_a_server_that_does_not_answer_costs_no_more_than_the_deadline(
    ctx: Callable[[], Context],
) -> None:
    http = httpx2.AsyncClient(transport=InProcess(hangs), base_url="http://test")
    limit = timedelta(milliseconds=50)
    api = make_client(SecretsApi, ByNetwork(http), credentials=None, timeout=limit)
    with pytest.raises(DeadlineExceeded, match=r"secrets\.read took longer"):
        await api.read(ctx(), path="a")


async def test_the_deadline_ends_a_stream_too() -> None:
    secrets = Secrets()
    api = loopback(SecretsApi, secrets)
    await api.write(CTX, path="a", value="x")
    versions = aiter(api.watch(soon(seconds=1), path="a"))
    assert (await anext(versions)).version == 1
    with pytest.raises(DeadlineExceeded):
        await anext(versions)
    assert secrets.open == 0


async def test_nobody_listening_is_unreachable_and_says_where() -> None:
    port = free_port()
    async with connect(SecretsApi, base_url=f"http://127.0.0.1:{port}") as api:
        with pytest.raises(
            Unreachable, match=f"secrets is out of reach at http://127.0.0.1:{port}"
        ):
            await api.read(CTX, path="a")
        with pytest.raises(DeadlineExceeded):
            await api.read(soon(), path="a")


async def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with connect(SecretsApi, uds=tmp_path / "none.sock") as api:
        with pytest.raises(Unreachable, match=r"none\.sock"):
            await api.read(CTX, path="a")


def test_a_deadline_without_a_time_zone_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="aware"):
        Context(ANONYMOUS, deadline=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


async def test_connect_needs_to_know_where() -> None:
    with pytest.raises(TypeError, match="base_url or a unix socket"):
        async with connect(SecretsApi):
            pass


async def test_a_server_that_comes_up_late_is_reached() -> None:
    port = free_port()
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n0")
        answered.set()
        writer.close()
        await writer.wait_closed()

    async with connect(SecretsApi, base_url=f"http://127.0.0.1:{port}") as api:
        asked = asyncio.create_task(api.watchers(CTX))
        await asyncio.sleep(0.01)  # the first attempt fails meanwhile
        async with await asyncio.start_server(answer, "127.0.0.1", port):
            assert await asked == 0
    assert answered.is_set()


async def test_names_below_localhost_are_this_machine_whatever_its_resolver_says() -> None:
    hosts = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        hosts.append(dict(scope["headers"])[b"host"].decode())
        await Response(b"[]", media_type="application/json")(scope, receive, send)

    with served(note) as address:
        port = address.rstrip("/").rpartition(":")[2]
        place = f"http://far.away.localhost:{port}"
        async with connect(SecretsApi, base_url=place) as api:
            with pytest.raises(BadAnswer):
                await api.read(Context(ANONYMOUS), path="x")
    assert hosts == [f"far.away.localhost:{port}"]
