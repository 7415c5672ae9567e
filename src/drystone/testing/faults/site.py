"""The platform under fire, and how to look at it: by its API, by its records, by the machine's own tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.contract import ANONYMOUS, Context, connect
from drystone.l00_kernel.home import Home
from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.proxy.generation import generations
from drystone.l10_engines.runtimes.records import STARTED, read_record
from drystone.l10_engines.supervision import record
from drystone.l25_deployer.api import DeployerApi
from drystone.l25_deployer.local.documents import Documents
from drystone.l25_deployer.local.resources.port import Owner
from drystone.testing.faults.expectation import State
from drystone.testing.faults.subjects import ENVIRONMENT

if TYPE_CHECKING:
    from drystone.l25_deployer.api import PlatformStatus, ServiceView
    from drystone.l25_deployer.local.records import ServiceRecord
    from drystone.l25_deployer.stacks.model import Resource
    from drystone.testing.command_line import CommandLine
    from drystone.testing.faults.subjects import Subject
    from drystone.testing.faults.traffic import Traffic


SIDECARS, SIDECAR = "sidecars", "sidecar "
"""Folder of the Envoys that services have of their own, and how ``status`` calls one before the name of its service."""


class Main(msgspec.Struct, frozen=True):
    """What every runtime records of an instance, as far as it matters here.

    Attributes:
        id: The instance's.
        main: Its main process.
    """

    id: str
    main: ProcessId


class Site:
    """A platform under fire.

    Args:
        drystone: Its command line.
        port: Its edge's.
        subjects: The services that are deployed to it.
        traffic: The requests to each, by the subject's name.
    """

    def __init__(
        self,
        drystone: CommandLine,
        port: int,
        subjects: tuple[Subject, ...],
        traffic: dict[str, Traffic],
    ) -> None:
        self.drystone = drystone
        self.port = port
        self.subjects = {subject.name: subject for subject in subjects}
        self.traffic = traffic
        self.home = Home(drystone.home)
        self.label = self.home.label
        self.struck: Counter[str] = Counter()
        """How many of each kind of victim were killed."""
        self.documents = Documents(self.home.services)

    async def status(self) -> PlatformStatus:
        """Ask the agent how the platform is.

        Raises:
            PlatformError: It does not answer.
        """
        async with connect(DeployerApi, uds=self.home.agent_socket) as api:
            return await api.status(Context(ANONYMOUS))

    async def show(self, service: str) -> ServiceView:
        """Ask the agent for everything about a service.

        Raises:
            PlatformError: It does not answer, or there is no such service.
        """
        async with connect(DeployerApi, uds=self.home.agent_socket) as api:
            return await api.show(Context(ANONYMOUS), environment=ENVIRONMENT, service=service)

    def record(self, service: str) -> ServiceRecord:
        """Read the record of a service."""
        return self.documents.service(ENVIRONMENT, service)

    def version(self, service: str, number: int) -> str:
        """Read what a release is called."""
        return self.documents.release(ENVIRONMENT, service, number).version

    def state(self, service: str) -> State:
        """Read which versions a service has; nothing may be in progress on it."""
        record = self.record(service)
        trail = tuple(self.version(service, number) for number in record.trail)
        return State(
            "nothing" if record.active is None else self.version(service, record.active), trail
        )

    def resources(self) -> list[tuple[Owner, Resource]]:
        """Read which resources there are to be, and whose."""
        return [
            (Owner(environment, service, name), resource)
            for environment, service in self.documents.services()
            for name, resource in self.documents.service(environment, service).eternal.items()
        ]

    def wanted_instances(self) -> dict[str, int | None]:
        """Read which instances are to run now, with their ports: those of active and warm releases."""
        found: dict[str, int | None] = {}
        for environment, service in self.documents.services():
            record = self.documents.service(environment, service)
            for number in {record.active, *record.warm} - {None}:
                if number is not None:
                    release = self.documents.release(environment, service, number)
                    found |= {one.id: one.port for one in release.instances}
        return found

    def mains(self) -> dict[str, ProcessId]:
        """Return the main process of every instance that runs, by the instance's id."""
        found = {}
        for folder in sorted(self.home.instances.glob("*")):
            record = read_record(folder / STARTED, Main)
            if record is not None and identity.is_alive(record.main):
                found[record.id] = record.main
        return found

    def wanted_sidecars(self) -> set[str]:
        """Read which services are to have an Envoy of their own now, as the edge calls them."""
        found = set()
        for environment, service in self.documents.services():
            number = self.documents.service(environment, service).active
            if number is not None and self.has_own_sidecar(service, number):
                found.add(f"{service}.{environment}")
        return found

    def has_own_sidecar(self, service: str, number: int) -> bool:
        """Read whether a release is to have an Envoy of its own before it."""
        release = self.documents.release(ENVIRONMENT, service, number)
        return release.stacks.environment.placement == "instance"

    def sidecars(self) -> dict[str, Path]:
        """Return the folders of the Envoys that services have of their own, by service as the edge calls it."""
        return {place.name: place for place in sorted((self.home.engines / SIDECARS).glob("*"))}

    def engine(self, name: str) -> list[ProcessId]:
        """Return the main processes of an engine that live: two of Envoy's while one replaces the other."""
        folder = self.home.engines / name
        if name.startswith(SIDECAR):
            folder = self.home.engines / SIDECARS / name.removeprefix(SIDECAR)
        envoys = [one.envoy() for one in generations(folder)]
        known = record.read(folder / "record.json")
        every = [*envoys, known.process if known else None]
        return [one for one in every if one is not None and identity.is_alive(one)]

    def pid_in(self, lock: str) -> ProcessId | None:
        """Return the process that wrote its number into a lock of ``run/``, if it lives."""
        try:
            text = Path(self.home.run, lock).read_text()
        except FileNotFoundError:
            return None
        return identity.identify(int(text)) if text.strip().isdigit() else None
