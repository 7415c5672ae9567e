"""What can go wrong with what a service asks for by the protocols of AWS."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid


class NotDeclarable(Invalid):
    """What was asked for cannot be made, or would have to be made anew and lose its data."""
