"""Networks of services for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drystone.l10_engines.networks.driver import Network, Networks
from drystone.l10_engines.networks.rules import Rules


@asynccontextmanager
async def service_network(
    folder: Path, *, open_ports: frozenset[int], catcher: int = 1
) -> AsyncIterator[Network]:
    """Make a network and remove it in the end; a test that asks for one where there can be none is skipped.

    Args:
        folder: Where its file lies; made if need be.
        open_ports: Ports of the loopback address that can be reached in it.
        catcher: Where everything else arrives; nothing listens at the default.
    """
    await require_networks(folder)
    networks = Networks(folder)
    try:
        yield await networks.ensure("suite", Rules(open=open_ports, catcher=catcher))
    finally:
        await networks.remove("suite")


async def require_networks(folder: Path) -> None:
    """Skip a test where no networks can be made.

    Args:
        folder: Where it is tried.
    """
    if (reason := await Networks(folder).available()) is not None:
        pytest.skip(reason)
