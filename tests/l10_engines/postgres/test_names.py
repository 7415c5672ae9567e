from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.postgres.names import LIMIT, identifier

SAFE = re.compile(r"[a-z][a-z0-9_]{0,62}")
names = st.one_of(st.text(max_size=200), st.from_regex(SAFE, fullmatch=True))


@given(names)
def test_every_name_gives_a_safe_identifier(name: str) -> None:
    assert SAFE.fullmatch(identifier(name))
    assert len(identifier(name).encode()) <= LIMIT


@given(names, names)
def test_two_names_give_two_identifiers(one: str, other: str) -> None:
    assert (identifier(one) == identifier(other)) == (one == other)


@given(names)
def test_no_name_can_claim_the_identifier_of_another(name: str) -> None:
    made = identifier(name)
    assert made == name or identifier(made) != made


@given(st.text(alphabet="ab-/.", min_size=60, max_size=90), st.text(min_size=1))
def test_long_names_that_differ_only_at_the_end_stay_apart(start: str, end: str) -> None:
    assert identifier(start) != identifier(start + end)


def test_a_plain_name_stays_readable() -> None:
    assert identifier("orders_dev") == "orders_dev"
    assert identifier("orders-dev/main").startswith("d_orders_dev_main_")


@pytest.mark.parametrize("name", ["postgres", "template0", "template1", "pg_catalog", "public"])
def test_a_name_that_the_server_uses_is_changed(name: str) -> None:
    assert identifier(name) != name
    assert not identifier(name).startswith("pg_")
