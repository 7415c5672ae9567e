from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from drystone.l00_kernel.contract import loopback
from drystone.l00_kernel.home import Home
from drystone.l25_deployer.backups.api import BackupsApi
from drystone.l90_assembly.standalone import Standalone
from l25_deployer.backups.small_copies import Kept, deployed
from l25_deployer.small_platform import ASKING, embedded, settings, short_folder


class Whole(msgspec.Struct, frozen=True):
    """A platform and where it works."""

    platform: Standalone
    folder: Path


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def whole() -> AsyncIterator[Whole]:
    with short_folder() as folder:
        home = Home.create(folder / "h")
        async with embedded(folder / "h", settings(home)) as platform:
            yield Whole(platform, folder)
            async for _ in platform.deployer.stop(ASKING):
                pass


@pytest_asyncio.fixture(scope="package", loop_scope="package", params=["embedded", "loopback"])
async def kept(request: pytest.FixtureRequest, whole: Whole) -> Kept:
    """A service with an empty database, whose backups are asked for in every way but a process of its own."""
    service = f"shop-{request.param}"
    await deployed(whole.platform, whole.folder / service, service)
    backups = whole.platform.backups
    api = backups if request.param == "embedded" else loopback(BackupsApi, backups)
    return Kept(whole.platform, api, service)
