"""Puts prices on what is deployed, and on what a plan would deploy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l25_deployer.cost_words import CostView
from drystone.l25_deployer.estimates import Estimates
from drystone.l80_governance.costs.api import (
    CostLine,
    CostReport,
    CostsApi,
    PassedBudget,
    Untagged,
)
from drystone.l80_governance.costs.budgets import Budget, passed, read_budgets
from drystone.l80_governance.costs.chart import chart
from drystone.l80_governance.costs.domain import (
    By,
    Cost,
    by_key,
    cost_of,
    lacking,
    shown,
    spent_by_key,
    total,
)
from drystone.l80_governance.costs.errors import BudgetsRefused, MonthRefused, PriceTableRefused
from drystone.l80_governance.costs.prices import PriceTable, read_table, table_of_the_platform

if TYPE_CHECKING:
    from drystone.l00_kernel.contract import Context
    from drystone.l25_deployer.operations.api import OperationsApi
    from drystone.l25_deployer.stacks.sizes import ServiceSize

_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")


class Prices:
    """The table that holds now; it is read anew each time, so that a new one holds at once.

    Args:
        file: Somebody's own table; that of the platform when None.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def table(self) -> PriceTable:
        """Return the table.

        Raises:
            PriceTableRefused: It cannot be read, or has mistakes.
        """
        if self._file is None:
            return table_of_the_platform()
        try:
            text = self._file.read_text()
        except (OSError, UnicodeDecodeError) as e:
            raise PriceTableRefused(
                f"{self._file} cannot be read: {e}; the setting costs.prices names it"
            ) from e
        return read_table(text, str(self._file))


class Budgets:
    """What may be spent; read anew each time.

    Args:
        file: The table; there are no budgets when None.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def all(self) -> tuple[Budget, ...]:
        """Return all of them.

        Raises:
            BudgetsRefused: The table cannot be read, or has mistakes.
        """
        if self._file is None:
            return ()
        try:
            text = self._file.read_text()
        except (OSError, UnicodeDecodeError) as e:
            raise BudgetsRefused(
                f"{self._file} cannot be read: {e}; the setting costs.budgets names it"
            ) from e
        return read_budgets(text, str(self._file))


class Estimator(Estimates):
    """Estimates what a plan would cost.

    Args:
        prices: The table.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    @override
    def month(self, before: ServiceSize | None, after: ServiceSize) -> CostView | None:
        try:
            table = self._prices.table()
        except PriceTableRefused as e:  # which keeps nobody from deploying
            return CostView("", None, "", "", f"unknown: {e}")
        then = cost_of(after, table)
        return CostView(
            currency=table.currency,
            before=shown(cost_of(before, table).now) if before is not None else None,
            after=shown(then.now),
            most=shown(then.most),
            prices=f"{table.name}, {table.date}",
            unpriced=then.unpriced,
        )


class Costs(CostsApi):
    """Tells what is deployed costs.

    Args:
        operations: Tells how large it is.
        prices: The table.
        budgets: What may be spent.
    """

    def __init__(self, operations: OperationsApi, prices: Prices, budgets: Budgets) -> None:
        self._operations = operations
        self._prices = prices
        self._budgets = budgets

    @override
    async def report(
        self,
        ctx: Context,
        *,
        by: By = "service",
        environment: str | None = None,
        month: str | None = None,
        tag: str | None = None,
    ) -> CostReport:
        if month is not None and not _MONTH.fullmatch(month):
            raise MonthRefused(f"'{month}' is no month; write one like 2026-01")
        table, budgets = self._prices.table(), self._budgets.all()
        every = await self._operations.sizes(ctx)
        sizes = [one for one in every if environment in {None, one.environment}]
        if month is None:
            costs = by_key(sizes, table, by, tag)
        else:
            uses = await self._operations.uses(ctx, month=month)
            chosen = [one for one in uses if environment in {None, one.owner.environment}]
            costs = spent_by_key(chosen, table, by, tag)
        return CostReport(
            by=by,
            currency=table.currency,
            prices=table.name,
            source=table.source,
            date=table.date,
            lines=[_line(key, cost) for key, cost in costs.items()],
            whole=_line("all", total(costs.values())),
            untagged=[
                Untagged(f"{size.environment}/{size.service}", lacks)
                for size in sizes
                if (lacks := lacking(size))
            ],
            chart=chart(
                costs,
                title=f"Costs of {month or 'a month'} by {tag or by}",
                currency=table.currency,
            ),
            month=month,
            tag=tag,
            passed=[
                PassedBudget(one.by, one.key, f"{one.amount:f}", f"{cost.now:f}")
                for one, cost in passed(budgets, every, table)
            ],
        )


def _line(key: str, cost: Cost) -> CostLine:
    return CostLine(key, f"{cost.now:f}", f"{cost.most:f}", cost.unpriced)
