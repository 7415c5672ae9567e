"""What the orchestrator believes against what a target says, and what brings the two together again. Pure.

A deployer can be used without the orchestrator, and a database can be restored to yesterday, so either may be right. Each difference
therefore has two repairs: *deploy again* makes the target what is believed, *adopt* makes the belief what is there. Which one is for
a person to say, where it is not forced: what nothing is believed of can only be adopted, what is nowhere can only be deployed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

Repair: TypeAlias = Literal["deploy again", "adopt"]
Key: TypeAlias = tuple[str, str]
"""Environment and service."""

_SHARES = 0.005
"""Shares of the traffic that differ by less are the same: a proxy weighs in whole percents."""

_SERVICE = "service"


class Standing(msgspec.Struct, frozen=True):
    """What one service is in one environment, by one of the two.

    Attributes:
        release: The target's number of the release that serves.
        version: What it is called.
        artefact: Digest of what it runs; empty where nobody can tell.
        shares: Share of the traffic by release, 0 to 1.
        settings: Names and digests of what the release reads; never values.
        stacks: The five stacks as JSON objects; None where nobody can tell.
    """

    release: int
    version: str
    artefact: str = ""
    shares: dict[int, float] = {}
    settings: dict[str, str] = {}
    stacks: dict[str, Any] | None = None


class Difference(msgspec.Struct, frozen=True):
    """One thing on which the two do not agree.

    Attributes:
        environment: Where.
        service: Of which service.
        field: ``service`` when only one of the two knows it, ``release``, ``version``, ``artefact``, ``shares``,
            ``settings.<name>``, or a field of the stacks, ``stacks.environment.tier``.
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
            told.append(Difference(*key, _SERVICE, ours.version, None, ("deploy again",)))
        elif ours is not None and theirs is not None:
            told += (
                Difference(*key, field, before, after, _repairs(field))
                for field, before, after in _fields(ours, theirs)
            )
    return told


def _repairs(field: str) -> tuple[Repair, ...]:
    # Another release came from somebody who deployed there; other stacks of the same release came from a hand.
    first: tuple[Repair, ...] = ("adopt", "deploy again")
    return first if field in {"release", "version", "artefact"} else first[::-1]


def _fields(ours: Standing, theirs: Standing) -> Iterator[tuple[str, Any, Any]]:
    if ours.release != theirs.release:
        yield "release", ours.release, theirs.release
    if ours.version != theirs.version:
        yield "version", ours.version, theirs.version
    if ours.artefact and theirs.artefact and ours.artefact != theirs.artefact:
        yield "artefact", ours.artefact, theirs.artefact
    if ours.shares and theirs.shares and not _is_same_traffic(ours.shares, theirs.shares):
        yield "shares", ours.shares, theirs.shares
    for name in sorted(ours.settings.keys() | theirs.settings.keys()):
        before, after = ours.settings.get(name), theirs.settings.get(name)
        if before != after:
            yield f"settings.{name}", before, after
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
    elif ours != theirs:
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
