"""What several descriptors would do to dependencies together, before any of them is deployed.

As if all of them were deployed on a platform where nothing else is, in each environment that one of them mentions and in the
usual one. What they need and is not among them is not looked at: they need not be all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from drystone.l05_graph.alternatives import Counted
from drystone.l05_graph.findings import LEVELS, Rule, Rules
from drystone.l05_graph.followed import Followed
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.reach import every_one
from drystone.l05_graph.rules import check, circle
from drystone.l05_graph.words import Strength, TangleKind
from drystone.l25_deployer.api import DependencyFinding
from drystone.l25_deployer.dependencies.deploy_check import RULES
from drystone.l25_deployer.dependencies.live_model import own_part, part_of
from drystone.l25_deployer.dependencies.model import PLATFORM, model_of
from drystone.l25_deployer.dependencies.placing import placed
from drystone.l25_deployer.dependencies.verdict import Tangle, of_rule, of_tangle
from drystone.l25_deployer.descriptor import Reading, resolve
from drystone.l25_deployer.descriptor.reading import Positions
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.stacks.compile import compile_stacks

_RULES = Rules(
    levels={
        **{rule: LEVELS[rule] for rule in (Rule.DEADLOCK, Rule.CO_START)},
        **RULES.levels,
    }
)


def check_files(
    readings: Iterable[Reading], own: Iterable[Descriptor], environment: str, today: date
) -> list[DependencyFinding]:
    """Find what would be told, and what refused, if all descriptors were deployed.

    Args:
        readings: The descriptors; no service twice. Those with mistakes are left out.
        own: The platform's own.
        environment: Looked at even when no descriptor mentions it.
        today: For acceptances.

    Returns:
        Each with its place, in the order of the files and their lines. What is the same in several environments is there
        once.
    """
    sound = [one for one in readings if one.descriptor is not None]
    written: dict[str, Positions] = {}
    parts = [own_part(own)]
    for name in _environments(sound, environment):
        for reading in sound:
            merged = resolve(reading, name)
            part = part_of(compile_stacks(merged, version="1"))
            written[part.components[0].name] = merged.positions
            parts.append(part)
    model = model_of(parts)
    found: dict[object, DependencyFinding] = {}
    for one in _findings(model, today):
        found.setdefault(_apart_from_environments(one), placed(one, written))
    order = {one.positions.file: number for number, one in enumerate(sound)}
    return sorted(
        found.values(),
        key=lambda one: (order.get(one.file or "", 0), one.line or 0, one.column or 0),
    )


def _environments(readings: Sequence[Reading], usual: str) -> list[str]:
    """Return the environments that are mentioned, as what differs or as where something is needed."""
    found = dict.fromkeys([usual])
    for reading in readings:
        found.update(dict.fromkeys(name.partition(".")[0] for name in reading.environments))
    for reading in readings:
        for name in tuple(found):
            needs = resolve(reading, name).descriptor.dependencies.values()
            found.update(dict.fromkeys(one.environment for one in needs if one.environment))
    return [name for name in found if name != PLATFORM]


def _findings(model: Model, today: date) -> Iterator[DependencyFinding]:
    for one in check(model, _RULES, today):
        if not one.subject.startswith(f"{PLATFORM}/"):
            yield of_rule(one, today)
    hard = {frozenset(one) for one in Followed(model, Counted(model).lines).tangled}
    whole = Followed(model, range(len(model.dependencies)))
    for together in whole.tangled:
        if frozenset(together) not in hard:
            _, path = circle(whole, together, every_one, _is_soft)
            members = frozenset(model.components[one].name for one in together)
            yield of_tangle(Tangle(TangleKind.SOFT, members, path), path[0].source, today)


def _is_soft(one: Dependency) -> bool:
    return one.strength is Strength.SOFT


def _apart_from_environments(one: DependencyFinding) -> object:
    """Return what is the same of a finding in every environment."""
    steps = [(_bare(step.source), _bare(step.target), step.strength, step.at) for step in one.path]
    return (one.rule, one.severity, _bare(one.subject), tuple(steps))


def _bare(name: str) -> str:
    return name.rpartition("/")[2]
