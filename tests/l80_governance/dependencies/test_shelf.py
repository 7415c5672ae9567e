"""What is kept for the next who asks, and who waits for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date, timedelta

import pytest

from drystone.l05_graph.evidence import Evidence
from drystone.l80_governance.dependencies.errors import BeingAnalysed
from drystone.l80_governance.dependencies.latest import Latest
from drystone.l80_governance.dependencies.pages.layout import document
from drystone.l80_governance.dependencies.pages.waiting import being_analysed
from drystone.l80_governance.dependencies.shelf import Shelf
from drystone.l80_governance.dependencies.site import static_files
from l80_governance.dependencies.knot import knot
from l80_governance.dependencies.reading import Reader, stumbles

DAY = date(2026, 11, 22)


def test_what_was_used_longest_ago_makes_room() -> None:
    kept: Latest[str] = Latest(6, len)
    kept.put("a", "aaa")
    kept.put("b", "bb")
    assert kept.get("a") == "aaa"
    kept.put("c", "cc")
    assert [kept.get(key) for key in "abc"] == ["aaa", None, "cc"]
    kept.put("d", "d" * 100)  # one is kept, however large it is
    assert [kept.get(key) for key in "acd"] == [None, None, "d" * 100]


async def test_those_who_ask_at_once_share_an_analysis() -> None:
    shelf = Shelf()
    first, other = await asyncio.gather(
        *(shelf.analysis(knot(), DAY, Evidence()) for _ in range(2))
    )
    assert first is other


async def test_of_a_large_model_it_is_said_that_it_is_being_analysed() -> None:
    shelf = Shelf(large=1, patience=timedelta())
    with pytest.raises(BeingAnalysed, match="5 components and 5 dependencies") as told:
        await shelf.analysis(knot(), DAY, Evidence())

    page = being_analysed(told.value)
    whole = document(None, page, dict.fromkeys(static_files(), "static/x")).encoded().decode()
    assert stumbles(whole) == []
    assert page.status == 202
    assert [one.said("content") for one in Reader(whole).root.every("noscript")[0].below] == ["2"]
    async with asyncio.timeout(60):
        while not await is_done(shelf):  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.01)
    assert (await shelf.analysis(knot(), DAY, Evidence())).model.digest == knot().digest


async def is_done(shelf: Shelf) -> bool:
    with suppress(BeingAnalysed):
        await shelf.analysis(knot(), DAY, Evidence())
        return True
    return False
