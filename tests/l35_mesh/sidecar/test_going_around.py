"""A service tries to go around its sidecar, against stand-ins that would answer. Nothing does, and each attempt is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.processes import Processes
from drystone.testing.conformance.engines import eventually, short_home
from l35_mesh.sidecar.around import (
    METADATA,
    OUTSIDE,
    OUTSIDE_6,
    PARTNER,
    SERVER,
    WORLD,
    Attempt,
    Scene,
    scene,
    tried,
    tried_by_instance,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
ESCAPES: tuple[Attempt, ...] = (
    ("enter", "/proc/1/ns/net"),
    ("unshare", NEW_NETWORK),
    ("unshare", NEW_USER | NEW_NETWORK),
    ("run", "nft", "flush", "ruleset"),
    ("run", "ip", "link", "set", "lo", "down"),
    ("run", "ip", "link", "add", "out", "type", "dummy"),
    ("run", "ip", "route", "add", "203.0.113.0/24", "dev", "lo"),
    ("run", "unshare", "--map-root-user", "--net", "true"),
    ("run", "setpriv", "--reuid=0", "--bounding-set=+all", "--inh-caps=+all", "true"),
    ("write", "/proc/sys/net/ipv4/ip_forward", "1"),
    ("write", "/proc/sys/net/ipv4/ping_group_range", "0 0"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def around() -> AsyncIterator[Scene]:
    with short_home() as home:
        for reason in (await Networks(home / "trial").available(), await Bubblewrap().available()):
            if reason is not None:
                pytest.skip(reason)
        async with scene(home) as made:
            yield made


async def test_what_is_tried_would_be_answered_where_there_is_a_way(around: Scene) -> None:
    for attempts, network in ((WORLD, around.control), (around.on_this_host(), None)):
        outcomes = await tried(attempts, network)
        assert [one.partition(" ")[0] for one in outcomes] == ["answered"] * len(attempts)


async def test_nothing_answers_a_service_that_goes_around_its_sidecar(around: Scene) -> None:
    edge, theirs = (("tcp", "127.0.0.1", port) for port in (around.rig.port, around.theirs))
    attempts = (*WORLD, *around.on_this_host(), edge, theirs)
    outcomes = await tried_by_instance(around, Bubblewrap(), attempts)
    pairs = dict(zip(attempts, outcomes, strict=True))
    assert {a: one for a, one in pairs.items() if not one.startswith("refused")} == {}
    for caught in (("tcp", OUTSIDE, 80), edge, theirs):
        assert pairs[caught] == "refused HTTP/1.1 403 Forbidden"
    assert pairs["udp", OUTSIDE, 123] == "refused EPERM"


async def test_a_plain_process_is_refused_as_well_as_long_as_it_does_not_leave(
    around: Scene,
) -> None:
    """It has every right of the superuser, so that it is the network alone that refuses."""
    attempts = tuple(one for one in WORLD if one != ("frames",))
    outcomes = await tried_by_instance(around, Processes(), attempts)
    assert all(one.startswith("refused") for one in outcomes), outcomes


async def test_what_is_declared_is_reached(around: Scene) -> None:
    attempts = (
        ("tcp", "127.0.0.1", around.rig.out),
        ("named", PARTNER, around.partner),
        ("dns", SERVER, PARTNER),
        ("dns", "2001:db8::53", PARTNER),
    )
    called, partner, *names = await tried_by_instance(around, Bubblewrap(), attempts)
    assert called == "refused HTTP/1.1 200 OK"  # blue is no stand-in
    assert partner == "answered stand-in"
    assert names == ["answered 127.1.0.1"] * 2


async def test_no_way_leads_out_of_the_network(around: Scene) -> None:
    aims: tuple[Attempt, ...] = (("tcp", OUTSIDE, 80), ("udp", OUTSIDE, 123))
    outcomes = await tried_by_instance(around, Bubblewrap(), (*ESCAPES, *aims))
    pairs = dict(zip((*ESCAPES, *aims), outcomes, strict=True))
    assert {a: one for a, one in pairs.items() if not one.startswith("refused")} == {}


async def test_each_attempt_is_seen_with_what_it_aimed_at(around: Scene) -> None:
    attempts: tuple[Attempt, ...] = (
        ("tcp", METADATA, 80),
        ("silent", OUTSIDE, 81),
        ("tcp", OUTSIDE_6, 80),
        ("tcp", "127.0.0.1", around.host),
        ("tcp", "127.0.0.1", around.rig.port),
        ("dns", SERVER, "c2VjcmV0.tunnel.example"),
        ("udp", OUTSIDE, 124),
    )
    before = await around.networks.refused("desk.dev")
    await tried_by_instance(around, Bubblewrap(), attempts)
    caught = {
        f"{METADATA}:80",
        f"{OUTSIDE}:81",
        f"[{OUTSIDE_6}]:80",
        f"127.0.0.1:{around.host}",
        f"127.0.0.1:{around.rig.port}",
    }
    await eventually(lambda: caught <= {one.get("destination") for one in around.refused()})
    await eventually(
        lambda: "c2VjcmV0.tunnel.example" in {one.get("name") for one in around.refused()}
    )
    assert {one["caller"] for one in around.refused()} == {"dev/desk"}
    after = await around.networks.refused("desk.dev")
    assert before is not None
    assert after is not None
    assert after.caught - before.caught == len(caught)
    assert after.udp - before.udp == 1
    assert (OUTSIDE, 124, 1) in {(one.address, one.port, one.packets) for one in after.destinations}
