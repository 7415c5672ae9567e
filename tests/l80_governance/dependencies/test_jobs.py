"""Work beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from drystone.l80_governance.dependencies.jobs import (
    GIVEN_UP_AFTER,
    MOST_KEPT,
    MOST_WAITING,
    GivenUp,
    Job,
    Jobs,
    Tell,
    TooBusy,
)

LIMIT = timedelta(seconds=30)


async def test_those_who_ask_for_the_same_share_it() -> None:
    jobs, count = Jobs(), 0

    def work(_: Tell) -> int:
        nonlocal count
        count += 1
        return count

    found = [await jobs.soon(jobs.ask("a", work), LIMIT) for _ in range(3)]

    assert found == [1, 1, 1]


async def test_what_takes_long_is_told_meanwhile() -> None:
    jobs, go = Jobs(), threading.Event()

    def work(tell: Tell) -> str:
        tell(0.5, "half")
        go.wait(30)
        return "done"

    job = jobs.ask("a", work)
    while job.share < 0.5:  # noqa: ASYNC110 - a thread
        await asyncio.sleep(0.01)

    assert await jobs.soon(job, timedelta(milliseconds=1)) is None
    assert job.text == "half"
    go.set()
    assert await jobs.soon(job, LIMIT) == "done"


async def test_what_fails_is_told_and_tried_again_by_the_next_who_asks() -> None:
    jobs = Jobs()

    def fail(_: Tell) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await jobs.soon(jobs.ask("a", fail), LIMIT)
    assert await jobs.soon(jobs.ask("a", lambda _: "well"), LIMIT) == "well"


async def test_too_much_at_once_is_refused() -> None:
    jobs, go = Jobs(), threading.Event()
    for number in range(MOST_WAITING):
        jobs.ask(number, lambda _: go.wait(30))

    with pytest.raises(TooBusy):
        jobs.ask("one more", lambda _: None)
    jobs.ask(0, lambda _: None)  # that one is known
    go.set()


async def test_what_nobody_waits_for_is_given_up() -> None:
    now = 0.0
    ended = threading.Event()
    begun = threading.Event()
    go = threading.Event()

    def work(tell: Tell) -> None:
        begun.set()
        go.wait(30)
        try:
            tell(0.5, "on")
        finally:
            ended.set()

    job = Jobs(lambda: now).ask("a", work)
    await asyncio.to_thread(begun.wait, 30)
    now = GIVEN_UP_AFTER.total_seconds() + 1
    go.set()
    await asyncio.to_thread(ended.wait, 30)
    while not job.is_done:  # noqa: ASYNC110 - a thread
        await asyncio.sleep(0.01)

    assert job.has_failed


async def test_only_the_latest_results_are_kept() -> None:
    jobs = Jobs()
    first: list[Job] = []
    for number in range(MOST_KEPT + 5):
        job = jobs.ask(number, lambda _: None)
        first.append(job)
        await jobs.soon(job, LIMIT)

    assert jobs.ask(0, lambda _: 0) is not first[0]
    assert jobs.ask(MOST_KEPT + 4, lambda _: 0) is first[-1]


async def test_what_somebody_ends_is_given_up_and_begins_anew_for_the_next() -> None:
    jobs, go = Jobs(), threading.Event()

    def work(tell: Tell) -> str:
        go.wait(30)
        tell(0.5, "on")
        return "done"

    running, waiting = jobs.ask("a", work), jobs.ask("b", lambda _: "never")
    for job in (running, waiting):
        jobs.end(job.name)
    jobs.end("another")
    again = jobs.ask("a", lambda _: "new")
    go.set()

    for job in (running, waiting):
        with pytest.raises(GivenUp):
            await jobs.soon(job, LIMIT)
    assert await jobs.soon(again, LIMIT) == "new"
