"""Releases that are asked for over a network."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l25_deployer.api import Source
from drystone.l50_orchestrator.releases.api import ReleaseSummary
from drystone.l50_orchestrator.releases.parts import Parts
from drystone.l50_orchestrator.releases.service import Releases
from drystone.l50_orchestrator.releases.terms import service_named
from drystone.l50_orchestrator.sources.service import Sources


class RemoteReleases(Releases):
    """The same releases, whose descriptors come with sources that were sent before, never with a folder of this machine.

    Whoever could name a folder could have the platform read any file of its owner's into an artefact.

    Args:
        parts: What releases need of others.
        sources: What was sent.
    """

    def __init__(self, parts: Parts, sources: Sources) -> None:
        super().__init__(parts)
        self._sources = sources

    @override
    async def deploy(
        self,
        ctx: Context,
        *,
        source: Source,
        environment: str,
        version: str | None = None,
        message: str = "",
        confirm: list[str] | None = None,
    ) -> ReleaseSummary:
        service = service_named(await self._asking.read(source))
        folder = await self._sources.folder_of(
            ctx, source.folder, environment=environment, service=service
        )
        return await super().deploy(
            ctx,
            source=msgspec.structs.replace(source, folder=folder),
            environment=environment,
            version=version,
            message=message,
            confirm=confirm,
        )
