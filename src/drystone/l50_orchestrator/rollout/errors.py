"""What a rollout refuses."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid


class PlanUnfit(Invalid):
    """A rollout cannot be carried out as it is planned."""


class ObservationUnfit(Invalid):
    """What was seen of a rollout cannot have been seen so."""
