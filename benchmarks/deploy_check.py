"""What the check of dependencies adds to a plan and to a deploy beside 500 services: ``python -m benchmarks.deploy_check``.

A platform is put together over a home in which 500 services are written down; nothing of it runs. Plans are asked of its
deployer as callers ask for them, and of another one that checks nothing. Everything is in processor time.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import msgspec
from benchmarks.stand import table
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ports import NullLog
from drystone.l00_kernel.settings import Settings
from drystone.l25_deployer.api import Source
from drystone.l25_deployer.dependencies.verdict import Verdict
from drystone.l25_deployer.intake import Intake
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.local.live_dependencies import LiveDependencies
from drystone.l25_deployer.local.records import Operation, ServiceRecord
from drystone.l25_deployer.service import Deployer
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l90_assembly.own_services import platform_descriptors
from drystone.l90_assembly.runtimes import Trials
from drystone.l90_assembly.standalone import Standalone, assemble
from drystone.testing.command_line import short_home

ASKING = Context(Caller("benchmarks"))
SERVICES = 500
NEEDS = 8
"""So many others a service needs; two in three of them hard."""

ENVIRONMENT = "dev"


class Unchecked(LiveDependencies):
    """Dependencies of which nothing is checked."""

    @override
    def check(self, wanted: Stacks) -> Verdict:
        return Verdict()


def descriptor(number: int, more: str = "", *, tier: int | None = None) -> str:
    """Write a service that needs some of those before it; all of them need the first one over some steps.

    Args:
        number: Which.
        more: A further line of its dependencies.
        tier: In place of its own.
    """
    chance = random.Random(number)  # noqa: S311 - not a secret
    chosen = {chance.randrange(number) for _ in range(min(number, NEEDS))}
    needs = [
        f"  service-{other}: " + ("hard" if place % 3 else "{needs: soft, without: less}")
        for place, other in enumerate(sorted(chosen), 1)
    ]
    lines = [
        "schema: 1",
        f"service: service-{number}",
        "owner: benchmarks",
        f"tier: {min(3, number * 4 // SERVICES) if tier is None else tier}",
        "process: {command: [python3, -S, server.py]}",
        f"availability: {99.9 + number % 9 / 100:.2f}%",
        *([] if number % 20 else ["slo: {availability: 99%}"]),
        *(["dependencies:", *needs, *filter(None, [more])] if needs or more else []),
    ]
    return "\n".join(lines)


def write(home: Home, intake: Intake, clock: SystemClock) -> None:
    """Write down that all services are deployed."""
    documents = Documents(home.services)
    for number in range(SERVICES):
        source = _source(descriptor(number), home)
        wanted = intake.take(source, ENVIRONMENT, "1")
        record = ServiceRecord(wanted.service, ENVIRONMENT, active=1, next_release=2)
        release = intake.release(wanted, source, 1, "benchmarks")
        documents.save_release(record, msgspec.structs.replace(release, state="active"))
        documents.save_service(record)


def _source(text: str, home: Home) -> Source:
    folder = home.path.with_name(home.path.name + "-service")
    folder.mkdir(exist_ok=True)
    return Source(text, "service.yaml", str(folder))


async def measured(home: Home, rounds: int = 9) -> str:
    """Return the table."""
    clock = SystemClock()
    settings = Settings.load(home, {"DRYSTONE_RUNTIME": "processes"})
    intake = Intake(runtime="processes", runtimes={}, clock=clock, builds_isolated=False)
    write(home, intake, clock)
    whole = await assemble(
        home,
        settings,
        trials=Trials(),
        clock=clock,
        log=NullLog(),
        environ={},
        on_stopped=lambda: None,
    )
    own = list(platform_descriptors())
    deployers = [
        Deployer(
            home=home.path,
            services=whole.services,
            intake=intake,
            platform=whole.platform,
            dependencies=kind(own, whole.services, clock),
        )
        for kind in (Unchecked, LiveDependencies)
    ]
    rows = []
    for what, number, text in CASES:
        plain, checked = (partial(_plan, one, _source(text, home)) for one in deployers)
        times = [(await _taken(plain), await _taken(checked)) for _ in range(rounds + 1)]
        without, with_it = (median(every) for every in zip(*times[1:], strict=True))
        after = []
        for _ in range(rounds):
            _touch(whole, (number + 100) % SERVICES, clock)
            after.append(await _taken(checked) - without)
        rows.append(
            [
                what,
                _ms(without),
                _ms(with_it),
                f"{with_it / without:.2f}",
                _ms(with_it - without),
                _ms(median(after)),
            ]
        )
    titles = [
        *("plan of a service", "without the check", "with it", "ratio"),
        *("the check", "the check after another deploy"),
    ]
    return table(f"The check beside {SERVICES} services, median of {rounds}", titles, rows)


async def _plan(deployer: Deployer, source: Source) -> None:
    await deployer.plan(ASKING, source=source, environment=ENVIRONMENT)


def _touch(whole: Standalone, number: int, clock: SystemClock) -> None:
    """Let a service change, as the begin and the end of its deploy do."""
    kept = whole.services.existing(ENVIRONMENT, f"service-{number}")
    operation = Operation("deploy", 1, clock.now(), "benchmarks")
    kept.record = msgspec.structs.replace(kept.record, operation=operation)


async def _taken(work: Callable[[], Awaitable[None]]) -> float:
    begin = time.process_time()
    await work()
    return time.process_time() - begin


def _ms(value: float) -> str:
    return f"{1000 * value:.1f} ms"


LAST = SERVICES - 1
CASES = (
    ("that nobody needs, unchanged", LAST, descriptor(LAST)),
    ("that nobody needs, with another need", LAST, descriptor(LAST, "  service-1: hard")),
    ("that all need, unchanged", 0, descriptor(0)),
    ("that all need, with another need", 0, descriptor(0, "  far: {needs: soft, without: less}")),
    ("that half of all need, with another need", 250, descriptor(250, "  service-3: hard")),
    ("that all need, less important than they", 0, descriptor(0, tier=4)),
    ("that closes a circle through hundreds", 0, descriptor(0, f"  service-{LAST}: hard")),
)


def main() -> None:
    """Print the table."""
    folder = short_home("dck")
    try:
        print(asyncio.run(measured(Home.create(folder))))
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(folder.with_name(folder.name + "-service"), ignore_errors=True)


if __name__ == "__main__":
    main()
