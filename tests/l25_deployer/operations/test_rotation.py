"""Credentials are replaced under services that go on serving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.exceptions
import psycopg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.home import Home
from drystone.l10_engines.cache.resp import connected
from drystone.l25_deployer.errors import NotRenewable, RotationFailed, RotationRefused
from drystone.l25_deployer.rotating import due
from drystone.l25_deployer.stacks.model import Resource
from drystone.l25_deployer.stacks.provided import Secret
from l25_deployer.operated import (
    EVERYTHING,
    FAITHFUL,
    TELLING,
    Load,
    Reached,
    cache_of,
    client_of,
    opens_nothing,
    read,
    values_of,
    write,
)
from l25_deployer.reached import all_of, at
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_secret_is_replaced_one_instance_after_the_other(p: Reached) -> None:
    more = (
        'scale: 2\nresources: {word: {type: secret}}\nworkers: {late: {command: [sleep, "3600"]}}'
    )
    await p.deploy("renewed", more, TELLING)
    before, pids = await values_of(p.port, "renewed"), await p.pids("renewed")
    async with Load(p.port, "renewed.dev.localhost") as load:
        told = await all_of(p.api.rotate(ASKING, **at("renewed")))
    after = await values_of(p.port, "renewed")
    assert (load.failed, load.asked > 0) == ([], True)
    assert before["WORD_VALUE"] != after["WORD_VALUE"]
    assert len(await p.pids("renewed")) == 3
    assert pids.isdisjoint(await p.pids("renewed"))
    page = await p.deployer.history(ASKING, **at("renewed"))
    assert [one.event for one in page.items[:2]] == ["rotate done", "rotate began"]
    assert (page.items[0].by, page.items[0].text) == (page.items[1].by, "word")
    said = f"{told} {page.items}"
    assert before["WORD_VALUE"] not in said
    assert after["WORD_VALUE"] not in said


async def test_what_has_no_credential_is_refused(p: Reached) -> None:
    await p.deploy("unkeyed", "resources: {kept: {type: volume}}")
    with pytest.raises(NotRenewable, match="'kept' of unkeyed in dev has no credential"):
        await all_of(p.api.rotate(ASKING, **at("unkeyed"), resource="kept"))
    with pytest.raises(RotationRefused, match="no resource 'db'; there are: kept"):
        await all_of(p.api.rotate(ASKING, **at("unkeyed"), resource="db"))
    with pytest.raises(RotationRefused, match="no resource with a credential"):
        await all_of(p.api.rotate(ASKING, **at("unkeyed")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whole() -> AsyncIterator[Reached]:
    with short_folder() as folder:
        chosen = settings(Home.create(folder / "h"))
        async with embedded(folder / "h", chosen) as standalone:
            yield Reached(standalone.deployer, standalone.operations, chosen.port, folder)


async def test_a_value_that_no_instance_starts_with_is_taken_back(
    whole: Reached,
) -> None:
    more = "resources: {word: {type: secret}, kept: {type: volume}}"
    for name, strategy in (("faithful", ""), ("faithful-alone", "\ndeploy: {strategy: cutover}")):
        await whole.deploy(name, more + strategy, FAITHFUL)
        with pytest.raises(RotationFailed, match="were not replaced, and are as before"):
            await all_of(whole.api.rotate(ASKING, **at(name)))
        assert (await ask(whole.port, f"{name}.dev.localhost")).startswith("200")
        view = await whole.deployer.show(ASKING, **at(name))
        assert "the credentials of word were not replaced" in "\n".join(view.problems)
        page = await whole.deployer.history(ASKING, **at(name))
        assert "rotate failed" in {one.event for one in page.items}
        await all_of(
            whole.api.restart(ASKING, **at(name))
        )  # which would not come up with another one


async def test_every_kind_of_credential_is_replaced_again_and_again(whole: Reached) -> None:
    await whole.deploy("keyed", EVERYTHING, TELLING)
    first = await values_of(whole.port, "keyed")
    await asyncio.to_thread(write, first, "one")
    open_session = await asyncio.to_thread(lambda: psycopg.connect(first["DB_URL"]))
    async with Load(whole.port, "keyed.dev.localhost") as load:
        await all_of(whole.api.rotate(ASKING, **at("keyed")))
        second = await values_of(whole.port, "keyed")
        await opens_nothing(first)
        with pytest.raises(psycopg.OperationalError):
            open_session.execute("SELECT 1")
        await asyncio.to_thread(write, second, "two")
        await asyncio.to_thread(read, second, {"one", "two"}, "m1")
        await all_of(whole.api.rotate(ASKING, **at("keyed")))
        third = await values_of(whole.port, "keyed")
    assert (load.failed, load.asked > 0) == ([], True)
    await opens_nothing(second)
    await asyncio.to_thread(read, third, {"one", "two"}, "m2")
    async with connected(cache_of(third)) as connection:
        assert await connection.call("PING") == "PONG"
    one_kind = await all_of(whole.api.rotate(ASKING, **at("keyed"), resource="jobs"))
    assert one_kind[-1].text.startswith("keyed.dev has new credentials for jobs")
    fourth = await values_of(whole.port, "keyed")
    changed = {name for name in third if third[name] != fourth[name] and "DRYSTONE" not in name}
    assert {"JOBS_PASSWORD", "JOBS_URL"} <= changed
    assert not {name for name in changed if name.startswith(("DB_", "FILES_", "AWS_", "WORD_"))}


async def test_one_that_is_stopped_leaves_both_and_goes_on_when_it_is_asked_for(
    whole: Reached,
) -> None:
    more = "resources: {word: {type: secret}, kept: {type: volume}}"
    slow = TELLING.replace(
        "port = int(sys.argv[1])",
        "port = int(sys.argv[1])\nif os.path.exists(os.environ['KEPT_PATH'] + '/slow'): time.sleep(3600)",
    )
    await whole.deploy("stopped", more, slow)
    mark = Path((await values_of(whole.port, "stopped"))["KEPT_PATH"], "slow")
    mark.touch()
    rotating = asyncio.create_task(all_of(whole.api.rotate(ASKING, **at("stopped"))))
    starting = whole.folder / "h/instances"
    await until(lambda: len(list(starting.glob("stopped-*"))) == 2, "another instance starts")
    await whole.deployer.abort(ASKING, **at("stopped"))
    await asyncio.wait([rotating])
    assert rotating.cancelled() or rotating.exception() is not None
    assert (await ask(whole.port, "stopped.dev.localhost")).startswith("200")
    [said] = (await whole.deployer.show(ASKING, **at("stopped"))).problems
    assert said.startswith("the credentials of word are not all replaced (the new and the former")
    mark.unlink()
    told = await all_of(whole.api.rotate(ASKING, **at("stopped")))
    assert told[-1].text.endswith("the former ones open nothing")
    assert (await whole.deployer.show(ASKING, **at("stopped"))).problems == []


async def test_a_warm_release_ends_and_a_held_one_is_waited_for(whole: Reached) -> None:
    more = "resources: {word: {type: secret}}\ndeploy: {keep_warm: 10m}"
    await whole.deploy("beside", more, TELLING)
    await whole.deploy("beside", more, TELLING)
    states = {
        one.number: one.state
        for one in (await whole.deployer.show(ASKING, **at("beside"))).releases
    }
    assert states == {1: "warm", 2: "active"}
    await all_of(whole.api.rotate(ASKING, **at("beside")))
    view = await whole.deployer.show(ASKING, **at("beside"))
    assert {one.number: one.state for one in view.releases} == {1: "stopped", 2: "active"}
    word = (await values_of(whole.port, "beside"))["WORD_VALUE"]
    folder = folder_of(whole.folder / "beside", {"server.py": TELLING})
    text = descriptor("beside", more=more)
    await deploy(whole.deployer, text, folder, key="third", hold=True)
    with pytest.raises(RotationRefused, match="has release 3 beside the one that serves"):
        await all_of(whole.api.rotate(ASKING, **at("beside")))
    assert (await values_of(whole.port, "beside"))["WORD_VALUE"] == word


async def test_a_key_has_a_new_version_and_nothing_restarts(whole: Reached) -> None:
    seal = "resources: {seal: {type: encryption-key, decrypt: [sealed-reader]}}"
    await whole.deploy("sealed", seal, TELLING)
    await whole.deploy("sealed-reader", "resources: {own: {type: encryption-key}}", TELLING)
    values, other = [await values_of(whole.port, name) for name in ("sealed", "sealed-reader")]
    kms, reader = client_of(values, "kms"), client_of(other, "kms")
    blob = kms.encrypt(KeyId="alias/seal", Plaintext=b"note")["CiphertextBlob"]
    before = await whole.pids("sealed")

    told = await all_of(whole.api.rotate(ASKING, **at("sealed"), resource="seal"))

    assert told[-1].text == "seal: a new version encrypts; the earlier ones decrypt as ever"
    assert await whole.pids("sealed") == before
    assert len(kms.list_key_rotations(KeyId="alias/seal")["Rotations"]) == 1
    newer = kms.encrypt(KeyId="alias/seal", Plaintext=b"note")["CiphertextBlob"]
    for one in (blob, newer):
        assert reader.decrypt(CiphertextBlob=one, KeyId=values["SEAL_ARN"])["Plaintext"] == b"note"
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        reader.encrypt(KeyId=values["SEAL_ARN"], Plaintext=b"x")
    page = await whole.deployer.history(ASKING, **at("sealed"))
    assert page.items[0].event == "rotate done"
    await all_of(whole.api.rotate(ASKING, **at("sealed")))
    assert (await values_of(whole.port, "sealed"))["AWS_ACCESS_KEY_ID"] != values[
        "AWS_ACCESS_KEY_ID"
    ]


async def test_a_secret_is_replaced_at_its_age(whole: Reached) -> None:
    await whole.deploy("aging", "resources: {word: {type: secret, rotate: 2s}}", TELLING)
    before = (await values_of(whole.port, "aging"))["WORD_VALUE"]
    found = [before]

    async def look() -> None:
        while found[-1] == before:
            found.append((await values_of(whole.port, "aging"))["WORD_VALUE"])

    async with asyncio.timeout(20):
        await look()
    page = await whole.deployer.history(ASKING, **at("aging"))
    assert {one.by for one in page.items if one.event == "rotate began"} == {"platform"}


NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAYS = st.integers(0, 400).map(lambda days: timedelta(days=days))


@given(
    st.dictionaries(st.sampled_from("abc"), st.none() | DAYS),
    st.dictionaries(st.sampled_from("abcd"), DAYS),
    st.none() | DAYS,
)
async def test_what_is_replaced_is_old_and_was_asked_for(
    ages: dict[str, timedelta | None], old: dict[str, timedelta], every: timedelta | None
) -> None:
    resources: dict[str, Resource] = {
        name: Secret("password", rotate=age) for name, age in ages.items()
    }
    made = {name: NOW - age for name, age in old.items()}
    found = due(resources, made, every, NOW)
    for name in resources:
        age = ages[name] if ages[name] is not None else every
        assert (name in found) == (age is not None and name in old and old[name] >= age)
