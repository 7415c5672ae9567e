"""Take the platform of a home down."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from drystone.l00_kernel.errors import Unavailable
from drystone.l85_surfaces.cli.errors import StopFailed
from drystone.l85_surfaces.cli.progress import Steps
from drystone.l85_surfaces.cli.reach import answers, client, context, is_kept
from drystone.l85_surfaces.cli.views.platform import stop_step as line_of

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l85_surfaces.cli.terminal import Terminal

GONE_LIMIT = timedelta(seconds=30)
GLANCE_S = 0.05


async def stop_platform(
    folder: Path, out: Terminal, *, drain: bool = False, limit: timedelta = GONE_LIMIT
) -> None:
    """Stop everything, from the top layer down, and wait until the agent and its keeper are gone.

    Args:
        folder: The home of a platform that answers.
        out: Where to show it.
        drain: Let services answer first what they have.
        limit: How long the agent may take to end after its last word.

    Raises:
        StopFailed: Some part did not stop, or the agent did not end.
    """
    failed: list[str] = []
    async with client(folder) as api:
        with Steps(out) as steps:
            try:
                async for part in api.stop(context(), drain=drain):
                    out.record(part)
                    name = f"{part.layer} {part.name}"
                    if part.state == "starting":
                        steps.began(name, f"layer {part.layer:>3}  {part.name}  stopping")
                        continue
                    steps.ended(name)
                    steps.line(line_of(part, paint=out.paint))
                    if part.state == "failed":
                        failed.append(part.name)
            except Unavailable:
                # The agent is the last to go and may take the connection with it; whether it
                # is gone is asked below.
                pass
    await _until_gone(folder, limit)
    if failed:
        raise StopFailed(
            f"the agent is gone, but these did not stop: {', '.join(failed)}\n"
            f"see {folder}/run/agent.log",
            home=str(folder),
        )


async def _until_gone(folder: Path, limit: timedelta) -> None:
    end = time.monotonic() + limit.total_seconds()
    while answers(folder) or is_kept(folder):
        if time.monotonic() > end:
            raise StopFailed(
                f"the agent of {folder} was told to stop but still runs; see {folder}/run/agent.log",
                home=str(folder),
            )
        await asyncio.sleep(GLANCE_S)
