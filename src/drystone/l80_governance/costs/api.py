"""What costs promise."""

from __future__ import annotations

import abc
from datetime import date
from typing import ClassVar

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l80_governance.costs import errors
from drystone.l80_governance.costs.domain import By

__all__ = ["By", "CostLine", "CostReport", "CostsApi", "Untagged"]


class CostLine(msgspec.Struct, frozen=True):
    """What a month of some services costs together.

    Attributes:
        key: Their value of the tag.
        now: With as many instances as there are, as a decimal number that is not rounded.
        most: With as many as there may be.
        unpriced: Their parts that the table has no price for.
    """

    key: str
    now: str
    most: str
    unpriced: tuple[str, ...] = ()


class Untagged(msgspec.Struct, frozen=True):
    """A service that lacks tags.

    Attributes:
        service: As ``<environment>/<service>``.
        lacks: Which.
    """

    service: str
    lacks: tuple[str, ...]


class PassedBudget(msgspec.Struct, frozen=True):
    """A budget that a month of what is deployed would pass.

    Attributes:
        by: A tag.
        key: Its value.
        budget: What may be spent, as a decimal number.
        now: What a month costs with as many instances as there are.
    """

    by: By
    key: str
    budget: str
    now: str


class CostReport(msgspec.Struct, frozen=True):
    """What a month costs, or has cost, by sizes and a table of prices; what depends on use is not in it.

    Attributes:
        by: Which tag parts the lines.
        currency: Of the amounts.
        prices: Name of the table.
        source: Where its figures come from.
        date: When they held.
        lines: The dearest first.
        whole: All of them together.
        untagged: Services that nobody, or not everybody who should, can be charged for.
        chart: The lines as an SVG picture.
        month: Of what was there in this month, for as long as it was; an estimate of what is there now when None.
        tag: The further tag that parts the lines in place of ``by``.
        passed: Budgets that a month of what is deployed would pass.
    """

    by: By
    currency: str
    prices: str
    source: str
    date: date
    lines: list[CostLine]
    whole: CostLine
    untagged: list[Untagged]
    chart: str
    month: str | None = None
    tag: str | None = None
    passed: list[PassedBudget] = []


class CostsApi(Api):
    """Tell what services cost."""

    name: ClassVar[str] = "costs"
    errors = (errors.PriceTableRefused, errors.BudgetsRefused, errors.MonthRefused)

    @call("GET", "/v1/costs")
    @abc.abstractmethod
    async def report(
        self,
        ctx: Context,
        *,
        by: By = "service",
        environment: str | None = None,
        month: str | None = None,
        tag: str | None = None,
    ) -> CostReport:
        """Estimate a month of everything that is deployed, or add up one that was.

        Args:
            ctx: Who asks.
            by: Which tag parts the lines.
            environment: Only what is deployed there.
            month: What was there in this month, as ``2026-01``, for as long as it was; in place of an estimate.
            tag: Name of a further tag that parts the lines in place of ``by``.

        Raises:
            BudgetsRefused: The table of budgets has mistakes.
            MonthRefused: The month is no month.
            PriceTableRefused: The table has mistakes.
        """
