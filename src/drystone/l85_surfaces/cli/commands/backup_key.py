"""``drystone backup-key``: what opens backups on another machine, to be kept where they are not."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from drystone.l00_kernel.home import Home
from drystone.l25_deployer.backups.keys import KeyRing
from drystone.l85_surfaces.cli.errors import Misuse
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Terminal, remark


class ShownKey(msgspec.Struct, frozen=True):
    """The key as it is shown.

    Attributes:
        id: Its name, as manifests of backups say it.
        key: The key; empty where it was written to a file.
        since: When it was made.
        before: Names of keys that sealed older backups, which still open them here.
    """

    id: str
    key: str
    since: datetime | None
    before: list[str]


async def backup_key(
    *,
    to: Annotated[
        str | None,
        Parameter(
            name=("--to",),
            metavar="FILE",
            show_default=False,
            help="New file for the key, closed to other users, in place of standard output.",
        ),
    ] = None,
    rotate: Annotated[
        bool,
        Parameter(
            name=("--rotate",),
            show_default=False,
            help="Make another key, which seals what is backed up from now on.",
        ),
    ] = False,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Show the key that opens backups of this platform, to keep it elsewhere.

    Backups open by themselves in the home that made them. Where that is lost, this key is needed: without it nothing of them can be read. Keep it apart from the backups. With --json, one document.
    """
    out = Terminal(json=shared.json)
    home = Home.open(shared.folder)
    now = datetime.now(UTC)
    ring = KeyRing(home.path)
    key = ring.rotate(now) if rotate else ring.newest(now)
    before = [one.id for one in ring.all() if one.id != key.id]
    if to is not None:
        _write(Path(to), key.written())
    out.document(ShownKey(key.id, "" if to is not None else key.written(), key.since, before))
    if to is None:
        out.line(key.written())
    ring.note_shown(now)
    remark(
        f"whoever has it and a backup reads everything; `drystone recover` asks for it{_where(to)}"
    )
    if before:
        remark(
            f"backups of the platform from before need {', '.join(before)}: keep each as long as those"
        )


def _where(to: str | None) -> str:
    return "" if to is None else f" (--key {to})"


def _write(path: Path, text: str) -> None:
    """Write the key to a file of its own.

    Raises:
        Misuse: There is something already, or the file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise Misuse(f"{path} cannot be made: {e.strerror}; name a file that is not there") from e
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)
