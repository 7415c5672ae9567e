"""What holds wherever the implementation is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.errors import Invalid
from drystone.testing.reaches import reach, reaches
from l00_kernel.contract.sample import (
    Everything,
    Kind,
    Label,
    Secret,
    SecretNotFound,
    Secrets,
    SecretsApi,
    StaleVersion,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CTX = Context(Caller("ada", frozenset({"operator", "owner"})))

secrets = reaches(SecretsApi, Secrets)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - it may be true in another process
            await asyncio.sleep(0.01)


def watch(secrets: SecretsApi, path: str, since: int = 0) -> AsyncGenerator[Secret]:
    return cast("AsyncGenerator[Secret]", secrets.watch(CTX, path=path, since=since))


async def test_a_written_secret_can_be_read(secrets: SecretsApi) -> None:
    labels = [Label("db"), Label("eu", 0.5)]
    written = await secrets.write(CTX, path="db", value="hunter2", labels=labels)
    assert written == Secret("db", 1, "hunter2", labels=tuple(labels))
    assert await secrets.read(CTX, path="db") == written


async def test_a_missing_secret_says_which(secrets: SecretsApi) -> None:
    with pytest.raises(SecretNotFound, match="no secret lives at nope") as caught:
        await secrets.read(CTX, path="nope")
    assert caught.value.details == {"path": "nope"}


async def test_an_error_with_a_constructor_of_its_own_comes_back_whole(secrets: SecretsApi) -> None:
    await secrets.write(CTX, path="db", value="a", expect=0)
    with pytest.raises(StaleVersion, match="db is at version 1") as caught:
        await secrets.write(CTX, path="db", value="b", expect=0)
    assert caught.value.details == {"path": "db", "newest": "1"}


async def test_put_carries_a_whole_struct(secrets: SecretsApi) -> None:
    secret = Secret("k", 7, "ü\u2028", Kind.KEY, expires=datetime(2027, 1, 2, 3, 4, 5, 6, UTC))
    assert await secrets.set(CTX, path="k", secret=secret) == secret


async def test_a_call_that_returns_nothing_returns_none(secrets: SecretsApi) -> None:
    remove: Callable[..., Awaitable[Any]] = secrets.remove
    assert await remove(CTX, path="never there") is None


async def test_pages_lead_from_one_to_the_next(secrets: SecretsApi) -> None:
    for path in "cab":
        await secrets.write(CTX, path=path, value=path)
    first = await secrets.browse(CTX)
    second = await secrets.browse(CTX, cursor=first.next)
    assert [secret.path for secret in [*first.items, *second.items]] == ["a", "b", "c"]
    assert second.next is None


async def test_a_cursor_from_elsewhere_is_refused(secrets: SecretsApi) -> None:
    with pytest.raises(Invalid, match="cursor"):
        await secrets.browse(CTX, cursor="bm90IGpzb24")


async def test_every_form_of_argument_arrives_as_it_was_sent(secrets: SecretsApi) -> None:
    given: dict[str, Any] = {
        "text": "a&b=c d/ü%00?#",
        "number": -(10**15),
        "share": 1e-300,
        "sure": True,
        "kind": Kind.KEY,
        "moment": datetime(2026, 2, 3, 4, 5, 6, 789, UTC),
        "wait": timedelta(days=-1, microseconds=1),
        "labels": [Label("x"), Label("", -0.0)],
        "counts": {"": 1, "ü": 2},
    }
    assert await secrets.everything(CTX, **given) == Everything(**given)


async def test_what_is_left_out_has_its_default(secrets: SecretsApi) -> None:
    got = await secrets.everything(CTX, text="", number=0, share=0.0, labels=[])
    assert got == Everything("", 0, 0.0, False, None, None, timedelta(seconds=1), [], {})


async def test_a_literal_path_goes_before_one_with_an_argument(secrets: SecretsApi) -> None:
    assert await secrets.whoami(CTX) == "ada operator owner"
    assert await secrets.caller(CTX, number=7) == 7


async def test_a_stream_gives_each_item_when_it_is_there(secrets: SecretsApi) -> None:
    await secrets.write(CTX, path="db", value="0")
    async with aclosing(watch(secrets, "db")) as versions:
        for turn in range(5):
            assert (await anext(versions)).value == str(turn)
            await secrets.write(CTX, path="db", value=str(turn + 1))


async def test_a_stream_ends_when_the_implementation_ends(secrets: SecretsApi) -> None:
    values = [secret.value async for secret in secrets.rotate(CTX, path="db", times=50)]
    assert values == [str(turn) for turn in range(50)]
    assert [secret async for secret in secrets.rotate(CTX, path="db", times=0)] == []


async def test_an_error_before_the_first_item_is_raised_as_itself(secrets: SecretsApi) -> None:
    with pytest.raises(SecretNotFound, match="no secret lives at nope"):
        await anext(watch(secrets, "nope"))


async def test_an_error_in_the_middle_of_a_stream_is_raised_as_itself(secrets: SecretsApi) -> None:
    await secrets.write(CTX, path="db", value="0")
    versions = watch(secrets, "db")
    assert (await anext(versions)).version == 1
    await secrets.remove(CTX, path="db")
    with pytest.raises(SecretNotFound, match="db was removed") as caught:
        await anext(versions)
    assert caught.value.details == {"path": "db"}


async def test_closing_a_stream_ends_it_at_the_implementation(secrets: SecretsApi) -> None:
    await secrets.write(CTX, path="db", value="0")
    async with aclosing(watch(secrets, "db")) as versions:
        await anext(versions)
        assert await secrets.watchers(CTX) == 1
    await until(lambda: nobody_watches(secrets))


async def test_cancelling_a_reader_ends_the_stream_at_the_implementation(
    secrets: SecretsApi,
) -> None:
    await secrets.write(CTX, path="db", value="0")
    seen = asyncio.Event()

    async def read_on() -> None:
        async with aclosing(watch(secrets, "db")) as versions:
            async for _ in versions:
                seen.set()

    reader = asyncio.create_task(read_on())
    await seen.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await until(lambda: nobody_watches(secrets))


async def test_calls_errors_and_streams_travel_over_tcp_too() -> None:
    async with reach("alone over tcp", SecretsApi, Secrets) as secrets:
        with pytest.raises(SecretNotFound):
            await secrets.read(CTX, path="a/ü")
        await secrets.write(CTX, path="a/ü", value="0")
        async with aclosing(watch(secrets, "a/ü")) as versions:
            assert (await anext(versions)).value == "0"
        await until(lambda: nobody_watches(secrets))


async def nobody_watches(secrets: SecretsApi) -> bool:
    return await secrets.watchers(CTX) == 0
