"""The analyses and pages of the models that were looked at last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta

from drystone.l05_graph.evidence import Evidence
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.analysis import Analysis, analysed, evidence_name
from drystone.l80_governance.dependencies.answers import Content
from drystone.l80_governance.dependencies.errors import BeingAnalysed
from drystone.l80_governance.dependencies.latest import MOST_LINES, Latest, lines_of

MOST_BYTES = 32 << 20
LARGE = 200_000
"""From so many components and dependencies on, an analysis takes longer than a page may."""
PATIENCE = timedelta(seconds=1)
"""So long a page waits for a large one before it tells so."""


@dataclass(frozen=True)
class _Pending:
    """An analysis that goes on or is done, and how much room it takes."""

    task: asyncio.Task[Analysis]
    lines: int

    @property
    def has_failed(self) -> bool:
        task = self.task
        return task.done() and (task.cancelled() or task.exception() is not None)


class Shelf:
    """Keeps analyses by what their models say, and pages by these and their address.

    Args:
        large: From so many components and dependencies on, nobody waits for an analysis longer than ``patience``.
        patience: The same.
    """

    def __init__(self, *, large: int = LARGE, patience: timedelta = PATIENCE) -> None:
        self._large, self._patience = large, patience
        self._analyses: Latest[_Pending] = Latest(MOST_LINES, lambda one: one.lines)
        self.pages: Latest[Content] = Latest(MOST_BYTES, lambda one: one.size)

    async def analysis(self, model: Model, today: date, evidence: Evidence) -> Analysis:
        """Return the analysis of a model; those who ask for the same at once share one.

        Raises:
            BeingAnalysed: The model is large, and its analysis goes on.
        """
        digest = await asyncio.to_thread(lambda: model.digest)
        key = (digest, model.title, today, evidence_name(evidence))
        found = self._analyses.get(key)
        if found is None or found.has_failed:
            task = asyncio.create_task(asyncio.to_thread(analysed, model, today, evidence))
            found = _Pending(task, lines_of(model))
            self._analyses.put(key, found)
        size = len(model.components) + len(model.dependencies)
        if size >= self._large:
            await asyncio.wait({found.task}, timeout=self._patience.total_seconds())
            if not found.task.done():
                raise BeingAnalysed(
                    f"the model has {len(model.components):,} components and"
                    f" {len(model.dependencies):,} dependencies, and is being analysed"
                )
        # One who goes away must not end what others wait for.
        return await asyncio.shield(found.task)
