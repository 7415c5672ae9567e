"""Sources on a disk, for a process of their own."""

from __future__ import annotations

from pathlib import Path

from drystone.l50_orchestrator.sources.service import Sources
from drystone.testing.orchestrator import AllowByRole


async def places(environment: str) -> list[str]:
    return [environment]


async def nothing(_service: str) -> frozenset[str]:
    return frozenset()


def make(root: str) -> Sources:
    return Sources(Path(root), gate=AllowByRole(), places=places, needed=nothing)
