"""Measure the platform and print the tables of docs/benchmarks.md.

``python -m benchmarks [--only NAME]… [--count N]``

Those that measure other programs beside it run when they are named; ``python -m benchmarks.peers.install`` first.

Every time stands beside a baseline that was taken in the same run, so that a busy or slow machine shows.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.access import decisions
from benchmarks.backups import backups
from benchmarks.edge import edge
from benchmarks.edge_guard import edge_guard
from benchmarks.edge_parts import edge_parts
from benchmarks.in_flight import deploys_in_flight
from benchmarks.killed_platform import agents, edges
from benchmarks.mesh import mesh
from benchmarks.mesh_limits import mesh_limits
from benchmarks.mesh_scale import mesh_scale
from benchmarks.mesh_sidecars import mesh_sidecars
from benchmarks.mesh_switches import mesh_switches
from benchmarks.new_services import new_services
from benchmarks.orchestrator import orchestrator, whole_orchestrator
from benchmarks.peers.first_response import first_responses
from benchmarks.peers.switch import in_flight, switches
from benchmarks.policies import judgements
from benchmarks.recovery import recoveries
from benchmarks.registry import registrations
from benchmarks.resources import resources
from benchmarks.rollout.tables import (
    rollout_blast,
    rollout_equal,
    rollout_found,
    rollout_late,
    rollout_outage,
    rollout_worse,
)
from benchmarks.sandboxes import sandboxes
from benchmarks.scale import many, memory, registered
from benchmarks.scaling import scaling
from benchmarks.searches import searches
from benchmarks.stand import NAME, SERVER, bare_start, remove, seconds, spread, stand, table
from benchmarks.workflows import workflows

from drystone.l10_engines.loopback_ports import free_port
from drystone.testing.command_line import CommandLine, short_home
from drystone.testing.load import Load, run
from drystone.testing.python_image import python_image

RATE = 200
DEPLOYS_UNDER_TRAFFIC = 20
GUESTBOOK = Path(__file__).parents[1] / "examples/guestbook/service.yaml"


async def deploys(count: int) -> str:
    """From `drystone deploy` to the first answer of the new version, on each runtime."""
    bare = [await bare_start() for _ in range(count)]
    rows = [["bare `python trivial_server.py`", spread(bare), "1.0", "", ""]]
    for runtime in ("processes", "bubblewrap", "podman"):
        if runtime != "processes" and shutil.which(runtime.replace("bubblewrap", "bwrap")) is None:
            rows.append([runtime, "not installed here", "", "", ""])
        elif runtime == "podman":
            with python_image(SERVER) as image:
                rows.append(await _deploys(count, "auto", bare, image))
        else:
            rows.append(await _deploys(count, runtime, bare))
    title = f"Deploy → first response of the new version, median of {count} (least to most)"
    return table(
        title, ["runtime", "time", "ratio to bare", "platform's part", "longest steps"], rows
    )


async def _deploys(
    count: int, runtime: str, bare: list[float], image: str | None = None
) -> list[str]:
    async with stand(runtime) as one:
        descriptor = one.descriptor(image=image)
        await one.deploy(descriptor, "first")  # the artefact is built and Envoy knows the service
        one.steps.clear()
        took = [await one.deploy(descriptor, f"v{number}") for number in range(count)]
    before = {name: median(times) for name, times in one.steps.items() if name != "drain"}
    longest = sorted(before.items(), key=lambda item: -item[1])[:4]
    steps = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in longest)
    ratio = f"{median(took) / median(bare):.1f}"
    return [
        "podman" if image else runtime,
        spread(took),
        ratio,
        f"{sum(before.values()):.2f} s",
        steps,
    ]


async def traffic(count: int) -> str:
    """Deploys one after the other while requests arrive."""
    async with stand() as one:
        descriptor = one.descriptor()
        await one.deploy(descriptor, "first")
        enough = asyncio.Event()
        load = Load(url=one.url, rate=RATE, length=timedelta(minutes=10))
        running = asyncio.create_task(run(load, stop=enough))
        took = [
            await one.deploy(descriptor, f"v{number}") for number in range(DEPLOYS_UNDER_TRAFFIC)
        ]
        enough.set()
        report = await running
    switch = spread(one.steps["switch"])
    slowest = report.latency(1) or timedelta()
    return table(
        f"{DEPLOYS_UNDER_TRAFFIC} deploys at {RATE} requests/s, half over new connections",
        ["requests", "failed", "p50", "p99", "slowest", "deploy → first response", "switch"],
        [
            [
                len(report.outcomes),
                len(report.failed),
                *(_ms(report.latency(share)) for share in (0.5, 0.99)),
                _ms(slowest),
                spread(took),
                switch,
            ]
        ],
    )


async def rollbacks(count: int) -> str:
    """From `drystone rollback` to the first answer of the earlier version."""
    rows = []
    for name, warm in (
        ("warm: the earlier release still runs", "30m"),
        ("cold: it is started", "0s"),
    ):
        async with stand() as one:
            descriptor = one.descriptor(warm=warm)
            took = []
            for number in range(count):
                await one.deploy(descriptor, f"old{number}")
                await one.deploy(descriptor, f"new{number}")
                took.append(await one.until_version(f"old{number}", "rollback", NAME))
        rows.append([name, spread(took)])
    return table(f"Rollback → first response, median of {count}", ["rollback", "time"], rows)


async def starts(count: int) -> str:
    """From `drystone up --detach` to its end."""
    rounds = max(3, count // 3)
    empty, existing, full = [], [], []
    for _ in range(rounds):
        drystone = CommandLine(short_home("bench"))
        try:
            empty.append(await seconds(drystone, "up", "-d", "--port", str(free_port())))
            await drystone.must("down")
            existing.append(await seconds(drystone, "up", "-d"))
        finally:
            await remove(drystone)
    drystone = CommandLine(short_home("bench"))
    try:
        await drystone.must("up", "-d", "--port", str(free_port()))
        first = await seconds(drystone, "deploy", GUESTBOOK)
        for _ in range(rounds):
            await drystone.must("down")
            full.append(await seconds(drystone, "up", "-d"))
    finally:
        await remove(drystone)
    rows = [
        ["empty home", spread(empty)],
        ["existing home, nothing deployed", spread(existing)],
        ["existing home with Postgres and the guestbook", spread(full)],
        ["first deploy of the guestbook: new Postgres, its packages installed", f"{first:.2f} s"],
    ]
    return table(f"Start of the platform, median of {rounds}", ["what", "time"], rows)


async def commands(count: int) -> str:
    """CPU time of commands that do little."""
    program = str(Path(sys.executable).with_name("drystone"))
    cases = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "drystone version": [program, "version"],
        "drystone --help": [program, "--help"],
        "drystone deploy --help": [program, "deploy", "--help"],
    }
    rows = []
    for name, command in cases.items():
        cpu = [_cpu(command) for _ in range(count)]
        rows.append([f"`{name}`", f"{median(cpu):.3f} s"])
    return table(f"CPU time of a command, median of {count}", ["command", "CPU time"], rows)


def _cpu(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


BENCHMARKS: dict[str, Callable[[int], Awaitable[str]]] = {
    "commands": commands,
    "deploys": deploys,
    "traffic": traffic,
    "in-flight": deploys_in_flight,
    "scaling": scaling,
    "rollbacks": rollbacks,
    "starts": starts,
    "many": many,
    "registered": registered,
    "memory": memory,
    "killed-agent": agents,
    "killed-edge": edges,
    "backups": backups,
    "sandbox": sandboxes,
}

COMPARISONS: dict[str, Callable[[int], Awaitable[str]]] = {
    "peers-switch": switches,
    "peers-in-flight": in_flight,
    "peers-first": first_responses,
    "peers-recovery": recoveries,
    "peers-edge": edge,
    "peers-workflows": workflows,
    "access": decisions,
    "new-services": new_services,
    "policies": judgements,
    "registry": registrations,
    "resources": resources,
    "edge-guard": edge_guard,
    "searches": searches,
    "edge-parts": edge_parts,
    "orchestrator": orchestrator,
    "orchestrator-whole": whole_orchestrator,
    "mesh": mesh,
    "mesh-switches": mesh_switches,
    "mesh-limits": mesh_limits,
    "mesh-scale": mesh_scale,
    "mesh-sidecars": mesh_sidecars,
    "rollout-equal": rollout_equal,
    "rollout-worse": rollout_worse,
    "rollout-found": rollout_found,
    "rollout-late": rollout_late,
    "rollout-outage": rollout_outage,
    "rollout-blast": rollout_blast,
}


def _ms(time: timedelta | None) -> str:
    return f"{time / timedelta(milliseconds=1):.1f} ms" if time is not None else ""


def _machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    return f"{os.cpu_count()} CPUs, {model}, {platform.system()} {platform.release()}, load {load}"


async def main() -> None:
    """Run the chosen benchmarks and print their tables as they come; what they started ends with them."""
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    known = {**BENCHMARKS, **COMPARISONS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=known, help="may be repeated")
    parser.add_argument("--count", type=int, default=10, help="runs of each (default 10)")
    given = parser.parse_args()
    print(f"{_machine()}\n", flush=True)
    for name in given.only or BENCHMARKS:
        print(await known[name](given.count), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
