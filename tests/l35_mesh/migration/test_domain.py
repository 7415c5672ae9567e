"""What an address means, what a share is, and when the other side counts as failing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.proxy.edge_moves import WHOLE
from drystone.l35_mesh.migration.api import Counted, Target, Who
from drystone.l35_mesh.migration.domain import (
    Place,
    check_who,
    is_failing,
    read_sticky,
    read_target,
    share_of,
    usable,
)
from drystone.l35_mesh.migration.errors import ShareUnfit, TargetUnfit
from drystone.l35_mesh.migration.window import LOOKS, Window


def place(host: str, port: int, asked_for: str | None, *, is_encrypted: bool = False) -> Place:
    return Place(host=host, port=port, asked_for=asked_for, is_encrypted=is_encrypted)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.0.0.7:8400", place("10.0.0.7", 8400, None)),
        ("[::1]:8400", place("::1", 8400, None)),
        ("new.example:80", place("new.example", 80, None)),
        ("http://new.example", place("new.example", 80, "new.example")),
        ("http://new.example:8080/", place("new.example", 8080, "new.example:8080")),
        ("https://New.example", place("new.example", 443, "new.example", is_encrypted=True)),
        ("https://[::1]:8443", place("::1", 8443, "[::1]:8443", is_encrypted=True)),
    ],
)
def test_an_address_says_where_and_what_is_asked_for(text: str, meant: Place) -> None:
    assert read_target(Target(address=text)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "new.example",
        "8400",
        ":8400",
        "ftp://new.example",
        "http://user:password@new.example",
        "http://new.example/path",
        "http://new.example?x=1",
        "new.example:port",
        "new.example:99999",
        "a b:80",
        "*.example:80",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(TargetUnfit):
        read_target(Target(address=text))


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader_of_addresses(text: str) -> None:
    try:
        found = read_target(Target(address=text))
    except TargetUnfit:
        return
    assert 0 < found.port < 65536


def test_what_is_asked_for_may_be_said() -> None:
    said = Target(address="10.0.0.7:8400", host="shop.example")
    assert read_target(said).asked_for == "shop.example"
    with pytest.raises(TargetUnfit):
        read_target(Target(address="10.0.0.7:8400", host="shop\r\nx: y"))


@pytest.mark.parametrize(
    ("percent", "share"), [(0, 0), (0.01, 1), (0.5, 50), (33.33, 3333), (100, WHOLE)]
)
def test_a_share_is_counted_in_hundredths_of_a_percent(percent: float, share: int) -> None:
    assert share_of(percent) == share


@pytest.mark.parametrize("percent", [-1, 100.01, 0.001, float("nan"), float("inf")])
def test_what_is_no_share_is_refused(percent: float) -> None:
    with pytest.raises(ShareUnfit):
        share_of(percent)


@pytest.mark.parametrize(
    "who",
    [Who("X-Upper", "a"), Who("x", ""), Who("x", "a\nb"), Who("x-drystone-hop", "a"), Who("", "a")],
)
def test_a_rule_that_cannot_be_is_refused(who: Who) -> None:
    with pytest.raises(ShareUnfit):
        check_who([who])


@pytest.mark.parametrize("text", ["cookie", "cookie:", "session:x", "cookie:a b", "header:X"])
def test_what_keeps_no_client_is_refused(text: str) -> None:
    with pytest.raises(ShareUnfit):
        read_sticky(text)


def test_the_addresses_of_a_name_have_one_order_and_three_are_used() -> None:
    found = ["10.0.0.2", "::1", "10.0.0.10", "10.0.0.2", "10.0.0.1"]
    assert usable(found) == usable(found[::-1]) == ("10.0.0.1", "10.0.0.2", "10.0.0.10")


@pytest.mark.parametrize(
    ("here", "there", "fails"),
    [
        ((100, 0), (100, 0), False),
        ((100, 0), (0, 4), False),
        ((0, 0), (0, 5), True),
        ((100, 0), (95, 5), False),
        ((100, 0), (90, 10), True),
        ((50, 50), (50, 50), False),
        ((90, 10), (75, 25), True),
    ],
)
def test_the_other_side_fails_when_it_fails_much_more_than_this_one(
    here: tuple[int, int], there: tuple[int, int], fails: bool
) -> None:
    assert is_failing(Counted(*here), Counted(*there)) is fails


def test_only_what_happened_of_late_counts_and_counters_may_begin_anew() -> None:
    window = Window()
    window.look(Counted(1000, 50), Counted(0, 0))
    window.look(Counted(1010, 51), Counted(5, 1))
    assert (window.here, window.there) == (Counted(10, 1), Counted(5, 1))
    window.look(Counted(3, 0), Counted(0, 0))  # another proxy counts
    assert (window.here, window.there) == (Counted(13, 1), Counted(5, 1))
    for _ in range(LOOKS):
        window.look(Counted(3, 0), Counted(0, 0))
    assert (window.here, window.there) == (Counted(0, 0), Counted(0, 0))
