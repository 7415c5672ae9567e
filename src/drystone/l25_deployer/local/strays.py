"""End what earlier lives of the platform left behind and no record names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import PlatformError, Unavailable

if TYPE_CHECKING:
    from drystone.l10_engines.runtimes.port import Runtime
    from drystone.l25_deployer.local.machine import Machine

WITHIN = timedelta(seconds=5)
"""How long the platform waits for a runtime that may be silent."""

AGAIN_AFTER = timedelta(seconds=2)


async def remove_strays(
    machine: Machine, known: frozenset[str], later: Callable[[asyncio.Task[None]], None]
) -> None:
    """End all strays; returns when they are gone, but for those of a runtime that does not answer.

    Args:
        machine: Its runtimes and its store of artefacts.
        known: Ids of the instances that records name.
        later: Is given the work that goes on meanwhile.
    """
    every = machine.runtimes.values()
    clearing = [asyncio.create_task(_clear(runtime, machine, known)) for runtime in every]
    await asyncio.gather(
        _clear_builds(machine),
        *(task for task, r in zip(clearing, every, strict=True) if not r.may_be_silent),
    )
    _, late = await asyncio.wait(clearing, timeout=WITHIN.total_seconds())
    for task in late:
        later(task)


async def _clear(runtime: Runtime, machine: Machine, known: frozenset[str]) -> None:
    while (problem := await _try_to_clear(runtime, machine, known)) is not None:
        machine.log.warning("strays not removed", error=problem, runtime=runtime.name)
        if not (runtime.may_be_silent and isinstance(problem, Unavailable)):
            return
        await asyncio.sleep(AGAIN_AFTER.total_seconds())


async def _try_to_clear(
    runtime: Runtime, machine: Machine, known: frozenset[str]
) -> PlatformError | None:
    try:
        for stray in await runtime.strays(machine.label, known):
            # Who looks late finds what was started meanwhile, too.
            if stray.id not in runtime.begun():
                machine.log.warning("stray removed", instance=stray.id)
                await runtime.remove_stray(stray)
    except PlatformError as e:
        return e
    return None


async def _clear_builds(machine: Machine) -> None:
    try:
        await machine.artifacts.end_left()
    except PlatformError as e:
        machine.log.warning("set-ups not ended", error=e)
