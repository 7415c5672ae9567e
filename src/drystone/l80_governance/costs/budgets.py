"""Budgets: what may be spent each month, by the value of a tag."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from drystone.l25_deployer.stacks.sizes import ServiceSize
from drystone.l80_governance.costs.domain import By, Cost, by_key
from drystone.l80_governance.costs.errors import BudgetsRefused
from drystone.l80_governance.costs.prices import LARGEST, PriceTable


class Budget(msgspec.Struct, frozen=True):
    """What may be spent each month.

    Attributes:
        by: A tag.
        key: Its value.
        amount: In the currency of the table of prices.
    """

    by: By
    key: str
    amount: Decimal


def read_budgets(text: str, file: str) -> tuple[Budget, ...]:
    """Read budgets: a table for each tag, and in it an amount for each value.

    Args:
        text: TOML; amounts are texts, so that they stay exact.
        file: What to call it in messages.

    Raises:
        BudgetsRefused: It has a mistake.
    """
    try:
        tables = msgspec.convert(tomllib.loads(text), dict[By, dict[str, Decimal]])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as e:
        raise BudgetsRefused(
            f'{file}: {e}; write for example `[team]`, and below it `billing = "500"`'
        ) from e
    found = tuple(Budget(by, key, n) for by, table in tables.items() for key, n in table.items())
    for one in found:
        if not one.amount.is_finite() or not 0 <= one.amount <= LARGEST:
            raise BudgetsRefused(
                f"{file}: {one.by}.{one.key}: an amount is a number from 0 to {LARGEST}"
            )
    return found


def passed(
    budgets: Sequence[Budget], sizes: Sequence[ServiceSize], table: PriceTable
) -> list[tuple[Budget, Cost]]:
    """Return the budgets that a month of what is deployed passes, with what it costs."""
    costs = {by: by_key(sizes, table, by) for by in {one.by for one in budgets}}
    found = [(one, costs[one.by].get(one.key, Cost())) for one in budgets]
    return [(one, cost) for one, cost in found if cost.now > one.amount]
