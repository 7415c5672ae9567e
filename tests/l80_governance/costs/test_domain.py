"""Sizes times prices: exact, and the same whichever tag parts the sums."""

from __future__ import annotations

import random
import re
from datetime import date
from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.stacks.sizes import (
    INSTANCE,
    PartSize,
    ServiceSize,
    UsedPart,
    UsedService,
)
from drystone.l80_governance.costs.budgets import passed, read_budgets
from drystone.l80_governance.costs.chart import MOST_BARS, chart
from drystone.l80_governance.costs.domain import (
    EXACT,
    UNTAGGED,
    By,
    Cost,
    by_key,
    cost_of,
    cost_of_part,
    lacking,
    shown,
    spent_by_key,
    spent_on,
    total,
)
from drystone.l80_governance.costs.errors import BudgetsRefused, PriceTableRefused
from drystone.l80_governance.costs.prices import (
    PriceTable,
    Rate,
    read_table,
    table_of_the_platform,
)

GIB = 2**30
TABLE = PriceTable(
    name="ours",
    source="the bill of the rack",
    date=date(2026, 5, 4),
    currency="EUR",
    instance=Rate(cpu_hour=Decimal("0.01"), gib_hour=Decimal("0.002")),
    resources={"postgres": Rate(month=Decimal("12.5")), "cache": Rate(gib_hour=Decimal("0.003"))},
)


def service(name: str = "orders", *parts: PartSize, **more: object) -> ServiceSize:
    size = ServiceSize("prod", name, "shop", 1, "4102", "retail", {}, parts)
    return msgspec.structs.replace(size, **more)


AMOUNTS = st.decimals(0, 1000, places=12)
RATES = st.builds(Rate, hour=AMOUNTS, cpu_hour=AMOUNTS, gib_hour=AMOUNTS, month=AMOUNTS)
TABLES = st.builds(
    lambda instance, resources: msgspec.structs.replace(
        TABLE, instance=instance, resources=resources
    ),
    RATES,
    st.dictionaries(st.sampled_from(["postgres", "cache", "queue"]), RATES),
)
PARTS = st.builds(
    lambda kind, count, more, milli, memory: PartSize(
        kind, "p", count, count + more, milli / 1000, memory
    ),
    st.sampled_from([INSTANCE, "postgres", "cache", "queue", "volume"]),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 64_000),
    st.integers(0, 2**42),
)
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
SIZES = st.builds(
    ServiceSize,
    st.sampled_from(["dev", "prod"]),
    st.sampled_from(["orders", "shop", "mail"]),
    st.sampled_from(["", "red", "blue"]),
    st.integers(0, 4),
    WORDS,
    WORDS,
    st.just({}),
    st.lists(PARTS, max_size=4).map(tuple),
)


@given(st.lists(SIZES, max_size=8), TABLES)
def test_sums_by_any_tag_are_equal(sizes: list[ServiceSize], table: PriceTable) -> None:
    whole = total(cost_of(size, table) for size in sizes)
    for by in get_args(By):
        summed = total(by_key(sizes, table, by).values())
        assert (summed.now, summed.most) == (whole.now, whole.most)
        assert sorted(summed.unpriced) == sorted(whole.unpriced)


@given(st.lists(SIZES, max_size=8), TABLES, st.randoms(use_true_random=False))
def test_the_order_of_services_changes_nothing(
    sizes: list[ServiceSize], table: PriceTable, chance: random.Random
) -> None:
    others = list(sizes)
    chance.shuffle(others)
    for by in get_args(By):
        amounts = [
            {key: (cost.now, cost.most) for key, cost in by_key(some, table, by).items()}
            for some in (sizes, others)
        ]
        assert amounts[0] == amounts[1]


@given(PARTS, TABLES, st.integers(1, 50))
def test_so_many_cost_so_many_times_as_much(part: PartSize, table: PriceTable, n: int) -> None:
    one = cost_of_part(msgspec.structs.replace(part, count=1, most=1), table)
    many = cost_of_part(msgspec.structs.replace(part, count=n, most=n), table)
    assert many.now == EXACT.multiply(one.now, Decimal(n)) == many.most
    assert one.now >= 0


