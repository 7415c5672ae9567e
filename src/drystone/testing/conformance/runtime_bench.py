"""The bench on which the suite of runtimes works: specs, and a watch over what is left behind."""

# ruff: noqa: S101, ASYNC240 - asserts are what a suite is made of

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.namespaces import inside, tcp_socket
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import PROC
from drystone.l10_engines.runtimes.port import Instance, InstanceSpec, Limits, Mount, Runtime

LIMIT = timedelta(seconds=30)
MEBIBYTE = 1024 * 1024


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What the suite needs to know about the runtime under test.

    Attributes:
        factory: Makes a runtime; called several times, as if the agent had been restarted. A class or
            function that stands, by its name, in a file of its own, so that another process can load it.
        python: A Python ≥ 3.11 that instances can execute.
        image: Image of the instances; None where there are none.
        mounts: Mounts that instances need to find that Python.
        own_variables: Variables that the runtime adds to those of the spec.
        watchers: Returns the processes that watch an instance but are not part of the service.
    """

    factory: Callable[[], Runtime]
    python: str
    watchers: Callable[[Instance], list[int]]
    own_variables: frozenset[str]
    image: str | None = None
    mounts: tuple[Mount, ...] = ()


class Workbench:
    """Makes specs in a home of its own and remembers what it started."""

    def __init__(self, bench: Bench, root: Path) -> None:
        self.bench = bench
        self.root = root
        self.label = f"suite-{uuid.uuid4().hex[:12]}"
        self.runtime = bench.factory()
        self._started: list[Instance] = []
        self._dead = zombies()  # what other tests left is not ours

    def spec(self, *command: str, name: str = "one", **changes: Any) -> InstanceSpec:
        """Describe an instance; its state folder follows from its name."""
        spec = InstanceSpec(
            id=name,
            command=command,
            environment={},
            state=self.root / "instances" / name,
            limits=Limits(memory=256 * MEBIBYTE, cpu=1.0, pids=64),
            home_label=self.label,
            mounts=self.bench.mounts,
            image=self.bench.image,
        )
        return msgspec.structs.replace(spec, **changes)

    def program(self, source: str, *arguments: str, **changes: Any) -> InstanceSpec:
        """Describe an instance that runs Python source."""
        return self.spec(self.bench.python, "-c", source, *arguments, **changes)

    async def start(self, spec: InstanceSpec) -> Instance:
        """Start it, to be stopped at the end."""
        instance = await self.runtime.start(spec)
        self._started.append(instance)
        return instance

    async def close(self) -> None:
        """Stop everything and make sure that nothing of it is left."""
        for instance in self._started:
            await instance.stop(grace=timedelta(0))
            assert instance.processes() == []
        assert await self.runtime.strays(self.label, frozenset()) == []
        groups = [
            names for _, names, _ in os.walk("/sys/fs/cgroup")
        ]  # others' may vanish meanwhile
        assert f"drystone-{self.label}" not in {name for names in groups for name in names}
        assert zombies() - self._dead == set()
        mounts = Path("/proc/self/mounts").read_text()
        assert str(self.root) not in mounts


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, for at most the suite's limit."""
    async with asyncio.timeout(LIMIT.total_seconds()):
        while not condition():  # noqa: ASYNC110 - the condition is another process's doing
            await asyncio.sleep(0.005)


def says(instance: Instance, words: str) -> Callable[[], bool]:
    """Make a condition: these words stand in the instance's log."""
    return lambda: words in instance.log.read_text(errors="replace")


def answers(port: int, network: Path | None = None) -> bool:
    """Tell whether the program ``SERVE`` answers on this port of 127.0.0.1, inside a network if one is named."""
    try:
        with inside(network, tcp_socket) as connection:
            connection.settimeout(5)
            connection.connect(("127.0.0.1", port))
            return connection.recv(16) == b"hello"
    except OSError:
        return False


def zombies() -> set[int]:
    """Return the children of this process that have ended and that nobody has waited for."""
    numbers = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal())
    found = ((pid, fields) for pid in numbers if (fields := identity.stat_fields(pid)))
    return {pid for pid, fields in found if fields[0] == "Z" and int(fields[1]) == os.getpid()}
