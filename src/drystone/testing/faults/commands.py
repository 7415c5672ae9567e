"""Carry out one action of a plan: run its command, strike when it is time, find out what it told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.testing.command_line import LIMIT
from drystone.testing.faults.expectation import Outcome
from drystone.testing.faults.schedule import COMMAND_BEGINS, OPERATION_ENDS
from drystone.testing.faults.subjects import ENVIRONMENT
from drystone.testing.faults.victims import VICTIMS

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

    from drystone.testing.faults.journal import Journal
    from drystone.testing.faults.schedule import Action, Strike
    from drystone.testing.faults.site import Site

NOT_BEGUN = ("cli.NoAnswer", "cli.NoPlatform")
"""Codes of commands that found no agent to talk to."""

OUT_OF_REACH = "is out of reach"
"""Words of a command whose connection was refused: its agent died a moment before."""

NOWHERE_TO_GO = "has no earlier release that is kept"
"""Words of a rollback that has nothing to return to."""

AS_BEFORE = (
    "serves as before",
    "nothing serves; there was no release before",
    NOWHERE_TO_GO,
)
"""Words by which an operation ends that changed nothing."""

_PAUSE_S = 0.2

_GLANCE_S = 0.02

REPLACED_WITHIN = timedelta(seconds=10)
"""How long a strike waits for the next of a kind that is being replaced."""


class Told(msgspec.Struct, frozen=True):
    """What a command told.

    Attributes:
        outcome: What that means for the service.
        words: Its last words.
        at: When it had told it, in seconds of the journal.
        began: Whether the platform took the operation on.
        edge_follows_later: Whether it said that the edge would follow later.
    """

    outcome: Outcome
    words: str
    at: float = 0
    began: bool = True
    edge_follows_later: bool = False


class _Moments:
    """Lets others wait until a step has begun, or the command has ended."""

    def __init__(self) -> None:
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.over = asyncio.Event()

    def reach(self, step: str) -> None:
        self._events[step].set()

    async def until(self, step: str) -> str:
        """Return the moment that came: the step, or the end."""
        if step == OPERATION_ENDS:
            await self.over.wait()
            return step
        waits = [asyncio.create_task(e.wait()) for e in (self._events[step], self.over)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return step if self._events[step].is_set() else OPERATION_ENDS


async def carry_out(action: Action, descriptor: Path, site: Site, journal: Journal) -> Told:
    """Run the command of an action until the platform takes it on and it ends; strike meanwhile.

    Every strike happens: one whose step never comes, when the command has ended.
    """
    words: tuple[str, ...] = (action.kind, action.subject, "--env", ENVIRONMENT)
    if action.kind == "deploy":
        words = (action.kind, str(descriptor), "--env", ENVIRONMENT, "--version", action.version)
    strikes = list(action.strikes)
    async with asyncio.timeout(LIMIT.total_seconds()):
        while True:
            told, struck = await _once(words, action.subject, strikes, site, journal)
            strikes = [strike for strike in strikes if strike not in struck]
            if told.began:
                return told
            await asyncio.sleep(_PAUSE_S)  # its keeper is starting the agent


async def _once(
    words: tuple[str, ...], subject: str, strikes: list[Strike], site: Site, journal: Journal
) -> tuple[Told, list[Strike]]:
    moments = _Moments()
    struck: list[Strike] = []
    async with site.drystone.running(*words, "--json") as process:

        async def strike(one: Strike) -> None:
            moment = await moments.until(one.step)
            await asyncio.sleep(one.delay.total_seconds())
            hit = await _kill(one, site, subject, process)
            struck.append(one)
            if hit is not None:
                site.struck[one.victim] += 1
            late = "" if moment == one.step else f", at the {moment}"
            what = "nobody is there" if hit is None else f"pid {hit}"
            journal.write("strike", f"{subject}: {one.words()}{late}: {what}")

        async with asyncio.TaskGroup() as group:
            pending = [group.create_task(strike(one)) for one in strikes]
            moments.reach(COMMAND_BEGINS)
            told = msgspec.structs.replace(await _listen(process, moments), at=journal.now())
            if told.began:
                moments.over.set()
            else:  # strikes wait for the attempt that the platform takes on
                for task in pending:
                    task.cancel()
    return told, struck


async def _kill(one: Strike, site: Site, subject: str, process: Process) -> int | None:
    """Kill one, or the next that takes its place; return its number, None when nobody came."""
    victim = VICTIMS[one.victim]
    loop = asyncio.get_running_loop()
    end = loop.time() + REPLACED_WITHIN.total_seconds()
    while (hit := await asyncio.to_thread(victim.strike, one, site, subject, process)) is None:
        if not victim.is_replaced or loop.time() > end:
            break
        while loop.time() < end and not victim.find(site, subject, process):  # noqa: ASYNC110 - in other processes
            await asyncio.sleep(_GLANCE_S)
        await asyncio.sleep(one.delay.total_seconds())  # anywhere in what it does first
    return hit


async def _listen(process: Process, moments: _Moments) -> Told:
    assert process.stdout is not None  # noqa: S101 - CommandLine asks for it
    assert process.stderr is not None  # noqa: S101 - CommandLine asks for it
    complaining = asyncio.create_task(process.stderr.read())
    said: list[dict[str, Any]] = []
    async for line in process.stdout:
        try:
            document = msgspec.json.decode(line)
        except msgspec.DecodeError:  # it was killed in the middle of a line
            continue
        said.append(document)
        if document.get("state") in {"began", "info"}:
            moments.reach(str(document.get("step")))
    complaint = (await complaining).decode(errors="replace").strip()
    return verdict(await process.wait(), said, complaint)


def verdict(code: int, said: list[dict[str, Any]], complaint: str) -> Told:
    """Say what a command told.

    Args:
        code: Its exit code, minus the number of the signal that ended it.
        said: What it wrote with ``--json``.
        complaint: What it wrote to standard error.
    """
    last = said[-1] if said else {}
    later = any("has not followed yet" in str(one.get("text")) for one in said)
    if code == 0 and last.get("step") == "done":
        return Told(Outcome.DONE, str(last["text"]), edge_follows_later=later)
    if code < 0:
        return Told(Outcome.UNKNOWN, f"killed by signal {-code}")
    problem = str(last.get("type", ""))
    began = any("step" in one for one in said)
    if not began and (problem in NOT_BEGUN or OUT_OF_REACH in complaint):
        return Told(Outcome.UNDONE, complaint, began=False)
    if any(words in complaint for words in AS_BEFORE):
        return Told(Outcome.UNDONE, complaint)
    if code == 0:
        complaint = f"it ended well and did not say that it was done: {last}"
    return Told(Outcome.UNKNOWN, complaint)


def is_undue(told: Told) -> bool:
    """Tell whether a command failed that had no reason to: nothing but agents and commands was killed."""
    return told.outcome is Outcome.UNDONE and NOWHERE_TO_GO not in told.words
