"""How much of a host services may claim together, and what is said when it is not enough. Pure.

Claims are what descriptors say, times how many there are: what a service may use, not what it uses at the moment. A deploy that claims no
more than its service did is never refused, so that a host of which too much was promised can still be mended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from drystone.l25_deployer.descriptor.quantities import show_size
from drystone.l25_deployer.stacks.sizes import INSTANCE

if TYPE_CHECKING:
    from drystone.l25_deployer.stacks.sizes import ServiceSize

_TOLD = 4
"""How many services are named that use most."""


class Amounts(msgspec.Struct, frozen=True):
    """How much of each, claimed or allowed.

    Attributes:
        cpu: CPUs.
        memory: Bytes of memory, of instances and caches.
        disk: Bytes of disk that resources may hold.
        services: Services in an environment each.
        instances: Instances.
        resources: Resources.
    """

    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    services: int = 0
    instances: int = 0
    resources: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """Return both together."""
        return Amounts(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.disk + other.disk,
            self.services + other.services,
            self.instances + other.instances,
            self.resources + other.resources,
        )

    def larger(self, other: Amounts) -> Amounts:
        """Return the larger of each."""
        return Amounts(
            max(self.cpu, other.cpu),
            max(self.memory, other.memory),
            max(self.disk, other.disk),
            max(self.services, other.services),
            max(self.instances, other.instances),
            max(self.resources, other.resources),
        )


def claimed(size: ServiceSize) -> Amounts:
    """Return what a service claims."""
    parts = size.parts
    own = [part for part in parts if part.kind == INSTANCE]
    return Amounts(
        cpu=sum(part.cpu * part.count for part in own),
        memory=sum(part.memory * part.count for part in parts),
        disk=sum(part.storage * part.count for part in parts),
        services=1,
        instances=sum(part.count for part in own),
        resources=sum(part.count for part in parts if part.kind != INSTANCE),
    )


def refusals(
    quota: Amounts, claims: Mapping[str, Amounts], name: str, wanted: Amounts
) -> list[str]:
    """Say what keeps a service from claiming something; empty when nothing does.

    Args:
        quota: What all may claim together; 0 is without a bound.
        claims: What each claims now.
        name: Of the service.
        wanted: What it is to claim.
    """
    now = claims.get(name, Amounts())
    others = {key: one for key, one in claims.items() if key != name}
    said = []
    for field in Amounts.__struct_fields__:
        most, more = getattr(quota, field), getattr(wanted, field)
        total = sum(getattr(one, field) for one in others.values()) + more
        if most and total > most and more > getattr(now, field):
            said.append(
                f"the quota of this host is {_text(field, most)}, and this would make it {_text(field, total)}:"
                f" {_text(field, more)} of {name} itself{_users(field, others)}; {_advice(field)}, or let the owner of the"
                f" home raise quota.{field}"
            )
    return said


def room(
    quota: Amounts, claims: Mapping[str, Amounts], one: Amounts, count: int
) -> tuple[int, str]:
    """Return how many more instances there may be, and why not as many as are wanted.

    Args:
        quota: What all may claim together; 0 is without a bound.
        claims: What each claims now.
        one: What one more instance claims.
        count: How many are wanted.
    """
    fits, why = count, ""
    for field in ("cpu", "memory", "instances"):
        most, each = getattr(quota, field), getattr(one, field)
        used = sum(getattr(claim, field) for claim in claims.values())
        if not most or not each:
            continue
        here = max(0, math.floor((most - used) / each + 1e-9))
        if here < fits:
            fits = here
            why = (
                f"the quota of this host, {_text(field, most)}, leaves room for {here} more and not for {count}"
                f"{_users(field, claims)}; scale another one down, or let the owner of the home raise quota.{field}"
            )
    return fits, why


def _users(field: str, claims: Mapping[str, Amounts]) -> str:
    used = {name: getattr(one, field) for name, one in claims.items() if getattr(one, field)}
    largest = sorted(used, key=lambda name: (-used[name], name))
    said = [f"{_text(field, used[name])} of {name}" for name in largest[:_TOLD]]
    rest = largest[_TOLD:]
    if rest:
        said.append(f"{_text(field, sum(used[name] for name in rest))} of {len(rest)} others")
    return "".join(f", {one}" for one in said)


def _text(field: str, amount: float) -> str:
    match field:
        case "cpu":
            return f"{round(amount, 3):g} {'CPU' if amount == 1 else 'CPUs'}"
        case "memory":
            return f"{show_size(int(amount))} of memory"
        case "disk":
            return f"{show_size(int(amount))} of disk"
        case _:
            return f"{int(amount)} {field.removesuffix('s') if amount == 1 else field}"


def _advice(field: str) -> str:
    return {
        "cpu": "make 'size.cpu' or 'scale' smaller, or another service",
        "memory": "make 'size.memory' or 'scale' smaller, or another service",
        "disk": "make 'storage' of its resources smaller, or remove a resource",
        "services": "destroy a service that nobody needs",
        "instances": "make 'scale' smaller, or another service",
        "resources": "leave one out, or remove one that nobody needs",
    }[field]
