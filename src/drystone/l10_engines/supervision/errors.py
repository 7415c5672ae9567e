"""What can go wrong with an engine."""

from __future__ import annotations

from drystone.l00_kernel.errors import NotFound, Unavailable


class EngineFailed(Unavailable):
    """An engine does not start, or ended."""


class EngineNotFound(NotFound):
    """No engine of that name is supervised."""
