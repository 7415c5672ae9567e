"""Who operates services of this machine: the platform itself, or its orchestrator where that is on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l85_surfaces.cli.options import Anywhere
from drystone.l85_surfaces.cli.orchestrated import orchestrator_if_on
from drystone.l85_surfaces.cli.reach import operations, platform

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from drystone.l25_deployer.api import DeployerApi
    from drystone.l25_deployer.operations.api import OperationsApi
    from drystone.l50_orchestrator.operating.api import OperatingApi


class _Here(Anywhere):
    """This machine: instances elsewhere are operated there."""

    @property
    @override
    def url(self) -> None:
        return None


@asynccontextmanager
async def operator(folder: Path) -> AsyncIterator[OperatingApi | OperationsApi]:
    """Connect to what scales, restarts and forwards.

    Raises:
        NoPlatform: No platform runs there.
        NoAnswer: It does not answer, or its orchestrator does not.
    """
    async with orchestrator_if_on(_Here(str(folder)), _operating) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with operations(folder) as api:
        yield api


@asynccontextmanager
async def runner(folder: Path) -> AsyncIterator[OperatingApi | DeployerApi]:
    """Connect to what runs one-off commands.

    Raises:
        NoPlatform: No platform runs there.
        NoAnswer: See :func:`operator`.
    """
    async with orchestrator_if_on(_Here(str(folder)), _operating) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with platform(folder) as api:
        yield api


def _operating() -> type[OperatingApi]:
    from drystone.l50_orchestrator.operating.api import OperatingApi  # noqa: PLC0415 - takes its time

    return OperatingApi
