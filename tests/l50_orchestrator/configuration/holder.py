"""A process that begins to apply and never ends: ``python holder.py HOST PORT DATABASE USER PASSWORD``."""

from __future__ import annotations

import asyncio
import sys

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l50_orchestrator.configuration.service import Configuration
from drystone.testing.configured import TeamBlock, TeamsInMemory
from l50_orchestrator.configuration.stand import OPENED, applied, make


class _Stuck(TeamsInMemory):
    @override
    async def put(self, ctx: Context, name: str, item: TeamBlock) -> None:
        print("stuck", flush=True)  # noqa: T201 - what the test waits for
        await asyncio.Event().wait()


async def _main() -> None:
    make(*sys.argv[1:])
    await applied(Configuration(OPENED[0], [_Stuck({})]), "teams: {a: []}")


if __name__ == "__main__":
    asyncio.run(_main())
