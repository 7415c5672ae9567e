"""What can go wrong with costs."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid


class BudgetsRefused(Invalid):
    """The table of budgets has mistakes."""


class MonthRefused(Invalid):
    """A month is written as year and month."""


class PriceTableRefused(Invalid):
    """The table of prices has mistakes."""