def test_a_service_costs_what_a_calculator_says() -> None:
    orders = service(
        "orders",
        PartSize(INSTANCE, "web", 2, 10, 0.5, GIB // 2),
        PartSize("cache", "hot", memory=GIB),
        PartSize("postgres", "db"),
        PartSize("queue", "mail"),
    )
    cost = cost_of(orders, TABLE)
    one = (Decimal("0.005") + Decimal("0.001")) * 730
    rest = Decimal("0.003") * 730 + Decimal("12.5")
    assert (cost.now, cost.most) == (2 * one + rest, 10 * one + rest)
    assert cost.unpriced == ("queue mail",)


def test_the_table_of_the_platform_prices_a_small_instance() -> None:
    table = table_of_the_platform()
    small = service("orders", PartSize(INSTANCE, "web", 1, 1, 0.25, GIB // 2))
    assert shown(cost_of(small, table).now) == "9.01"
    assert table.currency == "USD"
    assert table.source.startswith("https://aws.amazon.com/fargate/pricing/")


def test_what_has_no_tag_is_found() -> None:
    bare = service("old", cost_centre=None, business_unit=None)
    assert lacking(bare) == ("business-unit", "cost-centre")
    assert lacking(service()) == ()
    assert set(by_key([bare, service()], TABLE, "business-unit")) == {"retail", UNTAGGED}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"0.01"', '"-0.01"'), "instance.cpu_hour: an amount is a number from 0"),
        (('"0.01"', '"NaN"'), "instance.cpu_hour"),
        (('"0.01"', '"1e-30"'), "12 decimals at most"),
        (('"0.01"', '"free"'), "cpu_hour"),
        (("EUR", "euros"), "three capital letters"),
        (("cpu_hour", "cpu_our"), "cpu_our"),
        (("[instance]", "[instance"), "mine.toml"),
    ],
)
def test_a_table_with_a_mistake_is_refused(change: tuple[str, str], said: str) -> None:
    good = (
        'name = "ours"\nsource = "a bill"\ndate = 2026-05-04\ncurrency = "EUR"\n'
        '[instance]\ncpu_hour = "0.01"\n'
    )
    assert read_table(good, "mine.toml").instance.cpu_hour == Decimal("0.01")
    with pytest.raises(PriceTableRefused, match=said):
        read_table(good.replace(*change), "mine.toml")


def test_a_chart_is_a_picture_whatever_keys_are_called() -> None:
    costs = {"<script>": Cost(Decimal(3), Decimal(9)), "b" * 200: Cost(Decimal(1), Decimal(1))}
    drawn = chart(costs, title='costs & "more"', currency="EUR")
    assert "<script>" not in drawn
    now, most = (
        [float(width) for width in re.findall(rf'class="{what}" [^>]*width="([0-9.]+)"', drawn)]
        for what in ("n", "m")
    )
    assert most[0] == max(now + most)
    assert now == [pytest.approx(most[0] / 3, abs=0.1), pytest.approx(most[0] / 9, abs=0.1)]
    many = chart({str(i): Cost() for i in range(999)}, title="", currency="EUR")
    assert many.count("<g>") == MOST_BARS
    assert "nothing is deployed" in chart({}, title="", currency="EUR")


USED = st.builds(
    UsedService,
    SIZES,
    st.lists(st.builds(UsedPart, PARTS, st.integers(0, 2**40)), max_size=4).map(tuple),
)


@given(st.lists(USED, max_size=6), TABLES)
def test_what_was_spent_adds_up_to_the_same_by_any_tag(
    uses: list[UsedService], table: PriceTable
) -> None:
    whole = total(spent_on(one, table) for use in uses for one in use.parts)
    for by in get_args(By):
        assert total(spent_by_key(uses, table, by).values()).now == whole.now
    assert total(spent_by_key(uses, table, "team", "product").values()).now == whole.now


@given(PARTS, TABLES)
def test_a_whole_month_costs_what_was_estimated(part: PartSize, table: PriceTable) -> None:
    one = msgspec.structs.replace(part, count=1, most=1)
    spent = spent_on(UsedPart(one, 730 * 3_600_000), table).now
    assert abs(spent - cost_of_part(one, table).now) <= Decimal("1e-12")


def test_storage_classes_and_shards_have_their_price() -> None:
    table = table_of_the_platform()
    parts = (
        PartSize("postgres", "db", storage=10 * GIB, size="small"),
        PartSize("stream", "clicks", units=3),
        PartSize("postgres", "odd", size="gigantic"),
    )
    costs = [cost_of_part(one, table) for one in parts]
    assert [shown(one.now) for one in costs] == ["24.51", "32.85", "0.00"]
    assert costs[2].unpriced == ("postgres odd",)


def test_a_resource_may_be_charged_apart_from_its_service() -> None:
    of_its_own = PartSize("cache", "hot", memory=GIB, tags={"product": "search"})
    orders = service("orders", of_its_own, PartSize("postgres", "db"), tags={"product": "shop"})
    found = by_key(
        [orders, service("mail", PartSize("postgres", "db"))], TABLE, "service", "product"
    )
    assert {key: cost.now for key, cost in found.items()} == {
        "search": Decimal("0.003") * 730,
        "shop": Decimal("12.5"),
        UNTAGGED: Decimal("12.5"),
    }


def test_a_budget_that_is_passed_is_found() -> None:
    budgets = read_budgets(
        '[team]\nshop = "12.49"\nmail = "0"\n[service]\n"prod/orders" = "12.5"\n', "budgets.toml"
    )
    found = passed(budgets, [service("orders", PartSize("postgres", "db"))], TABLE)
    assert [(one.by, one.key, cost.now) for one, cost in found] == [
        ("team", "shop", Decimal("12.5"))
    ]


@pytest.mark.parametrize(
    "text", ['[team]\nshop = "-1"', '[teams]\nshop = "1"', "[team", '[team]\nshop = "NaN"']
)
def test_budgets_with_a_mistake_are_refused(text: str) -> None:
    with pytest.raises(BudgetsRefused, match=r"mine\.toml"):
        read_budgets(text, "mine.toml")
