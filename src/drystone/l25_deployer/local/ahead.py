"""Look ahead for a plan: what would already fail, and whether the code differs from what serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.stacks.model import ImageArtifact, ProcessArtifact, StaticArtifact

if TYPE_CHECKING:
    from drystone.l25_deployer.api import PlanView
    from drystone.l25_deployer.intake import Wanted
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.machine import Machine


async def look_ahead(
    view: PlanView, wanted: Wanted, kept: KeptService | None, machine: Machine
) -> PlanView:
    """Add to a plan what building the artefact would find out, without building it."""
    try:
        name = await _name(wanted, machine)
    except PlatformError as e:
        return msgspec.structs.replace(view, refused=[*view.refused, str(e)])
    active = kept.active_release() if kept else None
    if active is None:
        return view
    how = "is the same as" if active.artifact == name else "differs from"
    note = f"the code {how} that of release {active.number}"
    return msgspec.structs.replace(view, notes=[*view.notes, note])


async def _name(wanted: Wanted, machine: Machine) -> str:
    artifact = wanted.stacks.resources.artifact
    match artifact:
        case ProcessArtifact():
            return await machine.artifacts.name_of(
                wanted.folder / artifact.dir,
                wanted.key,
                runtime=artifact.runtime,
                setup=artifact.setup,
            )
        case StaticArtifact():
            return await machine.artifacts.name_of(wanted.folder / artifact.dir, wanted.key)
        case ImageArtifact():
            return await machine.images.resolve_image(artifact.ref)
        case _:
            return ""
