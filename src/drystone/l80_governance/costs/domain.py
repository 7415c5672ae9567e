"""Sizes times prices, in exact decimals: what is summed by one key is what is summed by any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Literal, TypeAlias

import msgspec

from drystone.l25_deployer.stacks.sizes import (
    INSTANCE,
    PartSize,
    ServiceSize,
    UsedPart,
    UsedService,
)
from drystone.l80_governance.costs.prices import PriceTable, Rate

HOURS = Decimal(730)
"""Hours in a month: a twelfth of a year of 365 days, as clouds bill."""

_MILLISECONDS = HOURS * 3_600_000
_SPENT = Decimal("1e-12")
"""To so much what was spent on one part is rounded; sums of such amounts are exact."""

UNTAGGED = "(untagged)"

EXACT = Context(prec=120, traps=[Inexact, Overflow, DivisionByZero, InvalidOperation])
"""Never rounds: it fails rather."""

_ROUNDING = Context(prec=60)
_GIB = Decimal(2**30)

By: TypeAlias = Literal["service", "team", "business-unit", "cost-centre", "environment", "tier"]

KEYS: Mapping[By, Callable[[ServiceSize], str | None]] = {
    "service": lambda size: f"{size.environment}/{size.service}",
    "team": lambda size: size.team or None,
    "business-unit": lambda size: size.business_unit,
    "cost-centre": lambda size: size.cost_centre,
    "environment": lambda size: size.environment,
    "tier": lambda size: str(size.tier),
}
"""The tags that every service has to have, from its descriptor."""


class Cost(msgspec.Struct, frozen=True):
    """What a month of something costs.

    Attributes:
        now: With as many instances as there are.
        most: With as many as there may be.
        unpriced: Parts of which the table has no price, such as ``postgres db``.
    """

    now: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    unpriced: tuple[str, ...] = ()

    def __add__(self, other: Cost) -> Cost:
        """Return the sum."""
        return Cost(
            EXACT.add(self.now, other.now),
            EXACT.add(self.most, other.most),
            self.unpriced + other.unpriced,
        )


def cost_of_part(part: PartSize, table: PriceTable) -> Cost:
    """Return what a month of some instances, or of one resource, costs."""
    rate = table.instance if part.kind == INSTANCE else table.resources.get(part.kind)
    if rate is None or (rate.size_hour and part.size not in rate.size_hour):
        return Cost(unpriced=(f"{part.kind} {part.name}",))
    one = EXACT.add(_fixed(part, rate), EXACT.multiply(_hour(part, rate), HOURS))
    return Cost(EXACT.multiply(one, Decimal(part.count)), EXACT.multiply(one, Decimal(part.most)))


def _hour(part: PartSize, rate: Rate) -> Decimal:
    """Return what one costs for each hour."""
    memory = EXACT.divide(Decimal(part.memory), _GIB)
    return _sum(
        rate.hour,
        EXACT.multiply(Decimal(str(part.cpu)), rate.cpu_hour),
        EXACT.multiply(memory, rate.gib_hour),
        EXACT.multiply(Decimal(part.units), rate.unit_hour),
        rate.size_hour.get(part.size, Decimal(0)),
    )


def _fixed(part: PartSize, rate: Rate) -> Decimal:
    """Return what one costs for a month, whatever the hours."""
    storage = EXACT.divide(Decimal(part.storage), _GIB)
    return EXACT.add(rate.month, EXACT.multiply(storage, rate.gib_month))


def _sum(*amounts: Decimal) -> Decimal:
    whole = Decimal(0)
    for amount in amounts:
        whole = EXACT.add(whole, amount)
    return whole


def cost_of(size: ServiceSize, table: PriceTable) -> Cost:
    """Return what a month of a service costs."""
    return total(cost_of_part(part, table) for part in size.parts)


def spent_on(used: UsedPart, table: PriceTable) -> Cost:
    """Return what one part has cost for the time for which it was there; a month is :data:`HOURS`."""
    month = cost_of_part(used.part, table)
    amount = _ROUNDING.divide(
        EXACT.multiply(month.now, Decimal(used.milliseconds)), _MILLISECONDS
    ).quantize(_SPENT)
    return Cost(amount, amount, month.unpriced)


def total(costs: Iterable[Cost]) -> Cost:
    """Add up."""
    whole = Cost()
    for one in costs:
        whole += one
    return whole


def by_key(
    sizes: Sequence[ServiceSize], table: PriceTable, by: By, tag: str | None = None
) -> dict[str, Cost]:
    """Return what a month costs by the values of a tag, the dearest first; what has none is :data:`UNTAGGED`.

    Args:
        sizes: What is deployed.
        table: The prices.
        by: Which tag.
        tag: Which further tag in its place; a resource's own goes before that of its service.
    """
    parts = ((size, part, cost_of_part(part, table)) for size in sizes for part in size.parts)
    return _summed(parts, _keys(sizes, by, tag), by, tag)


def spent_by_key(
    uses: Sequence[UsedService], table: PriceTable, by: By, tag: str | None = None
) -> dict[str, Cost]:
    """Return what was spent, as :func:`by_key` returns what a month costs."""
    parts = ((use.owner, one.part, spent_on(one, table)) for use in uses for one in use.parts)
    return _summed(parts, _keys([use.owner for use in uses], by, tag), by, tag)


def _keys(sizes: Iterable[ServiceSize], by: By, tag: str | None) -> list[str]:
    """Return the values that a line is shown for, although nothing may be charged to it."""
    return [] if tag else [KEYS[by](size) or UNTAGGED for size in sizes]


def _summed(
    parts: Iterable[tuple[ServiceSize, PartSize, Cost]],
    keys: Iterable[str],
    by: By,
    tag: str | None,
) -> dict[str, Cost]:
    found = dict.fromkeys(keys, Cost())
    for size, part, cost in parts:
        value = part.tags.get(tag, size.tags.get(tag)) if tag else KEYS[by](size)
        key = value or UNTAGGED
        found[key] = found.get(key, Cost()) + cost
    return dict(sorted(found.items(), key=lambda item: (-item[1].now, item[0])))


def lacking(size: ServiceSize) -> tuple[str, ...]:
    """Return the tags that a service has to have and has not."""
    return tuple(name for name, tag in KEYS.items() if not tag(size))


def shown(amount: Decimal) -> str:
    """Write an amount to a hundredth, halves to the even one; only what is shown is rounded."""
    return str(amount.quantize(Decimal("0.01")))
