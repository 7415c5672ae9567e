"""A platform that stops gracefully answers what it has."""

from __future__ import annotations

import asyncio

from drystone.l10_engines.loopback_ports import free_port
from l25_deployer.small_platform import (
    SERVER,
    ask,
    by_hand,
    deploy,
    descriptor,
    folder_of,
    short_folder,
    until,
)

SLOW = SERVER.replace(
    "    body =",
    """    if asked == ["/slow"]:
        print("begun", flush=True)
        time.sleep(0.7)
    body =""",
)
HOST = "greeter.dev.localhost"


async def test_requests_under_way_are_answered_before_the_platform_ends() -> None:
    with short_folder() as folder:
        port = free_port()
        async with by_hand(folder / "h", port) as p:
            source = folder_of(folder / "source", {"server.py": SLOW})
            text = descriptor(more="scale: 2").replace("drain: 1s", "drain: 10s")
            await deploy(p.deployer, text, source)
            running = p.kept().active
            assert running is not None
            slow = [asyncio.create_task(ask(port, HOST, "/slow")) for _ in range(2)]
            logs = [one.log for one in running.instances]
            await until(
                lambda: all(b"begun" in log.read_bytes() for log in logs), "both have a request"
            )
            steps = [step async for step in p.platform.stop(drain=True)]
            answers = await asyncio.gather(*slow)
    assert [answer[:3] for answer in answers] == ["200", "200"]
    ended = [step.name for step in steps if step.state == "ready"]
    assert ended == ["greeter.dev", "proxy"]
