"""What can go wrong with costs."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid


class PriceTableRefused(Invalid):
    """The table of prices has mistakes."""
