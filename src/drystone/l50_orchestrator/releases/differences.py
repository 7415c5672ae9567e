"""In what two releases differ. Pure."""

from __future__ import annotations

import msgspec

from drystone.l25_deployer.stacks import leaves
from drystone.l25_deployer.stacks.model import Stacks
from drystone.l25_deployer.stacks.plan import plan
from drystone.l50_orchestrator.releases.api import Difference, ReleaseView

_OF_THE_RELEASE = frozenset({("resources", "version"), ("environment", "name")})


def between(one: ReleaseView, other: ReleaseView) -> list[Difference]:
    """Return every difference: first of code and version, then of the stacks field by field, configuration included."""
    facts = [
        ("environment", one.summary.environment, other.summary.environment),
        ("version", one.summary.version, other.summary.version),
        ("code", one.artefact, other.artefact),
    ]
    found = [Difference(path, old or None, new or None) for path, old, new in facts if old != new]
    if not one.stacks or not other.stacks:
        return found
    before, after = (msgspec.convert(v.stacks, Stacks) for v in (one, other))
    for change in plan(before, after, {}, confirm=frozenset(after_removed(before))).changes:
        if change.path not in _OF_THE_RELEASE:
            path = ".".join(change.path)
            found.append(Difference(path, _text(change.old), _text(change.new)))
    return found


def after_removed(before: Stacks) -> frozenset[str]:
    """Return all resources of a release, so that comparing refuses nothing."""
    return frozenset(before.eternal.resources)


def _text(value: leaves.Leaf) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
