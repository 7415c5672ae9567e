"""Versions as files of a folder, one each, that are written once and whole."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from drystone.l00_kernel.atomic import remove_partials, write_atomically
from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.errors import Conflict, Invalid
from drystone.l05_graph.forms import survey, survey_text
from drystone.l05_graph.model import Model
from drystone.l80_governance.dependencies.errors import VersionNotFound
from drystone.l80_governance.dependencies.latest import MOST_LINES, Latest, lines_of

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
        digest: Of its model; empty when the file is damaged.
    """

    name: str
    title: str
    author: str
    created: datetime
    parent: str | None
    digest: str


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of its version; the rest of it is passed over."""

    version: Version


class _Kept(_Head, frozen=True, kw_only=True):
    """A version as a file."""

    survey: str


class KeptVersions:
    """The versions in a folder.

    Args:
        folder: Made when the first is kept.
        clock: When that is.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._writing = threading.Lock()
        self._heads: dict[tuple[str, int, int], Version] = {}
        self._models: Latest[Model] = Latest(MOST_LINES, lines_of)
        self._reading = threading.Lock()

    def every(self) -> list[Version]:
        """Return all, the newest first; one whose file is damaged says so in its title."""
        if not self._folder.is_dir():
            return []
        known = self._heads
        # Files never change, so that each is read once. What was removed is forgotten.
        self._heads = {key: known.get(key) or _head(key[0], path) for key, path in self._files()}
        return sorted(self._heads.values(), key=lambda one: (one.created, one.name), reverse=True)

    def _files(self) -> list[tuple[tuple[str, int, int], Path]]:
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # removed at this moment
            found.append(((path.stem, status.st_mtime_ns, status.st_size), path))
        return found

    def model(self, name: str) -> Model:
        """Return the model of one.

        Raises:
            VersionNotFound: None of that name was kept.
            Invalid: Its file is damaged.
        """
        path = self._folder / f"{name}{_SUFFIX}"
        if not (name.isalnum() and name.isascii() and len(name) < 100 and path.is_file()):
            raise VersionNotFound(f"no version {name[:80]!r} was kept; choose one of the list")
        with self._reading:
            status = path.stat()
            key = (name, status.st_mtime_ns, status.st_size)
            found = self._models.get(key)
            if found is None:
                found = survey.read(_read(path).survey, file=path.name)
                self._models.put(key, found)
            return found

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
        remove_partials([self._folder])  # of a view that ended while it wrote
        kept = _Kept(version=version, survey=survey_text.dump(model))
        write_atomically(path, msgspec.json.encode(kept))
        return version


def _head(name: str, path: Path) -> Version:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Head).version
    except (msgspec.DecodeError, OSError) as e:
        written = datetime.fromtimestamp(0, UTC)
        return Version(
            name=name,
            title=f"damaged: {e}",
            author="",
            created=written,
            parent=None,
            digest="",
        )


def _read(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except msgspec.DecodeError as e:
        raise Invalid(f"{path.name} is not a version as the view writes it: {e}") from e
