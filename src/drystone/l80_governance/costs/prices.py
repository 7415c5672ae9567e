"""Tables of prices: files that anybody can replace by their own."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from importlib.resources import files

import msgspec

from drystone.l80_governance.costs.errors import PriceTableRefused

MOST_DIGITS = 12
LARGEST = Decimal(1_000_000)


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one piece costs, in the table's currency.

    Attributes:
        hour: For an hour, whatever its size.
        cpu_hour: For a CPU for an hour.
        gib_hour: For a GiB of memory for an hour.
        month: For a month, whatever its size.
        gib_month: For a GiB that it may hold, for a month.
        unit_hour: For each part that is paid, such as a shard, for an hour.
        size_hour: For an hour, by the class of its engine; a class that is not there has no price.
    """

    hour: Decimal = Decimal(0)
    cpu_hour: Decimal = Decimal(0)
    gib_hour: Decimal = Decimal(0)
    month: Decimal = Decimal(0)
    gib_month: Decimal = Decimal(0)
    unit_hour: Decimal = Decimal(0)
    size_hour: dict[str, Decimal] = {}

    def amounts(self) -> dict[str, Decimal]:
        """Return every amount by what it is called in a table."""
        flat = {name: getattr(self, name) for name in self.__struct_fields__ if name != "size_hour"}
        return flat | {f"size_hour.{name}": amount for name, amount in self.size_hour.items()}


class PriceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of one place at one time.

    Attributes:
        name: What it is called.
        source: Where the figures come from.
        date: When they held.
        currency: Three letters.
        instance: Of instances.
        resources: By type; what has no rate is told as unpriced.
    """

    name: str
    source: str
    date: date
    currency: str
    instance: Rate
    resources: dict[str, Rate] = {}


def read_table(text: str, file: str) -> PriceTable:
    """Read a table.

    Args:
        text: TOML; amounts are texts, so that they stay exact.
        file: What to call it in messages.

    Raises:
        PriceTableRefused: It has a mistake.
    """
    try:
        table = msgspec.convert(tomllib.loads(text), PriceTable)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as e:
        raise PriceTableRefused(f"{file}: {e}; see the table that comes with the platform") from e
    if not (len(table.currency) == 3 and table.currency.isascii() and table.currency.isupper()):
        raise PriceTableRefused(f"{file}: currency: write three capital letters, such as EUR")
    rates = {"instance": table.instance, **table.resources}
    for name, rate in rates.items():
        for key, amount in rate.amounts().items():
            _require_amount(amount, f"{file}: {name}.{key}")
    return table


def _require_amount(amount: Decimal, where: str) -> None:
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 <= amount <= LARGEST or exponent < -MOST_DIGITS:
        raise PriceTableRefused(
            f"{where}: an amount is a number from 0 to {LARGEST}, with {MOST_DIGITS} decimals at most"
        )


def table_of_the_platform() -> PriceTable:
    """Return the table that comes with the platform."""
    name = "aws.toml"
    return read_table((files(__package__) / "tables" / name).read_text(), name)
