"""Prove what descriptors say of soft dependencies: each service does its smoke checks with each of them absent in turn.

A service is proven beside the one that runs: in an environment of its own, with fresh resources, where only the one dependency is
missing and all others are those of the sandbox. So a proof touches no data, and nobody who uses the service notices it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Literal

import msgspec

from drystone.l00_kernel.errors import NotFound, PlatformError
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l25_deployer.api import DeployerApi, Source
from drystone.l25_deployer.descriptor import read, resolve
from drystone.l85_surfaces.sandbox.mocking.words import Json
from drystone.l85_surfaces.sandbox.running import context, followed
from drystone.l85_surfaces.sandbox.workspace import LOCAL, Member

PROOF = "proof"
"""The environment in which services are proven."""


class Proof(msgspec.Struct, frozen=True):
    """What became of one service with one dependency absent.

    Attributes:
        service: Which.
        dependency: What was absent.
        without: What its descriptor says happens then.
        verdict: ``holds``; ``broken`` where its smoke checks failed; ``unproven`` where it has none; ``unjudged`` where it
            fails with all its dependencies, too.
        why: More about it.
    """

    service: str
    dependency: str
    without: str
    verdict: Literal["holds", "broken", "unproven", "unjudged"]
    why: str = ""


def descriptor_without(member: Member, absent: str | None) -> str:
    """Return a descriptor for the proof: what it needs is found in the sandbox, but for one.

    Args:
        member: The service.
        absent: The dependency that is nowhere to be found; none when None.
    """
    reading = read(member.text, file=str(member.file))
    root = resolve(reading, LOCAL).positions.root
    said: dict[str, Json] = dict(plain(root)) if root is not None else {}  # type: ignore[call-overload]
    needs = {}
    for name, one in said.get("dependencies", {}).items():
        full = {"needs": one} if isinstance(one, str) else dict(one)
        if name == absent:
            full.pop("environment", None)
        else:
            full.setdefault("environment", LOCAL)
        needs[name] = full
    return json.dumps({**said, "dependencies": needs} if needs else said)


async def proofs(api: DeployerApi, members: Mapping[str, Member]) -> AsyncIterator[Proof]:
    """Prove every soft dependency of some services, one after the other.

    Args:
        api: The deployer of a sandbox in which the services run.
        members: The services, by name.
    """
    for name, one in sorted(members.items()):
        soft = [need for need in one.needs if not need.is_hard]
        if not soft:
            continue
        trouble = await _tried(api, one, None)
        for need in soft:
            if trouble:
                verdict, why = "unjudged", f"it fails with all that it needs: {trouble}"
            else:
                failed = await _tried(api, one, need.name)
                verdict, why = "broken" if failed else "holds", failed
                if not failed and not one.checks:
                    verdict, why = "unproven", "it came up, and has no smoke checks (deploy.smoke)"
            yield Proof(name, need.name, need.without, verdict, why)  # type: ignore[arg-type]


async def _tried(api: DeployerApi, member: Member, absent: str | None) -> str:
    """Bring a service up for the proof and take it away again, with its data.

    Returns:
        Why it did not come up; empty when it did.
    """
    source = Source(
        descriptor_without(member, absent), str(member.file), str(member.folder), type=PROOF
    )
    try:
        await followed(api.deploy(context(), source=source, environment=PROOF))
    except PlatformError as e:
        return e.message
    finally:
        try:
            stream = api.destroy(
                context(),
                environment=PROOF,
                service=member.name,
                confirm=list(member.resources),
            )
            await followed(stream)
        except NotFound:
            pass
    return ""
