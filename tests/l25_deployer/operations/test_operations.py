"""What people do to services that run, in the process, through its wire form, and by an agent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from drystone.l25_deployer.errors import (
    NoInstance,
    NumberRefused,
    PortTaken,
    RestartFailed,
    ScalingFailed,
    ServiceNotFound,
    TargetNotFound,
)
from l25_deployer.operated import TELLING, Load, Reached, client_of, values_of
from l25_deployer.reached import all_of, at
from l25_deployer.small_platform import (
    ASKING,
    SERVER,
    ask,
)

T = TypeVar("T")

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONLY_THE_FIRST = SERVER.replace(
    "port = int(sys.argv[1])",
    "port = int(sys.argv[1])\nif not os.environ['DRYSTONE_INSTANCE'].endswith('-0'): sys.exit(3)",
)


async def test_a_number_set_by_hand_holds_until_the_next_release(p: Reached) -> None:
    await p.deploy("counted")
    async with Load(p.port, "counted.dev.localhost") as load:
        told = await all_of(p.api.scale(ASKING, **at("counted"), instances=3))
        assert len(await p.pids("counted")) == 3
        down = await all_of(p.api.scale(ASKING, **at("counted"), instances=2))
        assert len(await p.pids("counted")) == 2
    assert (load.failed, load.asked > 0) == ([], True)
    assert told[-1].text == "counted.dev has 3 of 'web', until the next release"
    assert [one.step for one in down if one.state == "ended"] == ["drain"]
    [scaling] = (await p.deployer.show(ASKING, **at("counted"))).scaling
    assert (scaling.group, scaling.instances, scaling.fixed) == ("web", 2, 2)

    await p.deploy("counted")

    assert len(await p.pids("counted")) == 1
    assert (await p.deployer.show(ASKING, **at("counted"))).scaling == []


async def test_auto_gives_the_number_back(p: Reached) -> None:
    await p.deploy("given")
    await all_of(p.api.scale(ASKING, **at("given"), instances=2))
    told = await all_of(p.api.scale(ASKING, **at("given")))
    assert told[-1].text == "given.dev has 1 of 'web', as its load asks for"
    page = await p.deployer.history(ASKING, **at("given"))
    scaled = [(one.event, one.text, one.by) for one in page.items if one.event == "scale"]
    assert [text for _, text, _ in scaled] == ["web follows its load again", "web 1 → 2 by hand"]
    assert "platform" not in {by for _, _, by in scaled}


@pytest.mark.parametrize(
    ("count", "group", "said"),
    [
        (0, None, "'web' can have 1 to 100 instances, not 0"),
        (-1, None, "not -1"),
        (10**9, None, "1 to 100"),
        (2, "mailer", "no group 'mailer'; name one of: web"),
    ],
)
async def test_a_number_that_cannot_be_is_refused(
    p: Reached, count: int, group: str | None, said: str
) -> None:
    await p.deploy("refused")
    with pytest.raises(NumberRefused, match=said):
        await all_of(p.api.scale(ASKING, **at("refused"), instances=count, group=group))
    assert len(await p.pids("refused")) == 1


async def test_a_new_instance_that_does_not_come_up_leaves_as_many_as_before(p: Reached) -> None:
    await p.deploy("lame", server=ONLY_THE_FIRST)
    before = await p.pids("lame")
    with pytest.raises(ScalingFailed, match="web has 1 instances as before"):
        await all_of(p.api.scale(ASKING, **at("lame"), instances=2))
    with pytest.raises(RestartFailed, match="0 of 1 instances were replaced"):
        await all_of(p.api.restart(ASKING, **at("lame")))
    assert await p.pids("lame") == before
    assert (await p.deployer.show(ASKING, **at("lame"))).scaling == []


async def test_a_restart_replaces_every_instance_and_no_request_fails(p: Reached) -> None:
    worker = "workers: {mailer: {command: [python3, -c, 'import time; time.sleep(3600)']}}"
    await p.deploy("renewed", more=f"scale: 2\n{worker}")
    before = await p.pids("renewed")
    async with Load(p.port, "renewed.dev.localhost") as load:
        await all_of(p.api.restart(ASKING, **at("renewed")))
    after = await p.pids("renewed")
    assert (len(before), len(after), before & after) == (3, 3, set())
    assert (load.failed, load.asked > 0) == ([], True)


async def test_a_restart_of_a_cutover_replaces_each_in_its_place(p: Reached) -> None:
    await p.deploy("alone", more="deploy: {strategy: cutover}")
    before = await p.instances("alone")
    await all_of(p.api.restart(ASKING, **at("alone")))
    after = await p.instances("alone")
    assert [one.id for one in before] == [one.id for one in after]
    assert {one.pid for one in before}.isdisjoint({one.pid for one in after})
    assert (await ask(p.port, "alone.dev.localhost")).startswith("200")


async def test_events_tell_what_becomes_ill_and_well_again(p: Reached) -> None:
    await p.deploy("watched")
    since = datetime.now(UTC)
    async with asyncio.timeout(20):
        async with closing(
            p.api.events(ASKING, **at("watched"), since=since, follow=True)
        ) as stream:
            [pid] = await p.pids("watched")
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            told = [(await anext(stream)) for _ in range(2)]
    assert [one.event for one in told] == ["backing-off", "healthy"]
    assert "SIGKILL" in told[0].text
    past = await all_of(p.api.events(ASKING, **at("watched"), last=3))
    assert [one.event for one in past] == ["deploy done", "backing-off", "healthy"]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await all_of(p.api.events(ASKING, **at("watched"), since=later)) == []


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a stream as a caller does who leaves."""
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)
        assert close is not None
        await close()


