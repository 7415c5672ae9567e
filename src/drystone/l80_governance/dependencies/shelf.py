"""The analyses and pages of the models that were looked at last."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import date
from typing import Generic, TypeVar

from drystone.l05_graph.evidence import Evidence
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.analysis import Analysis, analysed, evidence_name
from drystone.l80_governance.dependencies.answers import Content

MOST_ANALYSES = 4
MOST_BYTES = 32 << 20

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """What was used last, as much as there is room for.

    Args:
        room: How much in all.
        size: How much each takes.
    """

    def __init__(self, room: int, size: Callable[[Value], int]) -> None:
        self._room, self._size = room, size
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._used = 0

    def get(self, key: Hashable) -> Value | None:
        """Return what is kept, and keep it longer."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Keep something, in place of what was used longest ago."""
        if key in self._kept:
            self._used -= self._size(self._kept.pop(key))
        self._kept[key] = value
        self._used += self._size(value)
        while self._used > self._room and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._used -= self._size(gone)


class Shelf:
    """Keeps analyses by what their models say, and pages by these and their address."""

    def __init__(self) -> None:
        self._analyses: Latest[asyncio.Task[Analysis]] = Latest(MOST_ANALYSES, lambda _: 1)
        self.pages: Latest[Content] = Latest(MOST_BYTES, lambda one: one.size)

    async def analysis(self, model: Model, today: date, evidence: Evidence) -> Analysis:
        """Return the analysis of a model; those who ask for the same at once share one."""
        digest = await asyncio.to_thread(lambda: model.digest)
        key = (digest, model.title, today, evidence_name(evidence))
        task = self._analyses.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(asyncio.to_thread(analysed, model, today, evidence))
            self._analyses.put(key, task)
        # One who goes away must not end what others wait for.
        return await asyncio.shield(task)
