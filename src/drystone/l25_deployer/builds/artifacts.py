"""Keep artefacts under the home, each complete or absent.

``artifacts/<digest>/`` holds ``source/`` (the copied folder) or ``runtime/`` (a virtual environment) and, once all
of it is there and on the disk, the file ``complete``. A virtual environment names its own path, so nothing is built
elsewhere and renamed; what lacks the mark is thrown away and built again.

An installation by pip or uv changes nothing but the environment: it is kept apart, named by what it depends on, so that a
new version of the code with the same requirements starts at once. Any other set-up may write into the folder, so
it is part of the artefact.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, sync_file_system, write_atomically
from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l00_kernel.removal import remove_tree
from drystone.l00_kernel.shortage import needs_room, room_at
from drystone.l10_engines.runtimes.shell_guard import FILTER_FILE
from drystone.l25_deployer.builds.folder import copy_folder, digest, read_folder
from drystone.l25_deployer.builds.manifests import manifests
from drystone.l25_deployer.builds.set_up import HOME, TEMPORARY, SetUps, Step
from drystone.l25_deployer.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
    from drystone.l25_deployer.builds.folder import Entry

Owner: TypeAlias = tuple[str, str]
"""Environment and name of the service for which something is built."""

_WRITES_ELSEWHERE = re.compile(r"--(target|prefix|root|src)(=|$)|-t")
"""Options by which pip and uv install into another place than the environment."""


PLACE_MADE = FaultPoint("build.place.made", "an artefact has an empty place", writes=True)
COPIED = FaultPoint("build.folder.copied", "the service's folder is copied", writes=True)
SET_UP = FaultPoint(
    "build.set-up.done", "the set-up has run; the artefact has no mark", writes=True
)
MARKED = FaultPoint("build.mark.written", "the artefact is marked as complete")


class Artifact(msgspec.Struct, frozen=True):
    """A built folder.

    Attributes:
        digest: Names the source and how it was set up.
        source: The folder to run in.
        runtime: Virtual environment whose ``bin`` comes first on the path, if any.
    """

    digest: str
    source: Path
    runtime: Path | None

    def parts(self) -> frozenset[str]:
        """Return the names of the stored folders that this artefact needs."""
        return frozenset(p.parent.name for p in (self.source, self.runtime) if p is not None)


class Artifacts:
    """The store of artefacts of one home.

    Args:
        root: The folder that holds them.
        downloads: Folder in which uv keeps what it downloaded, for the next set-up.
        environ: The platform's own environment; set-ups get an excerpt of it.
        sandbox: Encloses set-ups; None where it does not work.
    """

    def __init__(
        self,
        root: Path,
        downloads: Path,
        environ: Mapping[str, str],
        sandbox: Bubblewrap | None = None,
    ) -> None:
        self._root = root
        self._set_ups = SetUps(root, downloads, environ, sandbox)
        self._building: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def end_left(self) -> None:
        """End the set-ups of an earlier agent that died: they would write into what is built anew.

        Raises:
            PlatformError: One is still there after being killed again and again.
        """
        await self._set_ups.end_left()

    @property
    def are_isolated(self) -> bool:
        """Whether set-ups run in a sandbox."""
        return self._set_ups.sandbox is not None

    async def build(
        self,
        folder: Path,
        owner: Owner,
        *,
        runtime: str | None = None,
        setup: tuple[str, ...] = (),
    ) -> Artifact:
        """Turn a folder into an artefact; at once when the same service had the same content before.

        Args:
            folder: The service's folder; it is read, never written.
            owner: Whose it is.
            runtime: ``python`` to give it a virtual environment.
            setup: Program and arguments, run once in the copied folder.

        Raises:
            ArtefactRefused: The folder cannot be taken as it is.
            BuildFailed: The set-up failed; the message ends with its last lines.
        """
        entries = await asyncio.to_thread(read_folder, folder)

        async def copy(place: Path) -> None:
            await asyncio.to_thread(copy_folder, folder, entries, place / "source")
            COPIED.reach()

        async def make_environment(place: Path) -> None:
            (place / "runtime").mkdir(mode=0o755)
            command = _new_environment(place / "runtime", setup)
            step = Step(command=command, place=place, owner=owner, directory=place)
            await self._set_ups.run(step)

        async def copy_and_install(place: Path) -> None:
            await copy(place)
            if runtime == "python":
                await make_environment(place)
            if setup:
                environment = place / "runtime" if runtime == "python" else None
                step = Step(
                    command=setup,
                    place=place,
                    owner=owner,
                    directory=place / "source",
                    environment=environment,
                )
                await self._set_ups.run(step)

        name = _name(entries, owner, runtime, setup)
        if runtime != "python" or not _only_installs(setup):
            place = await self._make(name, copy_and_install)
            environment = place / "runtime" if runtime == "python" else None
            return Artifact(name, place / "source", environment)
        place = await self._make(name, copy)
        relevant = await asyncio.to_thread(manifests, folder, entries, setup) if setup else ()
        parts = (relevant, owner, runtime, setup, sys.version)
        shared = await self._make(digest(*parts), copy_and_install)
        return Artifact(name, place / "source", shared / "runtime")

    async def name_of(
        self,
        folder: Path,
        owner: Owner,
        *,
        runtime: str | None = None,
        setup: tuple[str, ...] = (),
    ) -> str:
        """Return the digest that :meth:`build` would give the artefact; builds nothing.

        Raises:
            ArtefactRefused: The folder cannot be taken as it is.
        """
        return _name(await asyncio.to_thread(read_folder, folder), owner, runtime, setup)

    async def _make(self, name: str, work: Callable[[Path], Awaitable[None]]) -> Path:
        """Fill the place of a name unless it is complete; whoever wants the same meanwhile waits for it."""
        place = self._root / name
        async with self._building[name]:
            if not _is_complete(place):
                async with _leaving_nothing(place):
                    await asyncio.to_thread(_start_over, place)
                    PLACE_MADE.reach()
                    await work(place)
                    SET_UP.reach()
                    await asyncio.to_thread(_mark_complete, place)
                    MARKED.reach()
        return place

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return those of some stored folders that are not there, or not whole."""
        return [name for name in sorted(names) if not _is_complete(self._root / name)]

    def sweep(
        self,
        keep: frozenset[str],
        owners: Iterable[Owner],
        *,
        is_spared: Callable[[str], bool] = lambda _name: False,
    ) -> list[str]:
        """Remove what no release needs; return the names removed.

        What a release needs and is not whole stays, for whoever wants to find out what became of it.

        Args:
            keep: Names from :meth:`Artifact.parts` of every kept release.
            owners: Every service that is there.
            is_spared: Asked right before each removal, since deploys go on meanwhile.
        """
        self._set_ups.sweep(frozenset(owners))
        removed = []
        for place in self._root.iterdir():
            lock = self._building.get(place.name)
            if place.name in keep or (lock is not None and lock.locked()):
                continue
            if is_spared(place.name):
                continue
            with suppress(OSError):
                remove_tree(place)
            removed.append(place.name)
        return removed


