"""Reads what a descriptor's service is made of, and sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.builds.folder import read_folder
from drystone.l25_deployer.descriptor import read, resolve
from drystone.l50_orchestrator.sources.api import PIECE, SourceFile
from drystone.l50_orchestrator.sources.errors import SourceRefused
from drystone.l50_orchestrator.sources.lists import MOST_BYTES, checked, name_of_piece

if TYPE_CHECKING:
    from drystone.l00_kernel.contract import Context
    from drystone.l25_deployer.api import Source
    from drystone.l50_orchestrator.sources.api import SourcesApi

_AT_ONCE = 2 * PIECE
"""Bytes of one request, before they are encoded."""

_MOST_ROUNDS = 5


async def sent(
    api: SourcesApi, ctx: Context, source: Source, *, environment: str, service: str
) -> Source:
    """Send what a descriptor's service is made of, as far as it is not there, and return the descriptor with its source.

    Args:
        api: Keeps sources.
        ctx: Who sends.
        source: The descriptor, with a folder of this machine.
        environment: Where it is to be deployed.
        service: Which service it describes.

    Raises:
        SourceRefused: It is too much, or changes while it is sent.
        ArtefactRefused: A folder cannot be read as it is.
        DescriptorRefused: The descriptor has mistakes.
    """
    folder = Path(source.folder)
    for _ in range(_MOST_ROUNDS):
        files, places = await asyncio.to_thread(_listed, source, environment, folder)
        found = await api.offer(ctx, environment=environment, service=service, files=files)
        for batch in _batches(found.missing, places):
            await api.send(ctx, environment=environment, service=service, pieces=batch)
        if not found.missing:
            return msgspec.structs.replace(source, folder=found.source)
    raise SourceRefused(f"{folder} changes again and again while it is sent; deploy again")


def _listed(
    source: Source, environment: str, folder: Path
) -> tuple[list[SourceFile], dict[str, tuple[Path, int]]]:
    """Return the files of a service, and where each piece is."""
    files: dict[str, SourceFile] = {}
    places: dict[str, tuple[Path, int]] = {}
    size = 0
    named = sorted(_folders(source, environment))
    # What another environment is made of may not be built yet; where nothing is there at all, the first says so.
    there = [inside for inside in named if (folder / inside).is_dir()] or named[:1]
    for inside in there:
        for entry in read_folder(folder / inside):
            path = str(PurePosixPath(inside, entry.path))
            if path in files:
                continue
            if entry.kind == "link":
                files[path] = SourceFile(path, "link", target=entry.content)
                continue
            names = []
            for number, piece in enumerate(_pieces(folder / path)):
                size += len(piece)
                names.append(name_of_piece(piece))
                places[names[-1]] = (folder / path, number)
            kind = "program" if entry.kind == "program" else "file"
            files[path] = SourceFile(path, kind, tuple(names))  # type: ignore[arg-type]
            if size > MOST_BYTES:
                raise SourceRefused(
                    f"{folder} holds more than {MOST_BYTES // 1024**2} MiB: deploy a folder that holds the service alone,"
                    " or an image"
                )
    return checked(list(files.values())), places


def _folders(source: Source, environment: str) -> set[str]:
    """Return the folders that the service may be made of, in whichever environment it is to run."""
    reading = read(source.text, file=source.file)
    mentioned = [name.partition(".") for name in reading.environments]
    found = set()
    for name, _, region in [(environment, "", ""), *mentioned]:
        descriptor = resolve(reading, name, region or None).descriptor
        found |= {one.dir for one in (descriptor.process, descriptor.static) if one is not None}
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _batches(
    missing: tuple[str, ...], places: dict[str, tuple[Path, int]]
) -> Iterator[list[bytes]]:
    batch, size = list[bytes](), 0
    for name in missing:
        if name not in places:
            continue  # the next offer tells
        path, number = places[name]
        with path.open("rb") as file:
            file.seek(number * PIECE)
            piece = file.read(PIECE)
        if batch and size + len(piece) > _AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += len(piece)
    if batch:
        yield batch
