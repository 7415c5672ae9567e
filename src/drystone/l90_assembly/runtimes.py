"""Find out which runtimes work on this machine, and choose one for processes."""

from __future__ import annotations

import asyncio

from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.errors import RuntimeMissing
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import Runtime
from drystone.l10_engines.runtimes.processes import Processes


class Trials:
    """Tries every runtime, from its making on: podman alone takes half a second to tell about itself."""

    def __init__(self) -> None:
        every: tuple[Runtime, ...] = (Bubblewrap(), Podman(), Processes())
        self._trials = [(one, asyncio.create_task(one.available())) for one in every]

    async def chosen(self, wanted: str) -> tuple[dict[str, Runtime], str]:
        """Wait for the verdicts and choose the runtime for processes.

        Args:
            wanted: A runtime's name, or ``auto`` for the strongest that works.

        Returns:
            Those that work, by name, and the name of the chosen one. Plain processes always work.

        Raises:
            RuntimeMissing: The wanted one does not work here; the message says why.
        """
        works: dict[str, Runtime] = {}
        for runtime, trial in self._trials:
            reason = await trial
            if reason is None:
                works[runtime.name] = runtime
            elif runtime.name == wanted:
                raise RuntimeMissing(
                    f"the settings ask for {wanted}, which does not work here: {reason}"
                )
        strongest = "bubblewrap" if "bubblewrap" in works else "processes"
        return works, strongest if wanted in {"auto", "podman"} else wanted
