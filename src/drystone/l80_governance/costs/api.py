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


class CostReport(msgspec.Struct, frozen=True):
    """What a month costs, as estimated from sizes and a table of prices; what depends on use is not in it.

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


class CostsApi(Api):
    """Tell what services cost."""

    name: ClassVar[str] = "costs"
    errors = (errors.PriceTableRefused,)

    @call("GET", "/v1/costs")
    @abc.abstractmethod
    async def report(
        self, ctx: Context, *, by: By = "service", environment: str | None = None
    ) -> CostReport:
        """Estimate a month of everything that is deployed.

        Args:
            ctx: Who asks.
            by: Which tag parts the lines.
            environment: Only what is deployed there.

        Raises:
            PriceTableRefused: The table has mistakes.
        """
