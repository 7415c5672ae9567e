"""Workflows drawn at random, and what their steps do: lines in a file, which outlives every process."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec

from drystone.l00_kernel.errors import Denied, Unavailable
from drystone.l10_engines.postgres.database import Session
from drystone.l10_engines.workflows.attempts import Step
from drystone.l10_engines.workflows.errors import WaitTimedOut, WorkflowFailed
from drystone.l10_engines.workflows.model import NEVER, Retries
from drystone.l10_engines.workflows.run import Definition, Run

SHAKY = Retries(times=3, first=timedelta(milliseconds=1), most=timedelta(milliseconds=30))

Deed = Literal[
    "step", "shaky", "row", "sleep", "nap", "now", "wait", "late", "child", "fail", "hold", "later"
]  # fmt: skip
"""What a workflow does at one place. A nap is waited for without giving the workflow away; what holds goes on when there
is a file with ``.go`` behind the name of the plan's."""


class Plan(msgspec.Struct, frozen=True):
    """What a workflow is to do.

    Attributes:
        deeds: One after the other.
        file: Where each effect adds a line: the key of its step.
        child: What its child does.
    """

    deeds: tuple[Deed, ...]
    file: str
    child: tuple[Deed, ...] = ()


async def carry(run: Run, plan: Plan) -> list[str]:
    """Do what the plan says; each deed leaves a word that tells what came of it."""
    words = []
    for number, deed in enumerate(plan.deeds):
        words.append(await _do(run, plan, number, deed))
    return words


async def _do(run: Run, plan: Plan, number: int, deed: Deed) -> str:
    effects = _Effects(plan.file, deed, number)
    name = f"{deed} {number}"
    match deed:
        case "step" | "shaky":
            return await run.step(
                name, effects.have, returns=str, retries=SHAKY, compensate=effects.take_back
            )
        case "hold":
            return await run.step(name, effects.hold, returns=str)
        case "row":
            return await run.transact(name, effects.insert, returns=str)
        case "fail":
            await run.step(name, effects.fail, retries=NEVER, compensate=effects.take_back)
        case "child":
            return await _have_child(run, plan)
        case _:
            return await _pass_time(run, deed)
    return deed


async def _have_child(run: Run, plan: Plan) -> str:
    child = await run.begin_child(KIND, Plan(plan.child, plan.file))
    try:
        return "child " + " ".join(await run.end_of(child, gives=list[str]))
    except WorkflowFailed:
        return "child failed"


async def _pass_time(run: Run, deed: Deed) -> str:
    if deed in {"wait", "later"}:
        return await run.wait("go" if deed == "wait" else "later", carries=str)
    if deed == "late":
        try:
            return await run.wait("never", carries=str, within=timedelta(milliseconds=2))
        except WaitTimedOut:
            return "nobody came"
    if deed == "now":
        await run.now()
    else:
        await run.sleep(timedelta(milliseconds=15 if deed == "sleep" else 1))
    return deed


class _Effects:
    def __init__(self, file: str, deed: str, number: int) -> None:
        self._file = Path(file)
        self._deed = deed
        self._number = number

    async def have(self, step: Step) -> str:
        self._add(f"did {step.key}")
        if self._deed == "shaky" and step.tries <= self._number % 4:
            raise Unavailable("shaky")
        return f"{self._deed} {step.key}"

    async def hold(self, step: Step) -> str:
        self._add(f"did {step.key}")
        while not Path(f"{self._file}.go").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)
        return "held"

    async def insert(self, session: Session, step: Step) -> str:
        await session.fetch("INSERT INTO effect (key) VALUES (%(key)s)", key=step.key)
        return f"row {step.key}"

    async def fail(self, step: Step) -> None:
        self._add(f"did {step.key}")
        raise Denied("so it is drawn")

    async def take_back(self, key: str, output: str | None) -> None:
        self._add(f"undid {key} {output}")

    def _add(self, line: str) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)


KIND = Definition(name="carry", version=1, takes=Plan, gives=list[str], run=carry)


def effects_in(file: Path) -> Counter[str]:
    """Count the lines that workflows left."""
    return Counter(file.read_text().splitlines() if file.exists() else [])
