"""The implementation of :class:`~drystone.l50_orchestrator.access.api.AccessApi`, of its parts."""

from __future__ import annotations

from drystone.l50_orchestrator.access.emergency import Emergency
from drystone.l50_orchestrator.access.giving import Giving
from drystone.l50_orchestrator.access.issuing import Issuing
from drystone.l50_orchestrator.access.people import People


class Access(People, Giving, Issuing, Emergency):
    """People, teams, roles, tokens and access for an emergency; arguments as of :class:`Part`."""
