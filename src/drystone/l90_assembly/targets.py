"""Where releases run: this platform, or another one by a token in a file of the home."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from drystone.l00_kernel.atomic import read_if_exists
from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.registry import store
from drystone.l50_orchestrator.targets.errors import TargetUnready
from drystone.l50_orchestrator.targets.platform import PlatformTarget, Reached
from drystone.l50_orchestrator.targets.tokens import token_file

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home
    from drystone.l50_orchestrator.target import Target

_HERE = "here"


@asynccontextmanager
async def targets_of(
    home: Home, here: Target, database: Database
) -> AsyncIterator[Callable[[Environment], Target]]:
    """Give what finds the target of an environment; ways to other platforms are closed with the block.

    Args:
        home: Keeps the tokens of other platforms.
        here: This platform.
        database: The tables, in which addresses of other platforms are looked up.
    """
    known: dict[str, Target] = {_HERE: here}
    async with AsyncExitStack() as stack:

        def find(environment: Environment) -> Target:
            name = environment.target
            if name not in known:
                known[name] = PlatformTarget(_reached(home, name, database, stack))
            return known[name]

        yield find


def _reached(home: Home, name: str, database: Database, stack: AsyncExitStack) -> Reached:
    async def address() -> str:
        found = (await store.targets(database)).get(name)
        if found is None or found.kind != "platform":
            raise TargetUnready(f"there is no platform behind the target '{name}'")
        return found.url.rstrip("/")

    def token() -> str:
        return (read_if_exists(token_file(home, name)) or b"").decode("ascii", "replace").strip()

    return Reached(name, address=address, token=token, stack=stack)