async def fetch(address: str) -> str:
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    return await ask(int(port), "any")


async def test_a_port_leads_to_an_instance_until_its_stream_is_closed(p: Reached) -> None:
    await p.deploy("reached", more="scale: 2")
    first, second = await p.instances("reached")
    to: dict[str, Any] = {**at("reached"), "to": second.id}
    async with closing(p.api.forward(ASKING, **to)) as stream:
        opened = await anext(stream)
        assert opened.target == f"{second.id}:{second.port}"
        answers = [await fetch(opened.address) for _ in range(3)]
        assert {answer.split()[3] for answer in answers} == {str(second.pid)}
        connected = await anext(stream)
        assert (connected.connection, connected.problem) == (1, "")
    await until_closed(opened.address)
    page = await p.deployer.history(ASKING, **at("reached"))
    assert page.items[0].event == "port-forward"
    with pytest.raises(TargetNotFound, match="does not listen on 1"):
        await all_of(p.api.forward(ASKING, **to, remote=1))
    with pytest.raises(TargetNotFound, match=f"no instance, group or resource 'db'.*{first.id}"):
        await all_of(p.api.forward(ASKING, **at("reached"), to="db"))


async def until_closed(address: str) -> None:
    limit = asyncio.get_running_loop().time() + 10
    while not await is_closed(address):
        assert asyncio.get_running_loop().time() < limit, "it is never closed"
        await asyncio.sleep(0.01)


async def is_closed(address: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    except OSError:
        return True
    writer.close()
    return False


async def test_a_port_that_is_taken_is_not_opened(p: Reached) -> None:
    await p.deploy("taken")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port} cannot be opened"):
            await all_of(p.api.forward(ASKING, **at("taken"), local=port))


async def test_logs_of_one_instance_leave_the_others_out(p: Reached) -> None:
    await p.deploy("talking", more="scale: 2")
    _, second = await p.instances("talking")
    told = await all_of(p.deployer.logs(ASKING, **at("talking"), instance=second.id))
    assert {one.instance for one in told} == {second.id}
    assert {one.instance for one in await all_of(p.deployer.logs(ASKING, **at("talking")))} != {
        second.id
    }


async def test_what_is_not_there_is_said(p: Reached) -> None:
    for stream in (
        p.api.scale(ASKING, **at("nothing"), instances=2),
        p.api.restart(ASKING, **at("nothing")),
        p.api.forward(ASKING, **at("nothing")),
        p.api.events(ASKING, **at("nothing")),
    ):
        with pytest.raises((ServiceNotFound, NoInstance)):
            await all_of(stream)


async def test_a_message_that_is_sent_lies_in_the_queue_that_was_named(p: Reached) -> None:
    queues = "resources: {inbox: {type: queue}, ordered: {type: queue, fifo: true}}"
    await p.deploy("taking", queues, TELLING)
    sqs = client_of(await values_of(p.port, "taking"), "sqs")
    for queue, name in (("inbox", "inbox"), ("ordered", "ordered.fifo")):
        sent = await p.api.send(ASKING, **at("taking"), queue=queue, body='{"order": "1"}')
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        [message] = sqs.receive_message(QueueUrl=url)["Messages"]
        assert (message["MessageId"], message["Body"]) == (sent, '{"order": "1"}')
    with pytest.raises(TargetNotFound, match="no queue 'inbx' in dev; there are: inbox, ordered"):
        await p.api.send(ASKING, **at("taking"), queue="inbx", body="x")
    page = await p.deployer.history(ASKING, **at("taking"))
    assert [one.text for one in page.items[:2]] == ["to ordered", "to inbox"]
