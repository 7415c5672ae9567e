"""Where the view gets its models from, and where it keeps new ones."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.errors import Conflict, Invalid
from drystone.l05_graph.evidence import Evidence
from drystone.l05_graph.forms import evidence, survey, survey_text
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.errors import VersionNotFound

NAME_LENGTH = 16
"""A version is named by so many digits of its model's digest."""
MOST_VERSIONS = 1000
_SUFFIX = ".json"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was kept; it never changes.

    Attributes:
        name: What it is found by: the first digits of its model's digest.
        title: For people.
        author: Who kept it.
        created: When, aware.
        parent: Digest of the model that it was made from, if it was.
        digest: Of its model.
    """

    name: str
    title: str
    author: str
    created: datetime
    parent: str | None
    digest: str


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
        """Return what traffic showed; nothing where none was imported."""
        return Evidence()

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


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A version as a file."""

    version: Version
    survey: str


class KeptVersions:
    """Versions as files of a folder, one each, that are written once and whole.

    Args:
        folder: Made when the first is kept.
        clock: When that is.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._writing = threading.Lock()

    def every(self) -> list[Version]:
        """Return all, the newest first."""
        if not self._folder.is_dir():
            return []
        found = [_read(path).version for path in self._folder.glob(f"*{_SUFFIX}")]
        return sorted(found, key=lambda one: (one.created, one.name), reverse=True)

    def model(self, name: str) -> Model:
        """Return the model of one.

        Raises:
            VersionNotFound: None of that name was kept.
        """
        path = self._folder / f"{name}{_SUFFIX}"
        if not (name.isalnum() and name.isascii() and path.is_file()):
            raise VersionNotFound(f"no version {name[:80]!r} was kept; choose one of the list")
        return survey.read(_read(path).survey, file=path.name)

    def keep(self, model: Model, title: str, author: str) -> Version:
        """Keep a model.

        Raises:
            Conflict: Another model has the same name, or there are too many versions.
            DiskFull: There is no room for it.
        """
        with self._writing:  # of two who keep the same model at once, the first gives it its title
            return self._keep(model, title, author)

    def _keep(self, model: Model, title: str, author: str) -> Version:
        name = model.digest[:NAME_LENGTH]
        path = self._folder / f"{name}{_SUFFIX}"
        if path.exists():
            known = _read(path).version
            if known.digest != model.digest:
                raise Conflict(f"the version {name} is of another model; change something")
            return known
        if sum(1 for _ in self._folder.glob(f"*{_SUFFIX}")) >= MOST_VERSIONS:
            raise Conflict(
                f"{MOST_VERSIONS} versions are kept in {self._folder}; move some of these files away"
            )
        version = Version(
            name=name,
            title=title,
            author=author,
            created=self._clock.now(),
            parent=model.parent,
            digest=model.digest,
        )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        kept = _Kept(version=version, survey=survey_text.dump(model))
        write_atomically(path, msgspec.json.encode(kept))
        return version


def _read(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except msgspec.DecodeError as e:
        raise Invalid(f"{path.name} is not a version as the view writes it: {e}") from e


class FileModels(Models):
    """The model is a survey, a file in git for example; versions lie in a folder beside it, and so may what traffic showed.

    Beside ``survey.yaml`` these are ``survey.versions/`` and ``survey.evidence.jsonl``.

    Args:
        path: Of the survey.
        clock: For when versions are kept.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._kept = KeptVersions(path.with_name(f"{path.stem}.versions"), clock or SystemClock())
        self._seen: tuple[int, int, int] | None = None
        self._model = Model()
        self._seen_traffic: tuple[int, int, int] | None = None
        self._traffic = Evidence()
        self._reading = asyncio.Lock()

    @override
    async def current(self) -> Model:
        async with self._reading:
            return await asyncio.to_thread(self._current)

    def _current(self) -> Model:
        with contextlib.ExitStack() as stack:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            file = stack.enter_context(os.fdopen(descriptor, "rb"))
            status = os.fstat(descriptor)
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._model = survey.read(file.read(), file=self._path.name)
                self._seen = seen
        return self._model

    @override
    async def evidence(self) -> Evidence:
        async with self._reading:
            return await asyncio.to_thread(self._imported)

    def _imported(self) -> Evidence:
        path = self._path.with_name(f"{self._path.stem}.evidence.jsonl")
        if not path.is_file():
            return Evidence()
        status = path.stat()
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen_traffic:
            self._traffic = evidence.read(path.read_bytes(), file=path.name)
            self._seen_traffic = seen
        return self._traffic

    @override
    async def versions(self) -> Sequence[Version]:
        return await asyncio.to_thread(self._kept.every)

    @override
    async def version(self, name: str) -> Model:
        return await asyncio.to_thread(self._kept.model, name)

    @override
    async def keep(self, model: Model, *, title: str, author: str) -> Version:
        return await asyncio.to_thread(self._kept.keep, model, title, author)
