"""Which part of a descriptor holds in an environment that has a type and a region of its own."""

from __future__ import annotations

import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.descriptor import read, resolve

TEXT = """\
schema: 1
service: orders
owner: shop
tier: 3
process: {command: [orders]}
environments:
  prod: {tier: 1}
  prod-eu: {tier: 2}
  prod.eu: {description: In Europe.}
"""


@pytest.mark.parametrize(
    ("name", "region", "type_", "tier", "description"),
    [
        ("prod", None, None, 1, None),
        ("prod-eu", None, None, 2, None),
        ("prod-eu", None, "prod", 1, None),
        ("prod-eu", "eu", "prod", 1, "In Europe."),
        ("qa", None, "prod", 1, None),
        ("qa", None, None, 3, None),
    ],
)
def test_the_type_says_which_part_holds_and_the_name_where_it_runs(
    name: str, region: str | None, type_: str | None, tier: int, description: str | None
) -> None:
    merged = resolve(read(TEXT, file="service.yaml"), name, region, type_=type_)
    assert merged.environment == name
    assert (merged.descriptor.tier, merged.descriptor.description) == (tier, description)


def test_a_type_that_is_no_name_is_refused() -> None:
    with pytest.raises(Invalid, match="is no name of a type"):
        resolve(read(TEXT, file="service.yaml"), "prod", type_="../prod")
