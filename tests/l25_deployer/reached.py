"""A platform that is reached one way, and what tests ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from drystone.l25_deployer.api import DeployerApi, ServiceView
from l25_deployer.small_platform import (
    ASKING,
    folder_of,
)


class Reached(msgspec.Struct, frozen=True):
    """A platform that is reached one way.

    Attributes:
        api: How it is reached.
        port: Of its edge.
        folder: Holds its home and a service's folder.
    """

    api: DeployerApi
    port: int
    folder: Path

    @property
    def source(self) -> Path:
        return folder_of(self.folder / "source")


async def all_of(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


class Place(TypedDict):
    environment: str
    service: str


def at(service: str) -> Place:
    return {"environment": "dev", "service": service}


async def shown(
    p: Reached, service: str, holds: Callable[[ServiceView], object], what: str
) -> ServiceView:
    """Wait until a service shows something."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + 20
    while not holds(view := await p.api.show(ASKING, **at(service))):
        assert loop.time() < limit, f"never: {what}"
        await asyncio.sleep(0.02)
    return view
