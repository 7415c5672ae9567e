"""What can be wrong with an orchestrator as a process."""

from __future__ import annotations

from drystone.l00_kernel.errors import Unavailable


class OrchestratorNotReady(Unavailable):
    """The orchestrator does not come up."""
