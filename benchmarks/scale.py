"""What many services cost: start, status, memory, an idle agent; and whether the next deploy notices them.

Every service is real: it is deployed, runs, is asked for its health and is routed at the edge.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.stand import Stand, seconds, spread, stand, table

from drystone.l00_kernel.contract import Caller, Context, connect
from drystone.l00_kernel.home import Home
from drystone.l25_deployer.api import DeployerApi, Source
from drystone.testing.command_line import processes_of

ASKING = Context(Caller("benchmarks"))
MANY = 50
REGISTERED = 500
AT_ONCE = 4
IDLE = timedelta(seconds=20)

ENGINES = {
    "main": {"type": "postgres"},
    "files": {"type": "bucket"},
    "hot": {"type": "cache", "memory": "32Mi"},
}
PARTS = {
    "l90_assembly.agent": "agent",
    "l90_assembly.keeper": "keeper",
    "l20_trust/keys/http.py": "key repositories",
    "runner.sh": "Envoy",
    "/envoy": "Envoy",
    "postgres": "Postgres",
    "/weed": "SeaweedFS",
    "valkey": "Valkey",
}


async def many(count: int) -> str:
    """A platform with fifty services: its start, `status`, and what it takes when nothing happens."""
    rounds = max(3, count // 3)
    async with stand("processes") as one:
        await fill(one, MANY)
        before = _cpu(one.drystone.home)
        await asyncio.sleep(IDLE.total_seconds())
        used = _cpu(one.drystone.home)
        status = [await seconds(one.drystone, "status") for _ in range(rounds)]
        starts = []
        for _ in range(rounds):
            await one.drystone.must("down")
            starts.append(await seconds(one.drystone, "up", "-d"))
    idle = {part: (used[part] - before[part]) / IDLE.total_seconds() for part in ("agent", "Envoy")}
    rows = [
        ["`up`", spread(starts)],
        ["`status`", spread(status)],
        *([f"{part}, idle", f"{share:.1%} of a processor"] for part, share in idle.items()),
    ]
    return table(f"{MANY} services, median of {rounds}", ["what", "value"], rows)


async def registered(count: int) -> str:
    """The same commands beside one service and beside five hundred."""
    async with stand("processes") as one:
        few = await _commands(one, count)
        await fill(one, REGISTERED)
        full = await _commands(one, count)
    rows = [
        [
            name,
            spread(few[name]),
            spread(full[name]),
            f"{median(full[name]) / median(few[name]):.2f}",
        ]
        for name in few
    ]
    columns = ["command", "one service", f"{REGISTERED} services", "ratio"]
    return table(f"{REGISTERED} services that run, median of {count}", columns, rows)


async def memory(_count: int) -> str:
    """What the platform takes when nothing happens, its services not counted."""
    async with stand("processes") as one:
        nothing = await _settled(one.drystone.home)
        await one.drystone.must("deploy", one.descriptor(name="user", resources=ENGINES))
        everything = await _settled(one.drystone.home)
    parts = [part for part in dict.fromkeys(PARTS.values()) if everything[part]]
    rows = [[part, _mb(nothing[part]), _mb(everything[part])] for part in parts]
    rows.append(["**together**", _mb(nothing.total()), _mb(everything.total())])
    columns = ["part", "no engine needed", "every engine running"]
    return table("Memory of an idle platform (proportional set size)", columns, rows)


async def _commands(one: Stand, count: int) -> dict[str, list[float]]:
    """Time the command line, each command ``count`` times in turn."""
    descriptor = one.descriptor(name="measured")
    await one.drystone.must("deploy", descriptor)
    took: dict[str, list[float]] = {}
    for _ in range(count):
        for command in (("plan", descriptor), ("deploy", descriptor), ("status",)):
            took.setdefault(f"`{command[0]}`", []).append(await seconds(one.drystone, *command))
    return took


async def fill(one: Stand, number: int) -> None:
    """Deploy services until there are so many, several at a time."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with connect(DeployerApi, uds=Home(one.drystone.home).agent_socket) as api:

        async def deploy(name: str) -> None:
            async with gate:
                path = one.descriptor(name=name)
                source = Source(text=path.read_text(), file=path.name, folder=str(path.parent))
                async for _ in api.deploy(ASKING, source=source, environment="dev"):
                    pass

        there = len((await api.status(ASKING)).services)
        await asyncio.gather(*(deploy(f"many-{n:03}") for n in range(there, number)))


def _cpu(home: Path) -> dict[str, float]:
    """Return the seconds of processor time that each part has used, its own and its children's."""
    used = dict.fromkeys(PARTS.values(), 0.0)
    for pid, part in _parts(home).items():
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[part] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


async def _settled(home: Path) -> Counter[str]:
    """Return the bytes that each part takes, once what the start left behind has been given back."""
    await asyncio.sleep(IDLE.total_seconds())
    taken: Counter[str] = Counter()
    for pid, part in _parts(home).items():
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            taken[part] += sum(int(x.split()[1]) * 1024 for x in lines if x.startswith("Pss:"))
    return taken


def _parts(home: Path) -> dict[int, str]:
    """Name the platform's own processes by what they are; those of services are left out."""
    found = {}
    for pid, words in processes_of(home).items():
        part = next((part for mark, part in PARTS.items() if mark in words), None)
        if part is not None and "server.py" not in words:
            found[pid] = part
    return found


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
