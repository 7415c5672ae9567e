"""What lies where, from what the deployer knows of its services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drystone.l25_deployer.local.mesh import Member
from drystone.l25_deployer.stacks.model import EnvironmentStack
from drystone.l35_mesh.observed.landscape import Known, Landscape, Need, Place


def landscape_of(
    members: Iterable[Member],
    *,
    resources: Mapping[str, tuple[str, ...]] = {},
    own: Mapping[int, Place] = {},
    addresses: Iterable[str] = (),
    names: Mapping[tuple[str, str], str] = {},
) -> Landscape:
    """Return what lies where.

    Args:
        members: Every service.
        resources: Types of what holds the data of each, by ``<environment>/<service>``.
        own: Who listens at ports of the loopback address beside the instances of services.
        addresses: Those of this machine.
        names: What an address in the network of a service stands for.
    """
    services: dict[str, Known] = {}
    ports: dict[int, Place] = {}
    for member in members:
        issuer = f"{member.environment}/{member.service}"
        place = Place("service", issuer, component=issuer)
        ports |= dict.fromkeys(member.ports, place)
        services[issuer] = known_of(member.surroundings, resources.get(issuer, ()))
    return Landscape(
        services=services, ports={**ports, **own}, own=frozenset(addresses), names=names
    )


def known_of(surroundings: Iterable[EnvironmentStack], resources: tuple[str, ...] = ()) -> Known:
    """Return what a service declares: of all its releases that run together, since each of them may call.

    Args:
        surroundings: What each of them declares, the one that serves first.
        resources: Types of what holds its data.
    """
    needs: dict[str, Need] = {}
    egress: dict[str, None] = {}
    private: dict[str, None] = {}
    stacks = list(surroundings)
    for stack in stacks:
        for name, declared in stack.dependencies.items():
            callee = f"{declared.environment or stack.name}/{name}"
            needs.setdefault(callee, Need(name, declared.calls or ()))
        egress |= dict.fromkeys(stack.egress or ())
        private |= dict.fromkeys(stack.private or ())
    first = stacks[0] if stacks else None
    return Known(
        needs=needs,
        callers=first.callers if first is not None else None,
        public=first is not None and first.public,
        egress=tuple(egress),
        private=tuple(private),
        resources=resources,
    )
