from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.objects.names import bucket_name

SAFE = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
names = st.one_of(st.text(max_size=200), st.from_regex(SAFE, fullmatch=True))


@given(names)
def test_every_name_gives_a_name_that_s3_accepts(name: str) -> None:
    made = bucket_name(name)
    assert SAFE.fullmatch(made)
    assert "--" not in made
    assert not made.startswith(("xn--", "sthree-"))


@given(names, names)
def test_two_names_give_two_buckets(one: str, other: str) -> None:
    assert (bucket_name(one) == bucket_name(other)) == (one == other)


@given(names)
def test_no_name_can_claim_the_bucket_of_another(name: str) -> None:
    made = bucket_name(name)
    assert made == name or bucket_name(made) != made


def test_a_plain_name_stays_readable() -> None:
    assert bucket_name("orders-dev") == "orders-dev"
    assert bucket_name("Orders_dev/main").startswith("b-orders-dev-main-")


@pytest.mark.parametrize("name", ["ab", "10.0.0.1", "x-s3alias", "sthree-x", "", "-a-", "a" * 64])
def test_a_name_that_s3_refuses_is_changed(name: str) -> None:
    assert bucket_name(name) != name
