"""The doors of a service, from what its descriptor says of people and builds."""

from __future__ import annotations

from drystone.l10_engines.proxy.request_words import split
from drystone.l25_deployer.stacks import doors as declared_doors
from drystone.l25_deployer.stacks import model
from drystone.l35_mesh.signin.gate import Door


def doors_of(declared: model.EnvironmentStack) -> tuple[Door, ...]:
    """Return the doors of a service, the one that fits most closely first; none where nobody has decided about people.

    Raises:
        InvalidProxyConfig: A route names no requests.
    """
    if not (declared.staff or declared.groups or declared.builds or declared.doors):
        return ()
    routes = sorted((declared.doors or {}).items(), key=lambda one: _closeness(one[0]))
    rest = declared_doors.Door(
        public=True if declared.public else None,
        staff=declared.staff,
        groups=declared.groups,
        builds=declared.builds,
    )
    return tuple(_door(match, door) for match, door in (*routes, ("*", rest)))


def _closeness(match: str) -> tuple[int, bool, bool, str]:
    """Sort requests: long paths before short ones, those without a star before others, one method before all."""
    method, path = split(match)
    literal = path.partition("*")[0]
    return (-len(literal), "*" in path, method == "*", match)


def _door(match: str, said: declared_doors.Door) -> Door:
    return Door(
        match=match,
        public=bool(said.public),
        staff=bool(said.staff),
        groups=said.groups or (),
        builds=said.builds or (),
    )
