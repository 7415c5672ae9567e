"""The services of a workspace: which files describe them, and what they need in the local environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from drystone.l25_deployer.descriptor import Descriptor, read, resolve
from drystone.l25_deployer.descriptor.reading import MOST_BYTES
from drystone.l85_surfaces.sandbox.errors import DescribedTwice, NothingToRun

LOCAL = "local"
"""The environment in which the services of a sandbox run, and the part of ``environments`` that holds there."""
DESCRIPTOR = "service.yaml"
DEEPEST = 3
"""Folders below the one that is named in which descriptors are looked for."""
LEFT_OUT = frozenset({"node_modules", "__pycache__", "target", "dist", "build", "venv"})


class Need(msgspec.Struct, frozen=True):
    """What one service needs of another.

    Attributes:
        name: The other one.
        is_hard: Whether there is no work without it.
        without: What happens without it.
        environment: Where it is looked for.
    """

    name: str
    is_hard: bool
    without: str
    environment: str


class Member(msgspec.Struct, frozen=True):
    """A service of the workspace.

    Attributes:
        name: Its name.
        file: Its descriptor.
        text: What that says.
        needs: Other services.
        checks: Its smoke checks.
        publishes: Schema files by type of event.
        wants: Requests by type of event: how the service takes them.
        resources: Names of what is provisioned for it, with their types.
        variables: Names of its own variables that refer to resources.
    """

    name: str
    file: Path
    text: str
    needs: tuple[Need, ...]
    checks: tuple[str, ...] = ()
    publishes: Mapping[str, Path] = {}
    wants: Mapping[str, str] = {}
    resources: Mapping[str, str] = {}
    variables: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.file.parent


class Workspace(msgspec.Struct, frozen=True):
    """What a sandbox is made of.

    Attributes:
        base: The folder that holds all of it.
        members: The services, by name.
    """

    base: Path
    members: Mapping[str, Member]


def workspace(places: Sequence[str]) -> Workspace:
    """Read the services that are named, or that lie below the folders that are named.

    Args:
        places: Folders and descriptors; the working directory when empty.

    Raises:
        NothingToRun: No service is described there.
        DescribedTwice: Two files describe the same service.
        DescriptorRefused: A descriptor has mistakes.
    """
    named = [Path(place).absolute() for place in places or (".",)]
    files = list(dict.fromkeys(file.resolve() for place in named for file in _descriptors(place)))
    if not files:
        shown = ", ".join(map(str, named))
        raise NothingToRun(f"there is no {DESCRIPTOR} in {shown}, nor in the folders below")
    members: dict[str, Member] = {}
    for file in files:
        one = member(file)
        if one.name in members:
            raise DescribedTwice(
                f"{members[one.name].file} and {file} both describe {one.name!r}; name the files that you mean",
                service=one.name,
            )
        members[one.name] = one
    folders = [place if place.is_dir() else place.parent for place in named]
    return Workspace(Path(os.path.commonpath(folders)).resolve(), members)


def member(file: Path) -> Member:
    """Read one descriptor.

    Raises:
        NothingToRun: There is no such file.
        DescriptorRefused: It has mistakes.
    """
    try:
        with file.open("rb") as opened:
            reading = read(opened.read(MOST_BYTES + 1), file=str(file))
    except OSError as e:
        raise NothingToRun(f"{file} cannot be read: {e.strerror}", file=str(file)) from e
    merged = resolve(reading, LOCAL)
    return _member(file, reading.text, merged.descriptor)


def _member(file: Path, text: str, said: Descriptor) -> Member:
    events = said.events
    return Member(
        name=said.service,
        file=file,
        text=text,
        needs=tuple(
            Need(name, one.needs == "hard", one.without or "", one.environment or LOCAL)
            for name, one in said.dependencies.items()
        ),
        checks=said.deploy.smoke,
        publishes={name: file.parent / one.schema for name, one in events.publishes.items()},
        wants={one.type: one.to for one in events.subscribes.values()},
        resources={name: type(one).__name__.lower() for name, one in said.resources.items()},
        variables=tuple(name for name, text in said.env.items() if "${resources." in text),
    )


def waves(members: Mapping[str, Member]) -> list[list[str]]:
    """Return the order in which services come up: each after those that it cannot work without.

    Those that need each other in a circle come last, together; the platform says what is wrong with them.
    """
    left = {
        name: {need.name for need in one.needs if need.is_hard and need.name in members} - {name}
        for name, one in members.items()
    }
    found: list[list[str]] = []
    while left:
        ready = sorted(name for name, needs in left.items() if not needs & left.keys())
        found.append(ready or sorted(left))
        for name in found[-1]:
            del left[name]
    return found


def _descriptors(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    yield from _below([place], 0)


def _below(folders: Iterable[Path], depth: int) -> Iterator[Path]:
    for folder in folders:
        if (folder / DESCRIPTOR).is_file():
            yield folder / DESCRIPTOR
        if depth < DEEPEST:
            inner = (
                Path(one.path) for one in os.scandir(folder) if one.is_dir(follow_symlinks=False)
            )
            yield from _below(sorted(one for one in inner if _counts(one.name)), depth + 1)


def _counts(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_OUT
