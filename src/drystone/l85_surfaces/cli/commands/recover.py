"""``drystone recover``: a platform from a backup of it, and the rehearsal of that."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.backups.keys import BackupKey, KeyRing, read_key
from drystone.l25_deployer.backups.recovering import begin, conclude, read_whole, under_way
from drystone.l25_deployer.backups.whole_domain import (
    CameBack,
    Recovered,
    Whole,
    data_age,
    layers_of,
    total,
)
from drystone.l85_surfaces.cli.bringing_up import bring_up
from drystone.l85_surfaces.cli.errors import Misuse, StartFailed
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import answers, client, command_line, context
from drystone.l85_surfaces.cli.stopping import stop_platform
from drystone.l85_surfaces.cli.terminal import Terminal, is_terminal, remark
from drystone.l85_surfaces.cli.views import backups as views
from drystone.l85_surfaces.cli.views.times import taken

_PORT = "DRYSTONE_PORT"


async def recover(
    *,
    from_: Annotated[
        str,
        Parameter(
            name=("--from",),
            metavar="BACKUP",
            show_default=False,
            help="Folder of a backup that `drystone backup --platform` made.",
        ),
    ],
    rehearse: Annotated[
        bool,
        Parameter(
            name=("--rehearse",),
            show_default=False,
            help="Recover into a scratch home at another port, keep the report beside the backup, throw the home away.",
        ),
    ] = False,
    key: Annotated[
        str | None,
        Parameter(
            name=("--key",),
            metavar="FILE",
            show_default=False,
            help="File with the key of the backup, as `drystone backup-key` shows it; - reads standard input.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        Parameter(help="Port of the edge. [default: as in the backup]", show_default=False),
    ] = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Bring a platform and every service back from a backup, in an empty home.

    Reads and checks all of the backup first. What was cut short is finished by the same command. Ends with a report of how long each layer took and how old its data is. A rehearsal starts every service for real, workers among them. With --json, one object per part and, last, the report.
    """
    out = Terminal(json=shared.json)
    backup = _absolute(from_)
    kept = None if key is None else _kept(key)
    if not rehearse:
        await _recover(shared.folder, backup, port, out, key=kept)
        return
    with _scratch_home() as home:
        report = await _recover(
            home, backup, port or free_port(), out, key=kept, rehearsed_by=shared.folder
        )
        place = backup.with_name(f"{backup.name}.rehearsal.json")
        place.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    out.line(f"the scratch home is gone; the report is kept: {place}")


async def _recover(
    home: Path,
    backup: Path,
    port: int | None,
    out: Terminal,
    *,
    key: BackupKey | None = None,
    rehearsed_by: Path | None = None,
) -> Recovered:
    """Recover into a home.

    Args:
        home: The new home.
        backup: The backup.
        port: Of the edge; as in the backup when None.
        out: Where to report.
        key: What opens the backup, where somebody has given it.
        rehearsed_by: The home whose rehearsal this is, which may have the key.

    Raises:
        StartFailed: Something did not come up; what did stays up, and is tried again.
    """
    began, is_rehearsal = datetime.now(UTC), rehearsed_by is not None
    known = under_way(home)
    if known is not None:
        remark(f"going on with the recovery that began at {known.since:%Y-%m-%d %H:%M:%S} UTC")
    clock = time.monotonic()
    whole = await asyncio.to_thread(read_whole, backup, lambda _: None)
    if is_rehearsal and whole.elsewhere:
        raise Misuse(
            f"{', '.join(whole.elsewhere)} of this platform runs elsewhere: a rehearsal would start services a second time"
            " on the same data"
        )
    if not answers(home):
        if key is None and known is None:
            key = _key_of(whole, rehearsed_by)
        await asyncio.to_thread(begin, home, backup, whole, began, key)
    unpacking = time.monotonic() - clock
    out.line(f"read, checked and unpacked in {taken(unpacking)}")
    failed: list[str] = []
    try:
        with _port_said_here(port):
            await bring_up(home, {} if port is None else {"port": port}, out, detach=True)
    except StartFailed as e:
        failed = [e.message]
    async with client(home) as api:
        status = await api.status(context())
    steps = [
        CameBack(one.layer, one.name, one.at, one.seconds or 0.0)
        for one in status.startup
        if one.at is not None and one.state in {"ready", "adopted"}
    ]
    begun = known.since if known is not None else began
    report = Recovered(
        backup=whole.id,
        began=begun,
        seconds=round((datetime.now(UTC) - begun).total_seconds(), 3),
        unpacking=round(unpacking, 3),
        layers=layers_of(whole, steps, began=begun),
        data_age=data_age(whole, begun),
        size=total(whole, whole.resources),
        resources=len(whole.resources),
        failed=failed or list(status.problems if not status.ready else []),
        is_rehearsal=is_rehearsal,
    )
    if is_rehearsal:
        await stop_platform(home, out)
    elif not report.failed:
        conclude(home, msgspec.json.format(msgspec.json.encode(report), indent=1))
    out.lines(views.recovered(report, paint=out.paint))
    _tell_left_out(whole)
    out.record(report)
    if report.failed:
        again = f"what came up stays up; `{command_line(f'recover --from {backup}', home)}` goes on"
        what = "this backup does not bring everything back" if is_rehearsal else again
        raise StartFailed("\n".join([*report.failed, what]))
    return report


def _kept(file: str) -> BackupKey:
    """Read the key that somebody kept.

    Raises:
        Misuse: The file cannot be read.
        NoSuchKey: There is no key in it.
    """
    try:
        return read_key(sys.stdin.read() if file == "-" else Path(file).read_text(errors="replace"))
    except OSError as e:
        raise Misuse(f"the key cannot be read: {e.strerror} ({file})") from e


def _key_of(whole: Whole, own: Path | None) -> BackupKey | None:
    """Return the key of a backup from a home that may have it, or from whoever can be asked; None where it is not to be had.

    Raises:
        NoSuchKey: What was answered is none.
    """
    if whole.seal is None:
        remark("this backup is not encrypted: an older version of the platform made it")
        return None
    for one in KeyRing(own).all() if own is not None else ():
        if one.id == whole.seal.key:
            return one
    if is_terminal(sys.stdin):
        return read_key(getpass.getpass(f"the key {whole.seal.key} of the backup: "))
    return None


def _tell_left_out(whole: Whole) -> None:
    for text in whole.left_out:
        remark(f"not in the backup: {text}")


@contextmanager
def _scratch_home() -> Iterator[Path]:
    """Give a folder for a home, which other users may pass, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="drystone-rehearsal-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as somebody else
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _port_said_here(port: int | None) -> Iterator[None]:
    """Let a port that is said on the command line have its effect whatever the environment says."""
    before = os.environ.get(_PORT)
    if port is not None and before is not None:
        os.environ[_PORT] = str(port)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_PORT] = before


def _absolute(folder: str) -> Path:
    return Path(folder).absolute()
