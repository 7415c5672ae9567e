"""Projects: made from a template, and updated to a later version of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l85_surfaces.templates.errors import (
    FolderTaken,
    FolderUnusable,
    MergeOpen,
    NotFromTemplate,
)
from drystone.l85_surfaces.templates.merging import is_open, merge
from drystone.l85_surfaces.templates.template import Template, service_name

RECORD = Path(".drystone") / "template.json"
"""Where a project keeps what it was made from."""

_MOST_BYTES = 8 * 1024 * 1024


class Record(msgspec.Struct, frozen=True):
    """What a project was made from.

    Attributes:
        template: Name of the template, or the path of its folder.
        version: Which version of it.
        name: The service's.
        answers: By question.
        files: What the template gave, by path: the base of the next merge.
    """

    template: str
    version: int
    name: str
    answers: dict[str, str]
    files: dict[str, str]


class Change(msgspec.Struct, frozen=True):
    """What an update does to one file.

    Attributes:
        path: Of the file in the project.
        what: ``added``, ``updated``, ``merged``: with what people changed; ``conflict``: both changed the same lines, which are marked;
            ``removed``; ``kept``: the template drops it or changed it, and people changed or removed it.
    """

    path: str
    what: Literal["added", "updated", "merged", "conflict", "removed", "kept"]
    conflicts: int = 0


class Update(msgspec.Struct, frozen=True):
    """What an update does.

    Attributes:
        before: The version that the project came from.
        after: The version that it comes to.
    """

    template: str
    before: int
    after: int
    changes: tuple[Change, ...]


def make(template: Template, name: str, folder: Path, answers: Mapping[str, str]) -> list[str]:
    """Make a project in a folder that is not there yet, or empty: all of it, or nothing.

    Returns:
        The paths of its files.

    Raises:
        NameRefused: No service can have the name.
        AnswerRefused: An answer cannot be put into files.
        FolderTaken: The folder is not empty.
        FolderUnusable: It cannot be made.
    """
    files = template.rendered(name, answers)
    record = Record(
        template=_kept_kind(template.kind),
        version=template.version,
        name=service_name(name),
        answers=template.answered(answers),
        files=files,
    )
    folder = folder.absolute()
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FolderTaken(f"{folder} is there and is no folder; name another one")
    if folder.is_dir() and any(folder.iterdir()):
        raise FolderTaken(f"the folder {folder} is not empty; name another one, or empty it")
    try:
        _fill(folder, {**files, RECORD.as_posix(): _encoded(record).decode()})
    except OSError as e:
        raise FolderUnusable(f"{folder} cannot be made: {e.strerror or e}") from e
    return sorted(files)


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    """Write everything beside the folder, then put it there in one step, or entry by entry into one that is there."""
    if not folder.parent.is_dir():
        raise OSError(f"there is no folder {folder.parent}")
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    moved: list[Path] = []
    try:
        for name, text in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        if not folder.exists():
            beside.chmod(0o777 & ~_umask())
            beside.rename(folder)
            return
        for entry in sorted(beside.iterdir()):
            entry.rename(folder / entry.name)
            moved.append(folder / entry.name)
    except BaseException:
        for path in moved:
            _remove(path)
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def record_of(folder: Path) -> Record:
    """Return what a project was made from.

    Raises:
        NotFromTemplate: It does not remember.
    """
    try:
        with (folder / RECORD).open("rb") as opened:
            content = opened.read(_MOST_BYTES)
        return msgspec.json.decode(content, type=Record)
    except OSError as e:
        raise NotFromTemplate(
            f"{folder} has no {RECORD}; only what 'drystone new' made can be updated"
        ) from e
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise NotFromTemplate(f"{folder / RECORD} cannot be read: {e}") from e


def update(template: Template, folder: Path, *, is_trial: bool = False) -> Update:
    """Bring a later version of the template into a project, beside what people changed.

    Args:
        template: The template as it is now.
        folder: The project.
        is_trial: Tell what would be done, and do nothing.

    Raises:
        NotFromTemplate: The project does not remember where it came from.
        MergeOpen: A file still has the marks of an earlier merge.
        FolderUnusable: A file cannot be read or written, or a link stands in its place.
    """
    record = record_of(folder)
    answers = {key: text for key, text in record.answers.items() if key in template.questions}
    after = template.rendered(record.name, answers)
    changes: list[Change] = []
    written: dict[Path, str | None] = {}
    for path in sorted({*record.files, *after}):
        place = _inside(folder, path)
        base, theirs, ours = record.files.get(path), after.get(path), _text(place)
        if ours is not None and is_open(ours):
            raise MergeOpen(
                f"{path} still has marks of an earlier merge; decide between the lines at '<<<<<<<', remove the marks, and update again"
            )
        change, text = _changed(path, base, ours, theirs, template.version)
        if change is not None:
            changes.append(change)
            if change.what != "kept":
                written[place] = text
    found = Update(template.kind, record.version, template.version, tuple(changes))
    if is_trial:
        return found
    newer = msgspec.structs.replace(
        record, version=template.version, files=after, answers=template.answered(answers)
    )
    try:
        for place, text in written.items():
            _put(place, text)
        write_atomically(folder / RECORD, _encoded(newer), mode=0o644)
    except OSError as e:
        raise FolderUnusable(f"{folder} cannot be written: {e.strerror or e}") from e
    return found


def _changed(
    path: str, base: str | None, ours: str | None, theirs: str | None, version: int
) -> tuple[Change | None, str | None]:
    """Tell what becomes of a file, and its text; None when it stays, or goes."""
    if theirs in (base, ours):
        return None, None
    if theirs is None:
        return Change(path, "removed" if ours == base else "kept"), None
    if ours is None:
        return Change(path, "added" if base is None else "kept"), theirs
    merged = merge(
        base or "", ours, theirs, our_name="yours", their_name=f"template, version {version}"
    )
    if merged.conflicts:
        return Change(path, "conflict", merged.conflicts), merged.text
    return Change(path, "updated" if ours == base else "merged"), merged.text


def _inside(folder: Path, path: str) -> Path:
    """Return the place of a file; a record that was tampered with leads nowhere else.

    Raises:
        FolderUnusable: It would be outside of the folder, or a link is on the way.
    """
    place = folder
    parts = path.split("/")
    if "" in parts or ".." in parts or "." in parts or "\0" in path:
        raise FolderUnusable(f"{path!r} of {RECORD} is no path in the project")
    for part in parts:
        place = place / part
        if place.is_symlink():
            raise FolderUnusable(f"{place} is a link; put the file itself there, and update again")
    return place


def _text(place: Path) -> str | None:
    try:
        return place.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as e:
        raise FolderUnusable(f"{place} cannot be read as a text: {e}") from e


def _put(place: Path, text: str | None) -> None:
    if text is None:
        place.unlink()
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
    write_atomically(place, text.encode(), mode=mode)


def _kept_kind(kind: str) -> str:
    """Return what a project remembers of a template: a folder by its absolute path."""
    return str(Path(kind).absolute()) if "/" in kind else kind


def _encoded(record: Record) -> bytes:
    encoded = msgspec.json.encode(record, order="deterministic")
    return msgspec.json.format(encoded, indent=2) + b"\n"
