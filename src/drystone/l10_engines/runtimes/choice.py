"""Choose a runtime for a service, and ask all of them where it does not matter which it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.errors import RuntimeMissing, SpecInvalid
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import Instance, Isolation, Runtime, Stray
from drystone.l10_engines.runtimes.processes import Processes

if TYPE_CHECKING:
    from pathlib import Path

AUTO = "auto"


class Report(msgspec.Struct, frozen=True):
    """What a machine offers.

    Attributes:
        name: The runtime.
        reason: Why it does not work here and what to do; None when it works.
        isolation: What it enforces.
    """

    name: str
    reason: str | None
    isolation: Isolation


class Runtimes:
    """The runtimes of this machine.

    Args:
        processes: For commands, always there.
        bubblewrap: For commands, where it works.
        podman: For images.
    """

    def __init__(
        self,
        processes: Runtime | None = None,
        bubblewrap: Runtime | None = None,
        podman: Runtime | None = None,
    ) -> None:
        self._processes = processes or Processes()
        self._bubblewrap = bubblewrap or Bubblewrap()
        self._podman = podman or Podman()

    @property
    def all(self) -> tuple[Runtime, ...]:
        """Every runtime, available or not."""
        return self._processes, self._bubblewrap, self._podman

    async def choose(self, setting: str, *, for_image: bool) -> Runtime:
        """Return the runtime for a setting.

        Args:
            setting: ``auto`` or a runtime's name. ``auto`` is podman for an image, else bubblewrap when it
                works here, else processes.
            for_image: Whether the service is an image.

        Raises:
            SpecInvalid: There is no such runtime, or it cannot run this kind of service.
            RuntimeMissing: It does not work on this machine; the message says why and what to do.
        """
        if setting == AUTO and not for_image:
            reason = await self._bubblewrap.available()
            return self._processes if reason else self._bubblewrap
        name = self._podman.name if setting == AUTO else setting
        runtime = next((one for one in self.all if one.name == name), None)
        if runtime is None:
            names = ", ".join([AUTO, *(one.name for one in self.all)])
            raise SpecInvalid(f"there is no runtime {setting!r}; choose one of {names}")
        if for_image and runtime is not self._podman:
            raise SpecInvalid(f"{name} runs commands, and an image needs podman")
        if not for_image and runtime is self._podman:
            raise SpecInvalid("podman runs images; name one, or choose another runtime")
        reason = await runtime.available()
        if reason is not None:
            raise RuntimeMissing(reason, runtime=name)
        return runtime

    async def find(self, state: Path) -> Instance | None:
        """Adopt the instance of this folder, whichever runtime started it."""
        for runtime in self.all:
            if (found := await runtime.find(state)) is not None:
                return found
        return None

    async def strays(
        self, home_label: str, known_ids: frozenset[str]
    ) -> list[tuple[Runtime, Stray]]:
        """Return what is left of instances of this home whose id is not known, each with its runtime."""
        return [
            (runtime, stray)
            for runtime in self.all
            for stray in await runtime.strays(home_label, known_ids)
        ]

    async def report(self) -> list[Report]:
        """Say what this machine offers."""
        return [Report(one.name, await one.available(), one.isolation()) for one in self.all]
