"""Every type of resource that something provides, in one table. What is not in it is accepted, checked and listed as not acted on.

Adding a type is adding an entry here and a driver where it is carried out (docs/adding-a-resource.md).
"""

from __future__ import annotations

from typing import Any

from drystone.l25_deployer.descriptor.schema import resources
from drystone.l25_deployer.stacks.wiring import account, computing, held, ways
from drystone.l25_deployer.stacks.wiring.shape import Context, ResourceType, Wired

TYPES: dict[str, ResourceType[Any]] = {
    str(entry.block.__struct_config__.tag): entry
    for entry in (
        held.POSTGRES,
        account.KEYVALUE,
        held.BUCKET,
        held.CACHE,
        account.QUEUE,
        account.TOPIC,
        account.STREAM,
        account.ENCRYPTION_KEY,
        ways.EDGE_ROUTE,
        computing.FUNCTION,
        ways.CERTIFICATE,
        ways.STATIC_SITE,
        computing.BATCH_JOB,
        held.SECRET,
        held.VOLUME,
        held.SEARCH,
    )
}
"""By the type as it stands in descriptors."""


def wire_up(name: str, resource: resources.Resource, context: Context) -> Wired | None:
    """Say what a resource comes to; None when nothing provides it.

    Args:
        name: What the descriptor calls it.
        resource: What the descriptor says of it.
        context: What it is wired up in.
    """
    entry = TYPES.get(resource.type_name)
    return entry.wire_up(name, resource, context) if entry is not None else None


def acted_on() -> dict[str, str]:
    """Say by type, and by type and key, what is acted on; see :mod:`~drystone.l25_deployer.stacks.acted_on`."""
    found: dict[str, str] = {}
    for name, entry in TYPES.items():
        found[name] = ""
        found |= {f"{name}.{key}": sentence for key, sentence in entry.keys().items()}
    return found


def realisation(name: str) -> str:
    """Write for the reference what realises a type, as a table; empty for a type that nothing provides."""
    entry = TYPES.get(name)
    if entry is None:
        return ""
    real = entry.realised
    return f"| on this machine | on AWS | on Kubernetes |\n|---|---|---|\n| {real.local} | {real.aws} | {real.kubernetes} |\n"