@asynccontextmanager
async def _leaving_nothing(place: Path) -> AsyncIterator[None]:
    """Remove a place that does not become whole: the disk may be full because of it.

    Raises:
        DiskFull: The disk was full.
        BuildFailed: The set-up failed; if the disk was full then, the message says so.
    """
    try:
        with needs_room(place):
            yield
    except BaseException as e:
        room = room_at(place)
        with suppress(OSError):
            await asyncio.to_thread(remove_tree, place)
        if isinstance(e, BuildFailed) and room.is_full:
            raise BuildFailed(f"{e}\n{room.sentence()}", **e.details) from e
        raise


def _name(
    entries: tuple[Entry, ...], owner: Owner, runtime: str | None, setup: tuple[str, ...]
) -> str:
    """Name an artefact.

    A mere copy is what its content says. What a set-up makes of it depends on what earlier ones of its owner left
    behind as well; if it holds an environment, on Python, too.
    """
    if runtime != "python":
        return digest(entries, runtime, setup, *([owner] if setup else []))
    if _only_installs(setup):
        return digest(entries, runtime, (), "")
    return digest(entries, owner, runtime, setup, sys.version)


def _only_installs(setup: tuple[str, ...]) -> bool:
    """Tell whether a set-up fills the environment by pip or uv and does nothing else; none does nothing at all."""
    if any(_WRITES_ELSEWHERE.match(word) for word in setup):
        return False
    without_python = setup[2:] if setup[1:2] == ("-m",) else setup
    without_uv = without_python[1:] if without_python[:1] == ("uv",) else without_python
    return not setup or without_uv[:2] == ("pip", "install")


def _new_environment(environment: Path, setup: tuple[str, ...]) -> tuple[str, ...]:
    """Make an environment by the tool that fills it; without pip in it, which uv does not need, it takes no time."""
    if setup[:1] in {(), ("uv",)}:
        return ("uv", "venv", "--quiet", "--python", sys.executable, str(environment))
    return (sys.executable, "-m", "venv", str(environment))


def _is_complete(place: Path) -> bool:
    """Tell whether a folder has its mark; an empty one is what a lost power supply leaves of it."""
    return bool(read_if_exists(place / "complete"))


def _mark_complete(place: Path) -> None:
    """Mark a folder as whole, once all that is in it has reached the disk."""
    for name in (HOME, TEMPORARY, FILTER_FILE):
        with suppress(OSError):
            remove_tree(place / name)
    sync_file_system(place)
    write_atomically(place / "complete", b"complete\n")


def _start_over(place: Path) -> None:
    remove_tree(place)
    place.mkdir(mode=0o755, parents=True)
