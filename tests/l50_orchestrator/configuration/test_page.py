"""The files of the how-to are applied as they stand there."""

from __future__ import annotations

import pytest

from docs.pages import pages
from drystone.l00_kernel.contract import Caller, Context
from drystone.l50_orchestrator.configuration import errors
from drystone.l50_orchestrator.configuration.api import File
from l50_orchestrator.configuration.stand import ROOT, Parts, applied
from l50_orchestrator.configuration.whole import Whole

OWNER = Context(Caller("operator", frozenset({"admin"})))

pytestmark = pytest.mark.asyncio(loop_scope="session")

(PAGE,) = (page for page in pages() if page.path.endswith("how-to/configuration-in-git.md"))
ALL = [File(block.title, block.text) for block in PAGE.blocks if block.title]
FILES = [file for file in ALL if file.path != "people.yaml"]
SHOWN = [block.text.strip() for block in PAGE.blocks if block.language == "text"]


async def test_the_files_are_applied(parts: Parts) -> None:
    await applied(parts.configuration, "teams: {commerce: [ada]}")
    said = [one async for one in parts.configuration.apply(ROOT, files=FILES)]
    assert said[-1].number == 6
    assert (await parts.configuration.plan(ROOT, files=FILES)).steps == ()


async def test_all_of_them_are_applied_to_real_parts(whole: Whole) -> None:
    said = [one async for one in whole.configuration.apply(OWNER, files=ALL)]
    assert said[-1].number == 11
    assert (await whole.configuration.plan(OWNER, files=ALL)).steps == ()


async def test_every_kind_stands_on_the_page(whole: Whole) -> None:
    kinds = whole.configuration._kinds.values()
    assert len(kinds) == 10
    for one in kinds:
        (row,) = (line for line in PAGE.text.splitlines() if line.startswith(f"| `{one.kind}` |"))
        assert row.count("`") > 2


async def test_the_mistake_is_shown_as_the_page_shows_it(parts: Parts) -> None:
    await applied(parts.configuration, "teams: {commerce: [ada]}")
    wrong = [
        File(one.path, one.text.replace("orders: commerce", "orders: comerce")) for one in FILES
    ]
    with pytest.raises(errors.FilesRefused) as refusal:
        await parts.configuration.plan(ROOT, files=wrong)
    lines = refusal.value.message.splitlines()
    shown = SHOWN[0].splitlines()
    assert lines[0] == shown[0]
    assert lines[1].startswith(shown[1])
    assert lines[2:] == shown[2:]


async def test_the_words_of_a_removal_are_those_of_the_page(parts: Parts) -> None:
    await applied(parts.configuration, "teams: {a: []}", "services: {old-orders: a, orders: a}")
    with pytest.raises(errors.RemovalNotConfirmed) as refusal:
        await applied(parts.configuration, "services: {orders: a}", prune=True)
    assert refusal.value.message == SHOWN[1]
