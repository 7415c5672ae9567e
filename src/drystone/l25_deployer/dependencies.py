"""Check a service's dependencies against what is deployed, before a deploy.

A small check on names: hard needs that are missing, tangles, layers. Services are vertices, keyed by
environment and name.
"""

from __future__ import annotations

import msgspec

from drystone.l25_deployer.dependency_model import Deployed, Key
from drystone.l25_deployer.stacks.model import EnvironmentStack

NEEDED_NOW = frozenset({"deploy", "start", "runtime"})
"""Moments at which the other service must be there already when this one is deployed."""


class Findings(msgspec.Struct, frozen=True):
    """What the check found.

    Attributes:
        refused: Reasons against the deploy.
        notes: What does not stop it.
    """

    refused: tuple[str, ...]
    notes: tuple[str, ...]


def check(wanted: EnvironmentStack, deployed: Deployed) -> Findings:
    """Check what a deploy of this service would do to the dependencies between services."""
    refused: list[str] = []
    notes: list[str] = []
    me = (wanted.name, wanted.service)
    for name, need in wanted.dependencies.items():
        key = (need.environment or wanted.name, name)
        other = deployed.get(key)
        if other is None:
            is_refused = need.needs == "hard" and NEEDED_NOW & set(need.at)
            where = f"'{name}', which is not deployed in {key[0]}"
            if is_refused:
                refused.append(
                    f"{wanted.service} needs {where} (hard, at {', '.join(need.at)}): deploy it first,"
                    " or make the dependency soft and say what happens without it"
                )
            else:
                notes.append(f"{wanted.service} would use {where} ({need.needs})")
            continue
        if need.needs != "hard":
            continue
        refused.extend(_layers(wanted, other))
        if other.tier > wanted.tier:
            notes.append(
                f"{wanted.service} (tier {wanted.tier}) needs {name}, which promises less (tier {other.tier})"
            )
        way = path_back(key, me, deployed)
        if way:
            around = " → ".join([wanted.service, *(service for _, service in way)])
            refused.append(
                f"tangle: {around}; each would wait for the other in a recovery: make one of these soft"
            )
    return Findings(tuple(refused), tuple(notes))


def _layers(wanted: EnvironmentStack, other: EnvironmentStack) -> list[str]:
    if wanted.layer is None or other.layer is None or other.layer < wanted.layer:
        return []
    return [
        f"{wanted.service} (layer {wanted.layer}) needs {other.service} (layer {other.layer}):"
        " a hard dependency may only point to a lower layer"
    ]


def hard_needs(stack: EnvironmentStack) -> list[Key]:
    """List what a service cannot start or run without."""
    return [
        (need.environment or stack.name, name)
        for name, need in stack.dependencies.items()
        if need.needs == "hard" and {"start", "runtime"} & set(need.at)
    ]


def path_back(start: Key, goal: Key, deployed: Deployed) -> list[Key]:
    """Return a way along hard needs from one service to another; empty when there is none."""
    came_from: dict[Key, Key | None] = {start: None}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if here == goal:
            way: list[Key] = []
            step: Key | None = here
            while step is not None:
                way.append(step)
                step = came_from[step]
            return way[::-1]
        for following in hard_needs(deployed[here]) if here in deployed else []:
            if following not in came_from:
                came_from[following] = here
                waiting.append(following)
    return []
