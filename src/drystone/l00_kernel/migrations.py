"""Bring a home of an older format to the present one: whole or not at all.

A migration is a pure function from the documents that it asks for to those that it changes. They are run one
after the other under the home's lock, before anything else reads the home. What they change is packed first into
``before-format-N.tar``, with ``home.json``; then the documents are replaced, ``home.json`` last. Whoever dies in
between leaves a home of the old format, whose migration runs again from what was packed.

The way back, until the first good start has removed it: unpack that file over the home.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.errors import Conflict
from drystone.l00_kernel.home import FORMAT, FORMAT_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l00_kernel.home import Home

Documents: TypeAlias = Mapping[str, bytes]
"""Contents by path, relative to the home, with forward slashes."""


class OlderHome(Conflict):
    """The home was written by a platform that is too old for this one."""


class Migration(msgspec.Struct, frozen=True):
    """The step from one format to the next.

    Attributes:
        to: The format that it leads to.
        reads: Patterns (:meth:`pathlib.Path.glob`) of the documents that it asks for; ``home.json`` comes along.
        change: From the documents that are there to those that become different, ``home.json`` among them.
    """

    to: int
    reads: tuple[str, ...]
    change: Callable[[Documents], dict[str, bytes]]


def migrate(home: Home, migrations: Sequence[Migration], *, to: int = FORMAT) -> list[int]:
    """Bring a home to the present format; the caller holds its lock.

    Args:
        home: The home.
        migrations: In order, one for each format from the oldest that is known.
        to: The format to reach.

    Returns:
        The formats that it went through, nothing when it had the present one.

    Raises:
        OlderHome: There is no way from its format.
        OSError: A document cannot be written; the home has its old format.
    """
    begun = home.written().format
    way = [migration for migration in migrations if begun < migration.to <= to]
    if [migration.to for migration in way] != list(range(begun + 1, to + 1)):
        raise OlderHome(
            f"{home.path} has format {begun}, which this version cannot bring to format {to};"
            f" start it once with a version that can, or choose another home",
            home=str(home.path),
        )
    for migration in way:
        _carry_out(home, migration)
    return [migration.to for migration in way]


def forget_earlier(home: Home) -> None:
    """Remove what :func:`migrate` kept of earlier formats: the platform has started well with the new one."""
    for path in home.path.glob(_kept_name("*")):
        path.unlink(missing_ok=True)


def _kept_name(number: object) -> str:
    return f"before-format-{number}.tar"


def _carry_out(home: Home, migration: Migration) -> None:
    found = {
        str(path.relative_to(home.path)): path.read_bytes()
        for pattern in (*migration.reads, FORMAT_FILE)
        for path in home.path.glob(pattern)
    }
    kept = home.path / _kept_name(migration.to)
    if kept.exists():  # an attempt was cut short
        found |= _unpacked(kept)
    changed = migration.change(found)
    changed = {name: text for name, text in changed.items() if found.get(name) != text}
    if not kept.exists():
        write_atomically(kept, _packed(home.path, [name for name in found if name in changed]))
    last = changed.pop(FORMAT_FILE)
    for name, text in changed.items():
        path = home.path / name
        write_atomically(path, text, mode=path.stat().st_mode & 0o777)
    write_atomically(home.path / FORMAT_FILE, last)


def _unpacked(kept: Path) -> dict[str, bytes]:
    import tarfile  # noqa: PLC0415 - for a home of an older format alone

    with tarfile.open(kept) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive.getmembers())
        return {name: file.read() for name, file in files if file is not None}


def _packed(root: Path, names: Sequence[str]) -> bytes:
    """Return a tar archive of some files, with their modes and owners."""
    import tarfile  # noqa: PLC0415 - for a home of an older format alone

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(names):
            archive.add(root / name, arcname=name)
    return packed.getvalue()
