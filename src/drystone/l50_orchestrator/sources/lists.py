"""What a list of files may say. Pure.

Whoever sends a list chooses every letter of it, and its files are written where the platform keeps everything. So a path is taken only where it
can mean nothing but a place inside: nothing is written through a link, since no file may lie behind one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from drystone.l00_kernel.visible import visible
from drystone.l50_orchestrator.sources.api import PIECE, PREFIX, SourceFile
from drystone.l50_orchestrator.sources.errors import SourceRefused

MOST_FILES = 20_000
MOST_PIECES = 20_000
MOST_BYTES = 512 * 1024**2
_DEEPEST = 100
_LONGEST_PATH = 1024
_LONGEST_NAME = 255
_LONGEST_TARGET = 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SOURCE = re.compile(rf"{PREFIX}([0-9a-f]{{64}})")


def checked(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Return a list in the order of its paths, when it can be a folder.

    Raises:
        SourceRefused: The message says which path, and why.
    """
    if len(files) > MOST_FILES:
        raise SourceRefused(
            f"the source has {len(files)} files; at most {MOST_FILES} come from afar: build an image of it instead"
        )
    kinds: dict[str, str] = {}
    number = 0
    for one in files:
        _check_path(one.path)
        if one.path in kinds:
            raise SourceRefused(f"{visible(one.path)} is in the list twice")
        kinds[one.path] = one.kind
        number += len(one.pieces)
        _check_content(one)
    if number > MOST_PIECES:
        raise SourceRefused(
            f"the source has more than {MOST_PIECES} pieces: build an image of it instead"
        )
    for path in kinds:
        for parent in PurePosixPath(path).parents:
            if str(parent) in kinds:
                raise SourceRefused(
                    f"{visible(path)} lies behind {visible(str(parent))}, which is a {kinds[str(parent)]} and no folder"
                )
    return sorted(files, key=lambda one: one.path)


def _check_path(path: str) -> None:
    parts = path.split("/")
    encoded = _encoded(path)
    if (
        not encoded
        or len(encoded) > _LONGEST_PATH
        or len(parts) > _DEEPEST
        or "\0" in path
        or any(part in {"", ".", ".."} for part in parts)
        or any(len(_encoded(part)) > _LONGEST_NAME for part in parts)
    ):
        raise SourceRefused(
            f"{visible(path[:200])} is no path inside the folder: it is relative, has no '.', '..' or empty parts and at most"
            f" {_DEEPEST} of them"
        )


def _check_content(one: SourceFile) -> None:
    if one.kind == "link":
        target = PurePosixPath(one.target)
        inside = not target.is_absolute() and _stays(PurePosixPath(one.path).parent, target)
        if (
            one.pieces
            or "\0" in one.target
            or not 0 < len(_encoded(one.target)) <= _LONGEST_TARGET
            or not inside
        ):
            raise SourceRefused(
                f"{visible(one.path)} is a link to {visible(one.target[:200])}, which is not inside the folder;"
                " replace it by what it points at"
            )
        return
    if one.target or not all(_SHA256.fullmatch(piece) for piece in one.pieces):
        raise SourceRefused(
            f"{visible(one.path)}: pieces are named by their SHA-256, in lower case"
        )


def _stays(place: PurePosixPath, target: PurePosixPath) -> bool:
    depth = len(place.parts)
    for part in target.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates name no file
        return b""


def name_of(files: Sequence[SourceFile]) -> str:
    """Return the name of a source: the SHA-256 of its list, as JSON, in the order of its paths."""
    ordered = sorted(files, key=lambda one: one.path)
    return PREFIX + hashlib.sha256(msgspec.json.encode(ordered)).hexdigest()


def digits_of(source: str) -> str:
    """Return the digits of a name.

    Raises:
        SourceRefused: It is no name of a source.
    """
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise SourceRefused(
            f"{visible(source[:100])} names no source: from afar a descriptor comes with the source that was sent before it,"
            f" '{PREFIX}' and 64 digits, and no folder of this machine can be named"
        )
    return found[1]


def name_of_piece(piece: bytes) -> str:
    """Return the name of a piece.

    Raises:
        SourceRefused: It is too large.
    """
    if len(piece) > PIECE:
        raise SourceRefused(f"a piece has at most {PIECE} bytes, not {len(piece)}")
    return hashlib.sha256(piece).hexdigest()
