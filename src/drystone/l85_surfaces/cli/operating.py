"""Who shows and operates services: the platform of this machine, its orchestrator where that is on, or one elsewhere.

What is seen on this machine is asked of its agent: whoever can open its socket is the owner of the home. What changes there goes through
the orchestrator where that is on, so that it is decided and written down.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l85_surfaces.cli.options import Anywhere
from drystone.l85_surfaces.cli.orchestrated import orchestrator, orchestrator_if_on
from drystone.l85_surfaces.cli.reach import copies, jobs, operations, platform, what_was_seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from drystone.l25_deployer.api import DeployerApi
    from drystone.l25_deployer.backups.api import BackupsApi
    from drystone.l25_deployer.jobs.api import JobsApi
    from drystone.l25_deployer.operations.api import OperationsApi
    from drystone.l35_mesh.observed.api import ObservedApi
    from drystone.l50_orchestrator.operating.api import (
        EnteringApi,
        JobbingApi,
        KeepingApi,
        OperatingApi,
        WatchingApi,
    )


class _Here(Anywhere):
    """This machine: its ports and programs are reached there alone."""

    @property
    @override
    def url(self) -> None:
        return None


def deployed(shared: Anywhere) -> AbstractAsyncContextManager[DeployerApi | WatchingApi]:
    """Connect to what tells of services.

    Raises:
        NoPlatform: No platform runs there.
        NoAnswer: It does not answer.
        NoToken: It is elsewhere, and there is no token to act by.
    """
    return platform(shared.folder) if shared.url is None else orchestrator(shared, _watching())


def happened(shared: Anywhere) -> AbstractAsyncContextManager[OperationsApi | WatchingApi]:
    """Connect to what tells of events; see :func:`deployed`."""
    return operations(shared.folder) if shared.url is None else orchestrator(shared, _watching())


def refused(shared: Anywhere) -> AbstractAsyncContextManager[ObservedApi | WatchingApi]:
    """Connect to what tells what services were refused; see :func:`deployed`."""
    return what_was_seen(shared.folder) if shared.url is None else orchestrator(shared, _watching())


@asynccontextmanager
async def operator(shared: Anywhere) -> AsyncIterator[OperatingApi | OperationsApi]:
    """Connect to what scales and restarts.

    Raises:
        NoPlatform: No platform runs there.
        NoAnswer: It does not answer, or its orchestrator does not.
        NoToken: It is elsewhere, and there is no token to act by.
    """
    async with orchestrator_if_on(shared, _operating) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with operations(shared.folder) as api:
        yield api


def aborter(shared: Anywhere) -> AbstractAsyncContextManager[DeployerApi | OperatingApi]:
    """Connect to what ends such an operation; see :func:`deployed`."""
    return platform(shared.folder) if shared.url is None else orchestrator(shared, _operating())


@asynccontextmanager
async def keeper(shared: Anywhere) -> AsyncIterator[KeepingApi | BackupsApi]:
    """Connect to what makes backups of services and brings them back; see :func:`operator`."""
    async with orchestrator_if_on(shared, _keeping) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with copies(shared.folder) as api:
        yield api


@asynccontextmanager
async def job_runner(shared: Anywhere) -> AsyncIterator[JobbingApi | JobsApi]:
    """Connect to what runs jobs of services; see :func:`operator`."""
    async with orchestrator_if_on(shared, _jobbing) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with jobs(shared.folder) as api:
        yield api


@asynccontextmanager
async def forwarder(folder: Path) -> AsyncIterator[EnteringApi | OperationsApi]:
    """Connect to what opens ports of this machine; see :func:`operator`."""
    async with orchestrator_if_on(_Here(str(folder)), _entering) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with operations(folder) as api:
        yield api


@asynccontextmanager
async def runner(folder: Path) -> AsyncIterator[EnteringApi | DeployerApi]:
    """Connect to what runs one-off commands; see :func:`operator`."""
    async with orchestrator_if_on(_Here(str(folder)), _entering) as allowed:
        if allowed is not None:
            yield allowed
            return
    async with platform(folder) as api:
        yield api


def _operating() -> type[OperatingApi]:
    from drystone.l50_orchestrator.operating.api import OperatingApi  # noqa: PLC0415 - takes its time

    return OperatingApi


def _watching() -> type[WatchingApi]:
    from drystone.l50_orchestrator.operating.api import WatchingApi  # noqa: PLC0415 - takes its time

    return WatchingApi


def _keeping() -> type[KeepingApi]:
    from drystone.l50_orchestrator.operating.api import KeepingApi  # noqa: PLC0415 - takes its time

    return KeepingApi


def _jobbing() -> type[JobbingApi]:
    from drystone.l50_orchestrator.operating.api import JobbingApi  # noqa: PLC0415 - takes its time

    return JobbingApi


def _entering() -> type[EnteringApi]:
    from drystone.l50_orchestrator.operating.api import EnteringApi  # noqa: PLC0415 - takes its time

    return EnteringApi
