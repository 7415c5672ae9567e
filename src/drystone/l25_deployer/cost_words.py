"""What a plan tells of costs."""

from __future__ import annotations

import msgspec


class CostView(msgspec.Struct, frozen=True):
    """What a month would cost, as estimated from sizes and a table of prices; what depends on use is not in it.

    Attributes:
        currency: Of the amounts, such as ``USD``.
        before: What is deployed, as a decimal number; None where nothing is.
        after: What would be.
        most: The same with as many instances as there may be.
        prices: Name and date of the table.
        unpriced: What the table has no price for, such as ``postgres db``.
    """

    currency: str
    before: str | None
    after: str
    most: str
    prices: str
    unpriced: tuple[str, ...] = ()
