"""Where the view gets its models from, and where it keeps new ones."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l05_graph.evidence import Evidence
from drystone.l05_graph.forms import evidence as evidence_form
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.kept import KeptVersions, Version
from drystone.l80_governance.dependencies.reread import Reread

MOST_BYTES = 256 << 20
"""Of a survey, and of evidence."""


class Took(msgspec.Struct, frozen=True):
    """How long calls took, in seconds: half of them at most so long, 95 of 100, and 99; None where nobody knows.

    Attributes:
        p50: Half.
        p95: 95 of 100.
        p99: 99 of 100.
        since: From when on they were counted; None where that is since whoever counts began.
    """

    p50: float | None
    p95: float | None
    p99: float | None
    since: datetime | None = None


Durations: TypeAlias = Mapping[tuple[str, str], Took]


class Models(abc.ABC):
    """The models that the view shows."""

    @abc.abstractmethod
    async def current(self) -> Model:
        """Return the model as it is now. Asked for every page, so what did not change comes quickly.

        Raises:
            ModelInvalid: What is there contradicts itself.
            Unavailable: Nobody can say now.
        """

    async def evidence(self) -> Evidence:
        """Return what traffic showed; nothing where none was imported.

        Raises:
            ModelInvalid: What was imported is damaged.
            Unavailable: It cannot be read.
        """
        return Evidence()

    async def durations(self) -> Durations:
        """Return how long calls took, by who calls and who is called; nothing where nobody counts."""
        return {}

    @property
    def how_to_import(self) -> str:
        """The command that adds to what traffic showed, without the files."""
        return "drystone deps ingest SOURCE FILE… --evidence survey.evidence.jsonl"

    @abc.abstractmethod
    async def versions(self) -> Sequence[Version]:
        """Return what was kept, the newest first."""

    @abc.abstractmethod
    async def version(self, name: str) -> Model:
        """Return the model of a version.

        Raises:
            VersionNotFound: None of that name was kept.
        """

    @abc.abstractmethod
    async def keep(self, model: Model, *, title: str, author: str) -> Version:
        """Keep a model; one that is there already stays as it is.

        Raises:
            Conflict: Another model has the same name.
            DiskFull: There is no room for it.
        """


class KeepingModels(Models):
    """Models whose versions lie in a folder, and what traffic showed in a file.

    Args:
        versions: The folder; made when the first is kept.
        evidence: The file; it need not be there.
        clock: For when versions are kept.
    """

    def __init__(self, *, versions: Path, evidence: Path, clock: Clock | None = None) -> None:
        self._kept = KeptVersions(versions, clock or SystemClock())
        self._imported = Reread(
            evidence,
            lambda read: evidence_form.read(read, file=evidence.name),
            most=MOST_BYTES,
            missing=Evidence(),
        )

    @override
    async def evidence(self) -> Evidence:
        return await asyncio.to_thread(self._imported.value)

    @override
    async def versions(self) -> Sequence[Version]:
        return await asyncio.to_thread(self._kept.every)

    @override
    async def version(self, name: str) -> Model:
        return await asyncio.to_thread(self._kept.model, name)

    @override
    async def keep(self, model: Model, *, title: str, author: str) -> Version:
        return await asyncio.to_thread(self._kept.keep, model, title, author)


class FileModels(KeepingModels):
    """The model is a survey, a file in git for example; versions lie in a folder beside it, and so may what traffic showed.

    Beside ``survey.yaml`` these are ``survey.versions/`` and ``survey.evidence.jsonl``.

    Args:
        path: Of the survey.
        clock: For when versions are kept.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._beside = path.with_name(f"{path.stem}.evidence.jsonl")
        super().__init__(
            versions=path.with_name(f"{path.stem}.versions"), evidence=self._beside, clock=clock
        )
        self._survey = Reread(path, lambda read: survey.read(read, file=path.name), most=MOST_BYTES)

    @override
    async def current(self) -> Model:
        return await asyncio.to_thread(self._survey.value)

    @property
    @override
    def how_to_import(self) -> str:
        return f"drystone deps ingest SOURCE FILE… --evidence {self._beside}"
