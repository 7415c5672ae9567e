"""What is done to a home before anything reads it: it is brought to the present format and fitted to its place.

A home that was moved or copied says in ``home.json`` where it was. What it remembers of processes and ports belongs to
that place: beside a copy the original may still run, and nothing of that may be adopted, ended or shared. So a home
that finds itself elsewhere forgets both, and starts everything anew.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import remove_partials
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import FORMAT_FILE, Home, HomeUnusable
from drystone.l00_kernel.migrations import migrate
from drystone.l10_engines.networks.driver import Networks
from drystone.l10_engines.proxy.generation import LAST_GOOD, LEAST_GOOD
from drystone.l10_engines.runtimes import records as instance_records
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l10_engines.supervision import record as engine_records
from drystone.l25_deployer.builds.relocation import relocate
from drystone.l25_deployer.local.ports import PortBook
from drystone.l90_assembly.migrations import MIGRATIONS
from drystone.l90_assembly.standalone import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drystone.l00_kernel.ports import Log


class HomeMoves(PlatformError):
    """What still runs from the home's former place cannot be ended."""


async def arrive(home: Home, log: Log) -> None:
    """Make a home ready to be read; its lock is held.

    Every step can be repeated; the place is written down last, so that a death in between repeats all of them.

    Raises:
        OlderHome: Its format is older than what can be brought up to date.
        HomeMoves: It was moved while services ran in it, and one of them cannot be ended.
        HomeUnusable: It cannot be written.
    """
    try:
        await _arrive(home, log)
    except OSError as e:
        raise HomeUnusable(
            f"{home.path} cannot be made ready: {e.strerror} ({e.filename}); make it writable, see that the disk"
            " has room, and start again",
            home=str(home.path),
        ) from e


def _document_folders(home: Home) -> Iterator[Path]:
    """Iterate over the folders in which documents of the platform lie; none of a service's own."""
    yield from (home.path, home.run)
    for root in (home.services, home.secrets, home.trust):
        for folder, _, _ in os.walk(root):
            yield Path(folder)
    for root, pattern in (
        (home.instances, "*/"),
        (home.engines, "*/"),
        (home.engines, "keys*/data/"),
        (home.engines, "objects/certificates/"),
        (home.engines, "postgres/data/"),
        (home.engines, "sidecars/*/"),
        (home.engines, "caches/*/*/*/"),
        (home.engines, "searches/*/*/*/"),
    ):
        yield from root.glob(pattern)


async def _arrive(home: Home, log: Log) -> None:
    if partial := remove_partials(_document_folders(home)):
        log.warning("partial documents removed", count=partial)
    for number in await asyncio.to_thread(migrate, home, MIGRATIONS):
        log.info("home migrated", format=number)
    former = home.written().place
    if former == str(home.real):
        return
    if former is not None and not _is_home(Path(former)):
        await _end_what_runs_from(Path(former), log)
    changed = await asyncio.to_thread(_fit, home, former)
    home.settle()
    log.info("home found elsewhere", former=former or "unknown", changed=len(changed))


def _is_home(place: Path) -> bool:
    """Tell whether a home lies at a place, so that this one is a copy of it."""
    return (place / FORMAT_FILE).exists()


async def _end_what_runs_from(former: Path, log: Log) -> None:
    """End what was started before the home was moved: it writes to the same files as what starts now."""
    gone = Home(former)
    for runtime in (Bubblewrap(), Podman(), Processes()):
        if await runtime.available() is not None:
            continue
        for stray in await runtime.strays(gone.label, frozenset()):
            log.warning("ended what ran at the former place", instance=stray.id)
            try:
                await runtime.remove_stray(stray)
            except PlatformError as e:
                raise HomeMoves(
                    f"the home came from {former}, and {stray.id}, which was started there, cannot be"
                    f" ended: {e}; end it by hand and start again"
                ) from e
    networks = Networks(gone.networks)
    for name in networks.names():
        await networks.remove(name)
    networks.leave()


def _fit(home: Home, former: str | None) -> list[Path]:
    """Forget what belongs to the former place; return the files of artefacts that named it."""
    for state in home.instances.iterdir():
        instance_records.forget_process(state)
    for pattern in (
        "*/record.json",
        "*/*/*/*/record.json",
        "caches/*/record.json",
        "sidecars/*/record.json",
    ):
        for path in home.engines.glob(pattern):
            engine_records.forget_process(path)
    # A proxy that started from these would stand in the networks of the former place.
    for name in (LAST_GOOD, LEAST_GOOD):
        for path in home.engines.glob(f"**/{name}"):
            path.unlink()
    PortBook.forget(home.path / PORTS)
    return [] if former is None else relocate(home.artifacts, Path(former, "artifacts"))
