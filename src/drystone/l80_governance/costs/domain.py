"""Sizes times prices, in exact decimals: what is summed by one key is what is summed by any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Literal, TypeAlias

import msgspec

from drystone.l25_deployer.stacks.sizes import INSTANCE, PartSize, ServiceSize
from drystone.l80_governance.costs.prices import PriceTable, Rate

HOURS = Decimal(730)
"""Hours in a month: a twelfth of a year of 365 days, as clouds bill."""

UNTAGGED = "(untagged)"

EXACT = Context(prec=120, traps=[Inexact, Overflow, DivisionByZero, InvalidOperation])
"""Never rounds: it fails rather."""

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
    if rate is None:
        return Cost(unpriced=(f"{part.kind} {part.name}",))
    one = _one(part, rate)
    return Cost(EXACT.multiply(one, Decimal(part.count)), EXACT.multiply(one, Decimal(part.most)))


def _one(part: PartSize, rate: Rate) -> Decimal:
    memory = EXACT.divide(Decimal(part.memory), _GIB)
    cpu = Decimal(str(part.cpu))
    hour = EXACT.add(
        rate.hour,
        EXACT.add(EXACT.multiply(cpu, rate.cpu_hour), EXACT.multiply(memory, rate.gib_hour)),
    )
    return EXACT.add(rate.month, EXACT.multiply(hour, HOURS))


def cost_of(size: ServiceSize, table: PriceTable) -> Cost:
    """Return what a month of a service costs."""
    return total(cost_of_part(part, table) for part in size.parts)


def total(costs: Iterable[Cost]) -> Cost:
    """Add up."""
    whole = Cost()
    for one in costs:
        whole += one
    return whole


def by_key(sizes: Sequence[ServiceSize], table: PriceTable, by: By) -> dict[str, Cost]:
    """Return what a month costs by the values of a tag, the dearest first; what has none is :data:`UNTAGGED`."""
    found: dict[str, Cost] = {}
    for size in sizes:
        key = KEYS[by](size) or UNTAGGED
        found[key] = found.get(key, Cost()) + cost_of(size, table)
    return dict(sorted(found.items(), key=lambda item: (-item[1].now, item[0])))


def lacking(size: ServiceSize) -> tuple[str, ...]:
    """Return the tags that a service has to have and has not."""
    return tuple(name for name, tag in KEYS.items() if not tag(size))


def shown(amount: Decimal) -> str:
    """Write an amount to a hundredth, halves to the even one; only what is shown is rounded."""
    return str(amount.quantize(Decimal("0.01")))
