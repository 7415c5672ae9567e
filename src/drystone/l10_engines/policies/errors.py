"""What can be wrong with a policy."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid


class PolicyUnfit(Invalid):
    """A policy has mistakes; the message holds all of them, each with its line and column."""
