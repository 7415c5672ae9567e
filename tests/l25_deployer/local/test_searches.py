"""Searches of services, on the real engine: apart from each other, declared, copied, brought back, renewed and removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.search.access import SearchAccess
from drystone.l10_engines.search.errors import NotDeclarable
from drystone.l10_engines.search.server import ask
from drystone.l10_engines.supervision.supervisor import Supervisor
from drystone.l25_deployer.local.resources.copies import Measure
from drystone.l25_deployer.local.resources.credentials import Credentials
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.resources.search import Searches
from drystone.l25_deployer.stacks.provided import Search
from drystone.testing.conformance.engines import short_home

ONE, OTHER = Owner("dev", "library", "catalog"), Owner("dev", "shop", "catalog")
BOOKS = {"books": {"properties": {"title": {"type": "text"}, "n": {"type": "long"}}}}
WANTED = Search(64 * 1024**2, BOOKS)


class Stage(msgspec.Struct):
    searches: Searches
    home: Path


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    with short_home() as home:
        supervisor = Supervisor((), report=lambda _event: None)
        yield Stage(Searches(supervisor, home / "searches", Credentials(home / "secrets")), home)
        await supervisor.stop_all()


async def said(keys: dict[str, str], method: str, path: str, body: Any = None) -> tuple[int, Any]:
    access = SearchAccess(
        host=keys["host"], port=int(keys["port"]), user=keys["user"], password=keys["password"]
    )
    status, answer = await asyncio.to_thread(ask, access, method, path, body, limit=30)
    return status, msgspec.json.decode(answer) if answer else None


async def write(keys: dict[str, str], identity: str, body: Any) -> None:
    status, _ = await said(keys, "PUT", f"/books/_doc/{identity}?refresh=true", body)
    assert status in (200, 201)


async def count(keys: dict[str, str], words: str) -> int:
    _, answer = await said(keys, "GET", f"/books/_count?q={words}")
    return int(answer["count"])


async def test_a_search_is_declared_and_opened_by_its_own_password_alone(stage: Stage) -> None:
    one = await stage.searches.apply(ONE, WANTED)
    other = await stage.searches.apply(OTHER, Search(64 * 1024**2))
    assert one["url"] == f"http://{one['user']}:{one['password']}@127.0.0.1:{one['port']}"
    assert (await said(one, "GET", "/books/_mapping"))[1]["books"]["mappings"] == BOOKS["books"]
    assert (await said(other, "HEAD", "/books"))[0] == 404
    assert (await said({**other, "password": one["password"]}, "GET", "/"))[0] == 401
    more = {"books": {"properties": {"n": {"type": "long"}, "tags": {"type": "keyword"}}}}
    await stage.searches.apply(ONE, Search(64 * 1024**2, more))
    fields = (await said(one, "GET", "/books/_mapping"))[1]["books"]["mappings"]["properties"]
    assert sorted(fields) == ["n", "tags", "title"]
    changed = {"books": {"properties": {"n": {"type": "keyword"}}}}
    with pytest.raises(NotDeclarable, match=r"'books'.*\[n\].*another name"):
        await stage.searches.apply(ONE, Search(64 * 1024**2, changed))
    with pytest.raises(NotDeclarable, match="geo_point"):
        await stage.searches.apply(
            ONE, Search(64 * 1024**2, {"x": {"properties": {"a": {"type": "geo_point"}}}})
        )


async def test_a_copy_is_of_one_moment_and_takes_the_place_of_what_came_later(stage: Stage) -> None:
    keys = await stage.searches.apply(ONE, WANTED)
    for n in range(20):
        await write(keys, str(n), {"title": f"first {n}", "n": n})
    await said(keys, "DELETE", "/books/_doc/19")
    folder = stage.home / "copy"
    folder.mkdir()
    assert await stage.searches.room_for_copy(ONE, WANTED) > 0
    copied = await stage.searches.back_up(ONE, WANTED, folder)
    assert copied.holds["books"].count == 19
    for n in range(10):
        await write(keys, str(n), {"title": "later", "n": -n})
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    laid = await stage.searches.lay_out(ONE, WANTED, folder)
    assert await laid.holds() == copied.holds
    assert await count(keys, "later") == 10
    await laid.put_in_place()
    await laid.put_in_place()
    again = await stage.searches.apply(ONE, WANTED)
    assert again == keys
    assert (await count(keys, "later"), await count(keys, "first")) == (0, 19)
    assert (await said(keys, "GET", "/books/_doc/3"))[1]["_source"] == {"title": "first 3", "n": 3}
    await write(keys, "new", {"title": "new"})
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    await laid.discard()


async def test_a_copy_that_is_not_what_was_written_is_found(stage: Stage) -> None:
    keys = await stage.searches.apply(ONE, WANTED)
    await write(keys, "1", {"title": "unmistakable"})
    folder = stage.home / "copy"
    folder.mkdir()
    copied = await stage.searches.back_up(ONE, WANTED, folder)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b"unmistakable", b"unmistakeable"[:12]))
    laid = await stage.searches.lay_out(ONE, WANTED, folder)
    with pytest.raises(Unavailable, match="not what was written"):
        await laid.holds()
    await laid.discard()
    assert await count(keys, "unmistakable") == 1
    assert copied.holds == {"books": Measure(1, copied.holds["books"].digest)}


async def test_two_passwords_open_it_while_one_is_replaced(stage: Stage) -> None:
    old = await stage.searches.apply(ONE, WANTED)
    await stage.searches.begin_renewal(ONE, WANTED)
    new = await stage.searches.apply(ONE, WANTED)
    assert new["password"] != old["password"]
    assert [(await said(keys, "GET", "/"))[0] for keys in (old, new)] == [200, 200]
    await stage.searches.withdraw_renewal(ONE, WANTED)
    assert [(await said(keys, "GET", "/"))[0] for keys in (old, new)] == [200, 401]
    await stage.searches.begin_renewal(ONE, WANTED)
    new = await stage.searches.apply(ONE, WANTED)
    await stage.searches.end_renewal(ONE, WANTED)
    assert [(await said(keys, "GET", "/"))[0] for keys in (old, new)] == [401, 200]
    assert await stage.searches.apply(ONE, WANTED) == new


async def test_it_keeps_its_documents_over_a_stop_and_another_bound_and_leaves_nothing(
    stage: Stage,
) -> None:
    keys = await stage.searches.apply(ONE, WANTED)
    await write(keys, "1", {"title": "kept"})
    await stage.searches.suspend(ONE)
    keys = await stage.searches.apply(ONE, WANTED)
    assert await count(keys, "kept") == 1
    keys = await stage.searches.apply(ONE, Search(32 * 1024**2, BOOKS))
    assert await count(keys, "kept") == 1
    await stage.searches.remove(ONE, WANTED)
    await stage.searches.remove(ONE, WANTED)
    assert not (stage.home / "searches" / ONE.path).exists()
    assert not (stage.home / "secrets" / ONE.path).exists()
