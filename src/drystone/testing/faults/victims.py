"""Who may be struck, and how each is found.

To add one, write a subclass of :class:`Victim` and list it in :data:`VICTIMS`; seeds draw other runs from then on.
"""

from __future__ import annotations

import abc
import signal
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from drystone.l10_engines.processes import identity
from drystone.l10_engines.proxy.generation import generations
from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.supervision import record
from drystone.testing.faults.subjects import ENVIRONMENT

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from drystone.l10_engines.processes.identity import ProcessId
    from drystone.l10_engines.proxy.generation import Generation
    from drystone.testing.faults.schedule import Strike
    from drystone.testing.faults.site import Site


class Victim(abc.ABC):
    """A kind of process that may die at any moment."""

    name: ClassVar[str]
    """What plans and journals call it."""

    weight: ClassVar[int]
    """How often it is drawn, compared with the others."""

    is_gentle: ClassVar[bool] = False
    """Whether no request may fail when it dies."""

    is_of_sidecar: ClassVar[bool] = False
    """Whether there is one only where a service has an Envoy of its own."""

    is_replaced: ClassVar[bool] = False
    """Whether another one takes its place, so that a strike that finds none waits for it."""

    @abc.abstractmethod
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        """Return those that live now.

        Args:
            site: The platform.
            subject: The service that is being operated on.
            command: The command that asked for it.
        """

    def strike(self, strike: Strike, site: Site, subject: str, command: Process) -> int | None:
        """Kill one of them; return its number, or None when there was none."""
        found = self.find(site, subject, command)
        if not found:
            return None
        chosen = found[strike.pick % len(found)]
        return chosen.pid if identity.send(chosen, signal.SIGKILL) else None


class Agent(Victim):
    """The platform's agent; its keeper starts it again."""

    name, weight, is_gentle, is_replaced = "agent", 8, True, True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        agent = site.pid_in("agent.lock")
        return [agent] if agent else []


class Command(Victim):
    """The command that a person waits for."""

    name, weight, is_gentle = "command", 5, True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        found = identity.identify(command.pid) if command.returncode is None else None
        return [found] if found else []


class Proxy(Victim):
    """Envoy; its runner starts it again."""

    name, weight, is_replaced = "proxy", 3, True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        every = generations(site.home.engines / "proxy")
        return [envoy for one in every if (envoy := one.envoy())]


class Runner(Victim):
    """The shell that keeps Envoy; Envoy goes on, and the agent puts another pair in its place."""

    name, weight, is_replaced = "runner", 2, True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        every = generations(site.home.engines / "proxy")
        return [runner for one in every if (runner := one.runner())]


class Sidecar(Victim):
    """The Envoy that a service has of its own: of the one that is operated on, if that has one, else of any."""

    name, weight, is_replaced = "sidecar", 3, True
    is_of_sidecar = True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        return [envoy for one in _beside(site, subject) if (envoy := one.envoy())]


class SidecarRunner(Victim):
    """The shell that keeps such an Envoy."""

    name, weight, is_replaced = "sidecar runner", 2, True
    is_of_sidecar = True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        return [runner for one in _beside(site, subject) if (runner := one.runner())]


def _beside(site: Site, subject: str) -> list[Generation]:
    places = site.sidecars()
    own = places.get(f"{subject}.{ENVIRONMENT}")
    return [one for place in ([own] if own else places.values()) for one in generations(place)]


class _LocalEngine(Victim):
    """The main process of an engine that runs here; the agent starts it again."""

    is_replaced = True

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        known = record.read(site.home.engines / self.name / "record.json")
        return [known.process] if known and identity.is_alive(known.process) else []


class Database(_LocalEngine):
    """PostgreSQL."""

    name, weight = "postgres", 2


class Objects(_LocalEngine):
    """The object store."""

    name, weight = "objects", 2


class Instance(Victim):
    """An instance of the service that is operated on: of the old release or the new one."""

    name, weight = "instance", 4

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        return [main for id_, main in site.mains().items() if id_.startswith(f"{subject}-")]


class Neighbour(Victim):
    """An instance of another service."""

    name, weight = "neighbour", 2

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        return [main for id_, main in site.mains().items() if not id_.startswith(f"{subject}-")]


class Guard(Victim):
    """What waits for an instance and records how it ended: a shell, or a container's monitor."""

    name, weight = "guard", 2

    @override
    def find(self, site: Site, subject: str, command: Process) -> list[ProcessId]:
        parents = [
            entry.parent for main in site.mains().values() if (entry := proc_table.row(main.pid))
        ]
        return [parent for pid in parents if pid > 1 and (parent := identity.identify(pid))]


VICTIMS: dict[str, Victim] = {
    victim.name: victim
    for victim in (
        Agent(),
        Command(),
        Proxy(),
        Runner(),
        Sidecar(),
        SidecarRunner(),
        Database(),
        Objects(),
        Instance(),
        Neighbour(),
        Guard(),
    )
}
