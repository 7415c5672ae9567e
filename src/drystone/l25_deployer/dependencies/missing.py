"""What a service needs and is not deployed."""

from __future__ import annotations

from collections import Counter

from drystone.l25_deployer.api import DependencyFinding
from drystone.l25_deployer.dependencies.landscape import Landscape
from drystone.l25_deployer.dependencies.model import declared, name_of
from drystone.l25_deployer.dependencies.verdict import MISSING, Verdict, steps
from drystone.l25_deployer.stacks.model import EnvironmentStack

NEEDED_NOW = frozenset({"deploy", "start", "runtime"})
"""Moments at which the other service must be there already when this one is deployed."""


def check_missing(landscape: Landscape, stack: EnvironmentStack) -> Verdict:
    """Find what a service needs and is not deployed; of a group of alternatives, enough suffice."""
    name = name_of((stack.name, stack.service))
    there = {
        target: landscape.part(name_of((need.environment or stack.name, target))) is not None
        for target, need in stack.dependencies.items()
    }
    if all(there.values()):
        return Verdict(name)
    met = Counter(
        stack.dependencies[target].group for target, is_there in there.items() if is_there
    )
    paths = {one.target: steps((one,)) for one in declared(stack).dependencies}
    found = []
    for target, need in stack.dependencies.items():
        if there[target]:
            continue
        environment = need.environment or stack.name
        where = f"'{target}', which is not deployed in {environment}"
        enough = need.group is not None and met[need.group] >= stack.claims.groups[need.group]
        refuses = need.needs == "hard" and not NEEDED_NOW.isdisjoint(need.at) and not enough
        found.append(
            DependencyFinding(
                rule=MISSING,
                severity="error" if refuses else "note",
                refuses=refuses,
                subject=name,
                sentence=f"{stack.service} needs {where} (hard, at {', '.join(need.at)})"
                if refuses
                else f"{stack.service} would use {where} ({need.needs})",
                path=paths.get(name_of((environment, target)), ()),
                advice="deploy it first, or make the dependency soft and say what happens without it"
                if refuses
                else "",
            )
        )
    return Verdict(name, tuple(found))
