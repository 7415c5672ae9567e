"""Keep the logs of instances within bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from drystone.l00_kernel.shortage import DiskFull, Room, full_disks, is_full
from drystone.l10_engines.runtimes.logs import LogFile, length_of

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.local.machine import Machine


def tend_logs(logs: list[Path], lengths: dict[Path, int | None], machine: Machine) -> list[Room]:
    """Look after each log, whatever becomes of the others; return the disks that are full.

    Args:
        logs: All of them.
        lengths: How long each was when it was last looked after. One that has not grown is left alone.
        machine: Its clock and its disks.
    """
    now = machine.clock.now()
    problems: list[OSError | DiskFull] = []
    for gone in lengths.keys() - set(logs):
        del lengths[gone]
    for path in logs:
        length = length_of(path)
        if lengths.get(path) == length:
            continue
        before, log = len(problems), LogFile(path)
        for work in (log.reserve, log.bound, partial(log.mark, now)):
            try:
                work()
            except (OSError, DiskFull) as e:
                problems.append(e)
        if len(problems) == before:
            lengths[path] = length
    machine.documents.reserve.fill()
    for problem in problems:
        if not is_full(problem):
            raise problem
    return full_disks(machine.disks)
