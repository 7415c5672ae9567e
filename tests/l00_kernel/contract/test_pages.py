"""Lists that come in pages are read as what they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.contract import Page, every, first


class Pages:
    """A list of numbers, and what was asked of it."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._size = count, size
        self.asked: list[tuple[str | None, int]] = []

    async def ask(self, cursor: str | None, most: int = 1_000) -> Page[int]:
        self.asked.append((cursor, most))
        begin = int(cursor or 0)
        end = min(self._count, begin + min(most, self._size))
        return Page(list(range(begin, end)), str(end) if end < self._count else None)


@given(st.integers(0, 40), st.integers(1, 12))
async def test_every_item_comes_once_and_in_order(count: int, size: int) -> None:
    pages = Pages(count, size)
    assert [one async for one in every(pages.ask)] == list(range(count))
    assert len(pages.asked) == max(1, -(-count // size))


@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 50), st.integers(1, 9))
async def test_the_first_are_as_many_as_wanted_and_no_page_is_asked_for_more_than_it_may_have(
    count: int, size: int, wanted: int, largest: int
) -> None:
    pages = Pages(count, size)
    assert await first(wanted, pages.ask, largest=largest) == list(range(min(count, wanted)))
    assert all(0 < most <= largest for _, most in pages.asked)
    if wanted == 0:
        assert pages.asked == []
