"""A release is held beside the one that serves, in this process and with a real Envoy."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.errors import ProxyUnavailable
from drystone.l25_deployer.api import Progress, Signals
from drystone.l25_deployer.errors import (
    CanaryHeld,
    DeployFailed,
    NoCanary,
    NothingToAbort,
    NothingToRollBackTo,
)
from l25_deployer.small_platform import (
    ASKING,
    SERVER,
    ByHand,
    ask,
    by_hand,
    deploy,
    descriptor,
    folder_of,
    running_instances,
    short_folder,
    until,
)

HOST = "greeter.dev.localhost"
VOLUMES = "resources: {notes: {type: volume}}"
MORE_VOLUMES = "resources: {notes: {type: volume}, photos: {type: volume, protect: false}}"
BROKEN = "deploy: {smoke: [GET /bad]}\nenv: {FAILS: '1'}"
FAILING = SERVER.replace(
    "    body =",
    """    if asked == ["/slow"]:
        print("begun", flush=True)
        time.sleep(0.7)
    if [one.partition("?")[0] for one in asked] == ["/bad"] and os.environ.get("FAILS"):
        print('{"level": "error", "text": "it is bad"}', flush=True)
        connection.sendall(b"HTTP/1.1 500 Bad\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        connection.close()
        continue
    body =""",
)
PLACE: dict[str, Any] = {"environment": "dev", "service": "greeter"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class At(msgspec.Struct):
    """A platform and where its service's folder is."""

    p: ByHand
    source: Path
    port: int

    async def deploy(self, more: str = VOLUMES, **how: object) -> list[Progress]:
        more = more if "resources" in more else f"{VOLUMES}\n{more}"
        return await deploy(self.p.deployer, descriptor(more=more), self.source, **how)

    async def hold(self, key: str, more: str = VOLUMES) -> int:
        told = await self.deploy(more, key=key, hold=True)
        number = told[-1].release
        assert number is not None
        return number

    async def shift(self, key: str, share: float, **how: Any) -> None:
        await self.p.deployer.shift(ASKING, **PLACE, key=key, share=share, **how)

    async def settle(self, key: str) -> list[Progress]:
        return [one async for one in self.p.deployer.settle(ASKING, **PLACE, key=key)]

    async def withdraw(self, key: str, reason: str = "a test") -> list[Progress]:
        stream = self.p.deployer.withdraw(ASKING, **PLACE, key=key, reason=reason)
        return [one async for one in stream]

    async def rollback(self, **how: Any) -> list[Progress]:
        return [one async for one in self.p.deployer.rollback(ASKING, **PLACE, **how)]

    async def signals(self, key: str) -> Signals:
        return await self.p.deployer.signals(ASKING, **PLACE, key=key)

    async def outcome(self, key: str) -> tuple[str, int]:
        found = await self.p.deployer.outcome(ASKING, **PLACE, key=key)
        return found.state, found.release

    async def answers(self, count: int = 1, headers: dict[str, str] | None = None) -> Counter[int]:
        """Return how often each release answered."""
        return Counter([await answerer(self.port, headers) for _ in range(count)])


async def answerer(port: int, headers: dict[str, str] | None = None) -> int:
    answer = await ask(port, HOST, headers=headers)
    assert answer.startswith("200 "), answer
    return int(answer.rpartition(" ")[2])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[At]:
    with short_folder() as folder:
        port = free_port()
        async with by_hand(folder / "h", port) as p:
            yield At(p, folder_of(folder / "source", {"server.py": FAILING}), port)


@pytest_asyncio.fixture(loop_scope="module")
async def at(platform: At) -> AsyncIterator[At]:
    """Let a release serve, and nothing be held."""
    await platform.deploy()
    yield platform
    if platform.p.services.find("dev", "greeter") is not None:
        names = list(platform.p.kept().record.eternal)
        async for _ in platform.p.deployer.destroy(ASKING, **PLACE, confirm=names):
            pass
    assert await running_instances(platform.p) == set()


async def test_another_artefact_than_the_one_that_was_asked_for_never_starts(at: At) -> None:
    kept = at.p.kept()
    serving = kept.active_release()
    assert serving is not None
    before = await running_instances(at.p)
    with pytest.raises(DeployFailed, match="its folder has changed"):
        await at.deploy(key="other", artifact="0" * 32)
    assert await running_instances(at.p) == before
    assert (await at.outcome("other"))[0] == "failed"
    told = await at.deploy(key="same", artifact=serving.artifact)
    assert told[-1].step == "done"


async def test_what_is_held_runs_and_gets_nothing_until_it_is_shifted_and_settled(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1")

    assert await at.outcome("k1") == ("holding", number)
    assert at.p.kept().record.operation is None
    assert await at.answers(20) == {before: 20}
    await at.shift("k1", 0.5)
    assert set(await at.answers(60)) == {before, number}
    await at.shift("k1", 1)
    assert await at.answers(20) == {number: 20}
    await at.shift("k1", 0)
    assert await at.answers(20) == {before: 20}
    told = await at.settle("k1")

    assert (told[-1].step, told[-1].release) == ("done", number)
    assert await at.answers(20) == {number: 20}
    record = at.p.kept().record
    assert (record.active, record.canary, record.trail[-1]) == (number, None, before)
    assert await at.outcome("k1") == ("serving", number)
    assert (await at.settle("k1"))[-1].step == "done"
    await at.rollback()
    assert await at.answers(5) == {before: 5}


async def test_a_withdrawal_takes_back_what_the_release_alone_declared(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1", MORE_VOLUMES)
    await at.shift("k1", 0.5)
    assert set(at.p.kept().record.eternal) == {"notes", "photos"}

    await at.withdraw("k1", "too slow")

    kept = at.p.kept()
    assert await at.answers(20) == {before: 20}
    assert set(kept.record.eternal) == {"notes"}
    assert (kept.release(number).state, kept.release(number).failure) == ("withdrawn", "too slow")
    assert await running_instances(at.p) == {
        one.id for n in kept.running for one in kept.release(n).instances
    }
    assert number not in kept.running
    assert await at.outcome("k1") == ("withdrawn", number)
    assert (await at.withdraw("k1"))[-1].step == "done"
    with pytest.raises(NoCanary, match="withdrawn"):
        await at.shift("k1", 0.5)
    with pytest.raises(NoCanary):
        await at.settle("k1")


async def test_a_repeated_key_reports_what_became_of_the_first(at: At) -> None:
    number = await at.hold("k1")

    again = await at.deploy(MORE_VOLUMES, key="k1", hold=True)

    assert (again[-1].step, again[-1].release) == ("hold", number)
    assert at.p.kept().record.next_release == number + 1
    await at.settle("k1")
    assert (await at.deploy(key="k1", hold=True))[-1].step == "done"
    with pytest.raises(DeployFailed):
        await at.deploy(BROKEN, key="k2", hold=True)
    state, failed = await at.outcome("k2")
    assert state == "failed"
    with pytest.raises(DeployFailed, match=f"release {failed} failed earlier"):
        await at.deploy(key="k2")
    assert await at.outcome("k3") == ("unknown", 0)


async def test_two_deploys_at_once_under_one_key_are_one(at: At) -> None:
    first = at.p.kept().record.next_release

    both = await asyncio.gather(*(at.deploy(key="k1", wait=False) for _ in range(2)))

    assert at.p.kept().record.next_release == first + 1
    assert {told[-1].release for told in both} == {first}
    assert await at.outcome("k1") == ("serving", first)


async def test_a_rollback_under_a_key_happens_once(at: At) -> None:
    await at.deploy()
    record = at.p.kept().record

    await at.rollback(key="r1")
    await at.rollback(key="r1")

    assert at.p.kept().record.active == record.trail[-1]
    assert await at.outcome("r1") == ("serving", record.trail[-1])


async def test_a_rollback_leads_to_any_release_that_is_kept(at: At) -> None:
    first = at.p.kept().record.active
    for _ in range(2):
        await at.deploy()

    await at.rollback(release=first)

    assert await at.answers(5) == {first: 5}
    assert first not in at.p.kept().record.trail
    with pytest.raises(DeployFailed):
        await at.deploy(BROKEN)
    with pytest.raises(NothingToRollBackTo, match="never served"):
        await at.rollback(release=at.p.kept().record.next_release - 1)


async def test_while_a_release_is_held_no_other_one_is_deployed(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1")
    for key in (None, "k2"):
        with pytest.raises(CanaryHeld, match="settle or withdraw"):
            await at.deploy(key=key, hold=key is not None)

    told = await at.rollback(key="r1")

    assert any("withdrawn" in one.text for one in told)
    assert await at.answers(5) == {before: 5}
    assert await at.outcome("k1") == ("withdrawn", number)
    assert await at.outcome("r1") == ("serving", before)
    await at.rollback(key="r1")
    assert at.p.kept().record.active == before


async def test_an_abort_withdraws_what_is_held(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1")

    said = await at.p.deployer.abort(ASKING, **PLACE)

    assert said.startswith(f"release {before} ")
    assert await at.outcome("k1") == ("withdrawn", number)
    with pytest.raises(NothingToAbort):
        await at.p.deployer.abort(ASKING, **PLACE)


async def test_a_destroy_removes_what_is_held_too(at: At) -> None:
    await at.hold("k1", MORE_VOLUMES)
    await at.shift("k1", 0.5)

    async for _ in at.p.deployer.destroy(ASKING, **PLACE, confirm=["notes", "photos"]):
        pass

    assert await running_instances(at.p) == set()
    assert at.p.services.find("dev", "greeter") is None


async def test_the_first_release_serves_at_once(at: At) -> None:
    async for _ in at.p.deployer.destroy(ASKING, **PLACE, confirm=["notes"]):
        pass

    told = await at.deploy(key="k1", hold=True)

    assert any("serves at once" in one.text for one in told)
    assert (await at.outcome("k1"))[0] == "serving"
    assert (await at.settle("k1"))[-1].step == "done"


async def test_a_cutover_is_not_held(at: At) -> None:
    with pytest.raises(Invalid, match="never run together"):
        await at.deploy("deploy: {strategy: cutover}", key="k1", hold=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": 1.1},
        {"share": -0.1},
        {"share": float("nan")},
        {"share": 0.5, "cohort": "colour"},
        {"share": 0.5, "header": "X Y"},
        {"share": 0.5, "header": "host"},
        {"share": 0.5, "header": "x\r\ny"},
    ],
)
async def test_a_shift_that_cannot_be_is_refused(at: At, wrong: dict[str, Any]) -> None:
    with pytest.raises((Invalid, NoCanary)):
        await at.p.deployer.shift(ASKING, **PLACE, key="k1", **wrong)
    await at.hold("k1")
    with pytest.raises(Invalid):
        await at.p.deployer.shift(ASKING, **PLACE, key="k1", **wrong)
    with pytest.raises(NoCanary):
        await at.shift("other", 0.5)


@pytest.mark.parametrize(("cohort", "header"), [("user", "x-user-id"), ("tenant", "x-tenant-id")])
async def test_who_is_on_a_release_stays_there_while_its_share_grows(
    at: At, cohort: str, header: str
) -> None:
    number = await at.hold("k1")
    everybody = [{header: f"{cohort}-{i}"} for i in range(80)]
    before: set[str] = set()
    for share in (0.1, 0.3, 0.6):
        await at.shift("k1", share, cohort=cohort)
        sides = [{await answerer(at.port, one) for _ in range(2)} for one in everybody]
        assert all(len(side) == 1 for side in sides)
        on_it = {
            one[header] for one, side in zip(everybody, sides, strict=True) if side == {number}
        }
        assert before <= on_it
        assert abs(len(on_it) / 80 - share) < 0.25
        before = on_it
    assert len(before) > 20


async def test_a_visitor_is_known_again_by_a_cookie_that_the_edge_sets(at: At) -> None:
    await at.hold("k1")
    await at.shift("k1", 0.5, cohort="visitor")
    seen = set()
    for _ in range(20):
        first, cookie = await visited(at.port, None)
        assert cookie is not None
        again = [await visited(at.port, cookie) for _ in range(3)]
        assert again == [(first, None)] * 3
        seen.add(first)
    assert len(seen) == 2


async def visited(port: int, cookie: str | None) -> tuple[int, str | None]:
    """Return which release answered, and which cookie was set."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    more = f"Cookie: theme=dark; {cookie}; last=1\r\n" if cookie else ""
    head = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{more}\r\n"
    writer.write(head.encode())
    answer = (await reader.read()).decode()
    writer.close()
    given = re.search(r"set-cookie: ([^;]+);", answer)
    return int(answer.rpartition(" ")[2]), given[1] if given else None


async def test_a_header_chooses_the_release(at: At) -> None:
    before = at.p.kept().record.active
    number = await at.hold("k1")
    canary, stable = {"x-release": "canary"}, {"x-release": "stable"}
    await at.shift("k1", 0, header="x-release")
    assert await at.answers(5, canary) == {before: 5}
    await at.shift("k1", 0.01, header="x-release")
    assert await at.answers(10, canary) == {number: 10}
    await at.shift("k1", 0.99, header="x-release")
    assert await at.answers(10, stable) == {before: 10}
    await at.shift("k1", 1, header="x-release")
    assert await at.answers(5, stable) == {number: 5}


async def test_no_request_fails_while_the_share_changes_fifty_times(at: At) -> None:
    number = await at.hold("k1")
    answers: Counter[int] = Counter()
    failed: list[str] = []
    is_over = asyncio.Event()

    async def load() -> None:
        while not is_over.is_set():
            try:
                answers[await answerer(at.port)] += 1
            except (AssertionError, OSError, ValueError) as e:
                failed.append(repr(e))

    loading = [asyncio.create_task(load()) for _ in range(4)]
    for i in range(50):
        await at.shift("k1", (i * 37 % 101) / 100)
    await at.shift("k1", 0.5)
    await until(lambda: answers[number] >= 50, "both answer")
    await at.settle("k1")
    await at.hold("k2")
    await at.shift("k2", 0.5)
    await at.withdraw("k2")
    is_over.set()
    await asyncio.gather(*loading)

    assert failed == []
    assert len(answers) == 3


@pytest.mark.parametrize("ends", ["settle", "withdraw"])
async def test_a_request_that_the_canary_has_begun_is_answered_by_it(at: At, ends: str) -> None:
    number = await at.hold("k1")
    await at.shift("k1", 0.5, header="x-release")
    slow = asyncio.create_task(ask(at.port, HOST, "/slow", headers={"x-release": "canary"}))
    (instance,) = at.p.kept().running[number].instances
    await until(lambda: "begun" in instance.log.read_text(), "the canary has it")
    await (at.settle("k1") if ends == "settle" else at.withdraw("k1"))

    assert (await slow).startswith("200 ")
    assert (await slow).endswith(f"release {number}")


async def test_what_dies_while_it_is_tried_costs_nobody_an_answer_and_is_seen(at: At) -> None:
    number = await at.hold("k1")
    await at.shift("k1", 0.5)
    (instance,) = at.p.kept().running[number].instances
    assert instance.pid is not None
    os.kill(instance.pid, signal.SIGKILL)

    assert sum((await at.answers(30)).values()) == 30

    limit = asyncio.get_running_loop().time() + 10
    while (seen := await at.signals("k1")).canary.restarts == 0:
        assert asyncio.get_running_loop().time() < limit
        await asyncio.sleep(0.05)
    assert any("backing-off" in event for event in seen.events)
    assert seen.stable.restarts == 0


async def test_a_proxy_that_is_killed_parts_requests_as_before(at: At) -> None:
    number = await at.hold("k1")
    await at.shift("k1", 0.5, cohort="user", header="x-release")
    users = [{"x-user-id": f"u{i}"} for i in range(20)]
    before = [await answerer(at.port, one) for one in users]
    counted = (await at.signals("k1")).canary.requests
    (pid,) = [status.pid for status in at.p.platform.engines()]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    async def answered() -> list[int] | None:
        try:
            return [await answerer(at.port, one) for one in users]
        except (OSError, AssertionError, ValueError, IndexError):
            return None

    limit = asyncio.get_running_loop().time() + 20
    while (after := await answered()) is None:
        assert asyncio.get_running_loop().time() < limit
        await asyncio.sleep(0.05)
    assert after == before

    # The agent replaces the proxy that came back by itself; what that one had counted last may go with it.
    async def counts_each() -> bool:
        try:
            begun = (await at.signals("k1")).canary.requests
            answers = await answered()
            now = (await at.signals("k1")).canary.requests
        except ProxyUnavailable:  # it is being replaced
            return False
        assert answers in (None, before)
        assert begun >= counted
        return now >= begun + before.count(number)

    while not await counts_each():
        assert asyncio.get_running_loop().time() < limit


async def test_both_releases_are_counted_from_the_hold_on(at: At) -> None:
    await at.answers(5)
    await at.hold("k1", "env: {FAILS: '1'}")
    await at.shift("k1", 0.5, header="x-release")
    begun = await at.signals("k1")
    assert (begun.stable.requests, begun.canary.requests) == (0, 0)

    for _ in range(10):
        assert (await ask(at.port, HOST, "/bad", headers={"x-release": "canary"}))[:3] == "500"
        assert (await ask(at.port, HOST, "/", headers={"x-release": "canary"}))[:3] == "200"
        assert (await ask(at.port, HOST, "/", headers={"x-release": "stable"}))[:3] == "200"

    seen = await at.signals("k1")
    assert (seen.canary.requests, seen.canary.errors) == (20, 10)
    assert (seen.stable.requests, seen.stable.errors) == (10, 0)
    assert any("attempts at it failed" in event for event in seen.events)
    assert any('log: {"level": "error", "text": "it is bad"}' in event for event in seen.events)
    assert "declares a service" in seen.unmeasured["dependency-errors"]
    assert seen.canary.log_errors == 10
    assert seen.stable.log_errors == 0
    assert seen.bounds == tuple(sorted(seen.bounds))
    with pytest.raises(NoCanary):
        await at.signals("other")


async def test_what_fails_three_times_in_a_row_is_set_aside_and_the_other_release_answers(
    at: At,
) -> None:
    number = at.p.kept().record.active
    await at.hold("k1", "env: {FAILS: '1'}")
    await at.shift("k1", 0.5, header="x-release")
    chooses = {"x-release": "canary"}
    answers = [(await ask(at.port, HOST, "/bad", headers=chooses))[:3] for _ in range(20)]
    bad = answers.index(
        "200"
    )  # another thread of the proxy sets it aside, a moment after the third one
    assert bad >= 3
    assert answers == ["500"] * bad + ["200"] * (20 - bad)
    assert await answerer(at.port, chooses) == number
    seen = await at.signals("k1")
    assert (seen.canary.requests, seen.canary.errors) == (bad, bad)


async def test_users_are_told_apart_and_one_who_fails_again_and_again_counts_once() -> None:
    """A kill in between: what was counted before it is counted on, and nothing twice."""
    with short_folder() as folder:
        port, source = free_port(), folder_of(folder / "source", {"server.py": FAILING})
        async with by_hand(folder / "h", port) as p:
            at = At(p, source, port)
            await at.deploy()
            number = await at.hold("k1", "env: {FAILS: '1'}")
            await at.shift("k1", 0.5, cohort="user")
            users = [{"x-user-id": f"u{i}"} for i in range(20)]
            on = {i for i, one in enumerate(users) if await answerer(port, one) == number}
            ill = users[min(on)]
            for _ in range(6):
                assert (await ask(port, HOST, "/bad?token=s3", headers=ill))[:3] == "500"
                await answerer(port, ill)
            await _counted(at, met=20, errors=1)
        assert not any(b"u3" in one.read_bytes() for one in (folder / "h").rglob("users.json"))
        for one in users:
            await answerer(port, one)
        async with by_hand(folder / "h", port) as p:
            at = At(p, source, port)
            seen = await _counted(at, met=20, errors=1)
            assert seen.canary.users == len(on)
            assert seen.canary.errors == 6
            assert (seen.canary.users_at_risk, seen.stable.users_at_risk) == (
                len(on),
                20 - len(on),
            )
            told = [event for event in seen.events if "GET /bad answered 500" in event]
            assert told
            assert all("user ~" in event for event in told)
            assert not any("s3" in event or "u3" in event for event in seen.events)
            await at.withdraw("k1")
            await until(lambda: not [*(folder / "h").rglob("users.json")], "users are forgotten")


async def test_a_tenant_that_was_well_before_and_then_fails_always_has_turned(at: At) -> None:
    number = await at.hold("k1", "env: {FAILS: '1'}")
    await at.shift("k1", 0.05, cohort="tenant")
    tenants = [{"x-tenant-id": f"t{i}"} for i in range(12)]
    before = [await answerer(at.port, one) for one in tenants]
    stays = [one for one, answered in zip(tenants, before, strict=True) if answered != number]
    for one in stays:
        for _ in range(20):
            assert (await ask(at.port, HOST, headers=one))[:3] == "200"
    await at.shift("k1", 0.95, cohort="tenant")
    for ill in stays:
        if (await ask(at.port, HOST, "/bad", headers=ill))[:3] == "500":
            break  # it is on the new release, which nearly all are now
    others = [one for one in tenants if one is not ill]
    for _ in range(5):
        await ask(at.port, HOST, "/bad", headers=ill)
        for one in others:
            await answerer(at.port, one)
    async with asyncio.timeout(20):
        while (seen := await at.signals("k1")).canary.users_turned != 1:
            pass
    assert seen.canary.users_in_error == 1


async def _counted(at: At, *, met: int, errors: int) -> Signals:
    """Wait until so many users were seen, and so many in error: proxies write down each second."""
    async with asyncio.timeout(20):
        while True:
            seen = await at.signals("k1")
            both = (seen.stable, seen.canary)
            if (sum(a.users for a in both), sum(a.users_in_error for a in both)) == (met, errors):
                return seen


async def test_the_next_agent_routes_and_counts_on_as_the_one_before() -> None:
    with short_folder() as folder:
        port, source = free_port(), folder_of(folder / "source", {"server.py": FAILING})
        async with by_hand(folder / "h", port) as p:
            at = At(p, source, port)
            await at.deploy()
            number = await at.hold("k1")
            await at.shift("k1", 0.5, cohort="user", header="x-release")
            users = [{"x-user-id": f"u{i}"} for i in range(30)]
            before = [await answerer(port, one) for one in users]
            counted = await at.signals("k1")
        meanwhile = [await answerer(port, one) for one in users]
        async with by_hand(folder / "h", port) as p:
            at = At(p, source, port)
            after = [await answerer(port, one) for one in users]
            seen = await at.signals("k1")
            view = await p.deployer.show(ASKING, **PLACE)
            assert view.canary is not None
            assert (view.canary.release, view.canary.share) == (number, 0.5)
            assert before == meanwhile == after
            assert counted.canary.requests == before.count(number)
            assert seen.canary.requests == 3 * before.count(number)
            assert seen.stable.requests == 3 * (30 - before.count(number))
            await at.settle("k1")
            assert await at.answers(5) == {number: 5}
