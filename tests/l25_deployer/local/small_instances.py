"""Blueprints of small real programs, and a runtime that can be made to fail."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.errors import InstanceFailed
from drystone.l10_engines.runtimes.port import Instance, InstanceSpec, Limits
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.local.instances import Blueprint, KeptInstance
from drystone.l25_deployer.local.records import InstanceRecord, ReleaseRecord
from drystone.l25_deployer.stacks.model import (
    Deployment,
    EnvironmentStack,
    Eternal,
    Health,
    ProcessArtifact,
    ReleaseResources,
    Route,
    Stacks,
    Stop,
)
from l25_deployer.small_platform import SERVER

HEALTH = Health(
    path="/",
    interval=timedelta(milliseconds=50),
    timeout=timedelta(milliseconds=300),
    healthy=1,
    unhealthy=2,
    grace=timedelta(seconds=10),
)
STOP = Stop(drain=timedelta(0), grace=timedelta(seconds=5), signal="TERM")
PYTHON = (sys.executable, "-S", "-E", "-c")


def blueprint(
    folder: Path,
    program: str = SERVER,
    *,
    name: str = "one",
    port: int | None = None,
    health: Health | None = HEALTH,
    serves: bool = True,
) -> Blueprint:
    """Describe an instance that runs a Python program; its first argument is its port."""
    if serves and port is None:
        port = free_port()
    spec = InstanceSpec(
        id=name,
        command=(*PYTHON, program, str(port)),
        environment={"DRYSTONE_RELEASE": "1"},
        state=folder / name,
        limits=Limits(memory=256 * 1024**2, cpu=1),
        home_label=f"test-{folder.name}",
    )
    return Blueprint(
        "web" if serves else "worker",
        spec,
        port if serves else None,
        health if serves else None,
        STOP,
    )


class Changes:
    """Remembers what an instance told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __call__(self, one: KeptInstance, text: str) -> None:
        self.told.append((one.state.value, text))

    def states(self) -> list[str]:
        return [state for state, _ in self.told]


class FailingProcesses(Processes):
    """Plain processes of which some refuse to start.

    Args:
        refused: Ids, or their ends, of the instances that it refuses.
        pause: How long every other one takes to start, beyond what it takes anyway.
    """

    def __init__(self, refused: tuple[str, ...] = (), pause: timedelta = timedelta(0)) -> None:
        super().__init__()
        self.refused = refused
        self.pause = pause
        self.started: list[str] = []

    @override
    async def start(self, spec: InstanceSpec) -> Instance:
        if spec.id.endswith(self.refused) and self.refused:
            raise InstanceFailed(f"{spec.id} is refused by the test")
        instance = await super().start(spec)
        self.started.append(spec.id)
        await asyncio.sleep(self.pause.total_seconds())
        return instance


def release(
    *instances: Blueprint, number: int = 1, descriptor: str = "schema: 1\n"
) -> ReleaseRecord:
    """Return the record of a release with these instances."""
    stacks = Stacks(
        eternal=Eternal(),
        resources=ReleaseResources("1", ProcessArtifact(".")),
        deployment=Deployment(),
        environment=EnvironmentStack(
            "greeter", "dev", "tests", 3, ("greeter.dev.localhost",), timedelta(seconds=5), True
        ),
        route=Route("blue-green", timedelta(0), 5),
    )
    return ReleaseRecord(
        number=number,
        version=str(number),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        by="tests",
        descriptor=descriptor,
        file="service.yaml",
        stacks=stacks,
        isolation="processes",
        instances=tuple(InstanceRecord(b.spec.id, b.group, b.port) for b in instances),
    )


def impatient(print_: Blueprint, **changes: object) -> Blueprint:
    """Change how the health of an instance is judged."""
    assert print_.health is not None
    health = msgspec.structs.replace(print_.health, **changes)
    return msgspec.structs.replace(print_, health=health)
