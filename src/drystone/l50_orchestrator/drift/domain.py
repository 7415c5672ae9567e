"""What the orchestrator believes against what a target says, and what brings the two together again. Pure.

A deployer can be used without the orchestrator, and a database can be restored to yesterday, so either may be right. Each difference
can therefore have two repairs: *repair* makes the target what is believed, *adopt* makes the belief what is there. Which one is for
a person to say, where it is not forced: what nothing is believed of can only be adopted, what is nowhere can only be repaired, and so
can what somebody changed in a release that both know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from drystone.l50_orchestrator.drift.api import Repair
from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.target import Standing

Key: TypeAlias = tuple[str, str]
"""Environment and service."""

_SHARES = 0.005
"""Shares of the traffic that differ by less are the same: a proxy weighs in whole percents."""

_SERVICE = "service"

_ENGINES = "engines"
"""Begins fields of resources that an engine has otherwise than the platform made them."""

OTHER_RELEASE = frozenset({_SERVICE, "release", "version", "artefact"})
"""Fields that differ where something else was brought to serve."""

_SAID = "stacks.resources.version"
"""The version stands in the stacks, too, and is told once."""


class Difference(msgspec.Struct, frozen=True):
    """One thing on which the two do not agree.

    Attributes:
        environment: Where.
        service: Of which service.
        field: ``service`` when only one of the two knows it, ``release``, ``version``, ``artefact``, ``shares``,
            ``hosts``, a field of the stacks, ``stacks.environment.tier``, or one of a resource, ``engines.db.connections``.
        believed: What the orchestrator has; None for nothing.
        found: What the target says; None for nothing.
        repairs: What brings them together, the likelier one first.
    """

    environment: str
    service: str
    field: str
    believed: Any
    found: Any
    repairs: tuple[Repair, ...]


def drift(believed: Mapping[Key, Standing], found: Mapping[Key, Standing]) -> list[Difference]:
    """Compare what is believed with what is there, by environment, service and field.

    Args:
        believed: By the orchestrator.
        found: By targets. What a target cannot tell (empty, None) is no difference.
    """
    told: list[Difference] = []
    for key in sorted(believed.keys() | found.keys()):
        ours, theirs = believed.get(key), found.get(key)
        if ours is None and theirs is not None:
            told.append(Difference(*key, _SERVICE, None, theirs.version, ("adopt",)))
        elif theirs is None and ours is not None:
            told.append(Difference(*key, _SERVICE, ours.version, None, ("repair",)))
        elif ours is not None and theirs is not None:
            told += (
                Difference(*key, field, before, after, _repairs(field, theirs))
                for field, before, after in _fields(ours, theirs)
            )
            told += (
                Difference(
                    *key,
                    f"{_ENGINES}.{one.resource}.{one.field}",
                    one.wanted,
                    one.found,
                    ("repair",),
                )
                for one in theirs.deviations
            )
    return told


def _repairs(field: str, theirs: Standing) -> tuple[Repair, ...]:
    """Return what brings both together.

    What came under a key was released by the orchestrator, so that rather its record is the older one. All else of the same
    release came from a hand, and is in no release that could be adopted.
    """
    if field not in OTHER_RELEASE:
        return ("repair",)
    return ("adopt", "repair") if theirs.key else ("repair", "adopt")


def _fields(ours: Standing, theirs: Standing) -> Iterator[tuple[str, Any, Any]]:
    if ours.release != theirs.release:
        yield "release", ours.release, theirs.release
    if ours.version != theirs.version:
        yield "version", ours.version, theirs.version
    if ours.artefact and theirs.artefact and ours.artefact != theirs.artefact:
        yield "artefact", ours.artefact, theirs.artefact
    same = ours.release == theirs.release  # another release has other shares by itself
    if same and ours.shares and theirs.shares and not _is_same_traffic(ours.shares, theirs.shares):
        yield "shares", ours.shares, theirs.shares
    if ours.hosts and theirs.hosts and set(ours.hosts) != set(theirs.hosts):
        yield "hosts", sorted(ours.hosts), sorted(theirs.hosts)
    if ours.stacks is not None and theirs.stacks is not None:
        yield from _inside("stacks", ours.stacks, theirs.stacks)


def _is_same_traffic(ours: Mapping[int, float], theirs: Mapping[int, float]) -> bool:
    every = ours.keys() | theirs.keys()
    return all(abs(ours.get(one, 0.0) - theirs.get(one, 0.0)) < _SHARES for one in every)


def _inside(path: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield differences within mappings; what is left out is the same as null."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _inside(f"{path}.{key}", ours.get(key), theirs.get(key))
    elif ours != theirs and path != _SAID:
        yield path, ours, theirs


def repaired(
    believed: Mapping[Key, Standing],
    found: Mapping[Key, Standing],
    chosen: Iterable[tuple[Key, Repair]],
) -> tuple[dict[Key, Standing], dict[Key, Standing]]:
    """Return what both have once services were repaired, each as a whole: a service is never half of each.

    Args:
        believed: As for :func:`drift`.
        found: Likewise.
        chosen: Which services, and how.

    Raises:
        ValueError: What is nowhere cannot be adopted, and what nobody knows cannot be deployed.
    """
    ours, theirs = dict(believed), dict(found)
    for key, repair in chosen:
        source, into = (theirs, ours) if repair == "adopt" else (ours, theirs)
        if key not in source:
            raise ValueError(f"{'/'.join(key)} cannot be repaired by '{repair}': it is not there")
        into[key] = source[key]
    return ours, theirs


def can_go_back(found: Standing, release: int) -> bool:
    """Tell whether going back at the target brings a release to what it should be.

    It does where another one serves and this one is kept, and where somebody gave a part of the traffic to one beside it. What was
    changed inside of the release that serves needs another one.

    Args:
        found: By the target.
        release: The target's number of the one that should serve.
    """
    if found.release == release:
        return any(share > 0 for number, share in found.shares.items() if number != release)
    return release in found.kept


def unlike_configured(
    key: Key, found: Standing | None, place: Environment, team: str | None
) -> list[Difference]:
    """Return in what a service does not serve as the configuration in the tables says.

    No release brings that together: either the descriptor says something else, or it was released before the configuration changed.

    Args:
        key: Which service, and where.
        found: By the target.
        place: As the environment is configured now.
        team: Who owns the service by the registry; None where nobody does.
    """
    if found is None or found.stacks is None:
        return []
    there = found.stacks["environment"]
    pairs = (
        ("team", team, there["owner"]),
        ("region", place.region or None, there["region"]),
    )
    return [
        Difference(*key, field, wanted, is_, ())
        for field, wanted, is_ in pairs
        if wanted is not None and wanted != is_
    ]
