"""What an edge does by itself while nobody looks after it, and what one taken port may do to it."""

from __future__ import annotations

import json
import signal
from datetime import timedelta

import httpx2

from drystone.l10_engines.loopback_ports import free_port, is_free
from drystone.l10_engines.processes import identity
from drystone.l10_engines.proxy import launch
from drystone.l10_engines.proxy.edge import EdgeService
from drystone.testing.conformance.engines import eventually
from drystone.testing.load import Load, run
from drystone.testing.ports import taken
from l10_engines.proxy.rig import HOST, Rig, only_generation, shop, until
from l10_engines.proxy.upstream import Upstream


def services(blue: Upstream, green: Upstream, port: int, other_port: int) -> list[EdgeService]:
    """Two services that others of this machine may call."""
    return [
        shop(("blue", 1, [blue]), internal_port=port),
        shop(
            ("g", 1, [green]),
            name="dev/other",
            hosts=("other.localhost",),
            internal_port=other_port,
        ),
    ]


async def status_at(rig: Rig, port: int, host: str = HOST) -> int | None:
    """Return the status with which somebody answers at a port; None when nobody listens."""
    try:
        answer = await rig._http.get(
            f"http://127.0.0.1:{port}/", headers={"host": host, "connection": "close"}
        )
    except httpx2.TransportError:
        return None
    return answer.status_code


async def test_a_taken_internal_port_hurts_its_own_service_alone_and_only_until_it_is_free(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    mine, free = free_port(), free_port()
    with taken(mine):
        await rig.publish(*services(blue, green, mine, free))
        assert list(rig.envoy.refused) == ["internal/dev/shop"]
        assert "Address already in use" in rig.envoy.refused["internal/dev/shop"]
        assert (await rig.get()).text == "blue"
        assert (await rig.get(host="other.localhost")).text == "green"
        assert await status_at(rig, free) == 200
        await rig.envoy.tend()
        assert list(rig.envoy.refused) == ["internal/dev/shop"]
    await rig.envoy.tend()
    assert rig.envoy.refused == {}
    assert await status_at(rig, mine) == 200


async def test_two_taken_ports_are_both_named(rig: Rig, blue: Upstream, green: Upstream) -> None:
    first, second = free_port(), free_port()
    with taken(first), taken(second):
        await rig.publish(*services(blue, green, first, second))
        assert sorted(rig.envoy.refused) == ["internal/dev/other", "internal/dev/shop"]
        assert (await rig.get()).text == "blue"


async def test_an_edge_starts_although_an_internal_port_is_taken(
    stopped: Rig, blue: Upstream, green: Upstream
) -> None:
    mine, free = free_port(), free_port()
    with taken(mine):
        await stopped.live(stopped.snapshot(*services(blue, green, mine, free)))
        assert list(stopped.envoy.refused) == ["internal/dev/shop"]
        assert (await stopped.get()).text == "blue"


async def test_an_edge_comes_back_by_itself_although_a_port_was_taken_meanwhile(
    rig: Rig, blue: Upstream, green: Upstream
) -> None:
    internal = free_port()
    await rig.publish(*services(blue, green, internal, free_port()))
    await rig.die()
    generation = only_generation(rig)
    envoy, runner = generation.envoy(), generation.runner()
    assert envoy is not None
    assert runner is not None
    identity.send(runner, signal.SIGSTOP)  # the stranger is to be faster
    identity.send(envoy, signal.SIGKILL)
    await eventually(lambda: is_free(internal))
    with taken(internal):
        identity.send(runner, signal.SIGCONT)

        async def answers() -> bool:
            return await status_at(rig, rig.port) == 200

        await until(answers)
        assert (await rig.get()).text == "blue"
    await rig.live(rig.snapshot(*services(blue, green, internal, free_port())))

    async def is_whole() -> bool:  # another Envoy, which follows the agent, takes its place
        return await status_at(rig, internal) == 200

    await until(is_whole)


async def test_the_access_log_stays_bounded_while_no_agent_lives_and_begins_anew_with_the_next(
    stopped: Rig, blue: Upstream
) -> None:
    limit = 8 << 10
    stopped.bound_access_log(limit)
    await stopped.live(stopped.snapshot(shop(("blue", 1, [blue]))))
    await stopped.die()
    log, largest = stopped.access_log, limit * launch._LOGS_WITHOUT_AGENT

    async def fill() -> bool:
        load = Load(
            url=f"http://127.0.0.1:{stopped.port}/", rate=400, length=timedelta(seconds=0.3)
        )
        assert (await run(load)).failed == ()
        return log.stat().st_size == largest

    await until(fill)
    assert await fill()
    whole = log.read_bytes().splitlines()[:-1]  # the last one was cut
    assert all(json.loads(line)["status"] == 200 for line in whole)
    await stopped.live(stopped.snapshot(shop(("blue", 1, [blue]))))

    async def is_written() -> bool:
        await stopped.envoy.tend()
        await stopped.get(x_request_id="with-an-agent")
        return log.exists() and b"with-an-agent" in log.read_bytes()

    await until(is_written)
    assert log.stat().st_size < largest
